"""Callbacks of a run, one a file with `build(folder) -> Callback`, asked for by their names."""
