"""The two errors of our own; everything else is a ValueError or TypeError."""


class MissingDataError(FileNotFoundError):
    """A data file is not where it was looked for; the message says how to get it."""


class DivergedError(RuntimeError):
    """Training left the finite numbers; the message names step, terms, weights and seed."""
