"""Below torchrun several processes carry out one command: which of them speaks."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autobeta.errors import RankError

if TYPE_CHECKING:
    from autobeta.training.ranks import Ranks

Agree = Callable[[Callable[[], Any]], Any]


def tells(error: BaseException) -> bool:
    """Whether this process is the one that tells of what has ended the command.

    What ends all ranks the first one tells; a rank that fails alone tells it itself.
    """
    ranks = _launched()
    alone = isinstance(error, RankError) and error.rank == ranks.rank if ranks else True
    return ranks is None or ranks.first or alone


@contextlib.contextmanager
def agreeing() -> Iterator[Agree]:
    """Join the ranks; gives what carries out an action on all, which refuse it if one does."""
    if _launched() is None:
        yield lambda action: action()
        return
    from autobeta.training.ranks import all_do, joined

    with joined() as ranks:
        yield lambda action: all_do(ranks, action)


@contextlib.contextmanager
def spoken_once() -> Iterator[None]:
    """Let only the first process print and warn."""
    ranks = _launched()
    if ranks is None or ranks.first:
        yield
        return
    with (
        Path(os.devnull).open("w") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        yield


def program() -> list[str]:
    """The words that start `autobeta` as it was started: below torchrun, or alone."""
    if _launched() is None:
        return ["autobeta"]
    machines = os.environ.get("GROUP_WORLD_SIZE", "1")
    several = [] if machines == "1" else ["--nnodes", machines]
    here = ["--nproc-per-node", os.environ["LOCAL_WORLD_SIZE"]]
    return ["torchrun", *several, *here, "-m", "autobeta"]


def _launched() -> "Ranks | None":
    if "TORCHELASTIC_RUN_ID" not in os.environ:  # so that torch is not waited for
        return None
    from autobeta.training.ranks import launched

    return launched()
