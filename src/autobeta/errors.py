"""The errors of our own, and commands as messages name them.

Everything else is a ValueError or TypeError.
"""

import shlex
import signal


class TooFewImagesError(ValueError):
    """Images are too few for a part of them to be held out."""


class MissingDataError(FileNotFoundError):
    """A data file is not where it was looked for; the message says how to get it."""


class DivergedError(RuntimeError):
    """Training left the finite numbers; the message names step, terms, weights and seed."""


class BusyRunError(RuntimeError):
    """Another process is writing into the run folder."""


class DiskFullError(OSError):
    """A file could not be written for want of space; the message says what is kept."""


class RankError(RuntimeError):
    """One of the processes that train a run together failed; the message says which, and why."""

    def __init__(self, rank: int, why: str) -> None:
        super().__init__(f"process {rank} failed: {why}")
        self.rank = rank


class InterruptedRunError(Exception):
    """A run stopped on a signal, 2 for Ctrl-C and 15 for SIGTERM, after writing its checkpoint."""

    def __init__(self, step: int, signal_number: int) -> None:
        super().__init__(f"stopped at step {step} by {signal.Signals(signal_number).name}")
        self.step = step
        self.signal_number = signal_number


def printable(text: str) -> str:
    r"""The text with control characters and the like as escapes, for terminals, SVG and HTML.

    Example:
        >>> printable("photos\x1b[2J")
        'photos\\x1b[2J'
    """
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def pasted(*words: object) -> str:
    """A command as a shell takes it.

    Example:
        >>> pasted("autobeta", "evaluate", "my run")
        "autobeta evaluate 'my run'"
    """
    return shlex.join(map(str, words))
