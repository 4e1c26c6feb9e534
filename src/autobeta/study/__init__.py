"""Studies: many runs from one definition, carried out by a launcher, as one tidy table."""
