"""Callbacks of a run, one a file: each has `build(folder) -> Callback`, and may be named."""
