"""What all data sets share: factors, batches, the cache, and how a set gets there."""
