"""One run in several processes, as torchrun starts them: what they share and what each does.

Every rank takes its part of each batch and of the noise that one process would have drawn for it.
The terms that a weighting reads are means over the ranks, and so are the gradients, so that all
ranks hold the same weights and the same beta.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple, TypeVar

import torch
import torch.distributed as dist

# imported within a group, its functions' defaults keep it, and its threads abort Python's exit
import torch.distributed.nn.functional
from torch import Tensor, nn

from autobeta.errors import DivergedError, InterruptedRunError, RankError

Result = TypeVar("Result")


class Ranks(NamedTuple):
    """Where this process stands among those that train one run."""

    rank: int = 0
    size: int = 1
    local: int = 0
    """Its number among those of this machine, which is that of its CUDA device."""

    @property
    def first(self) -> bool:
        """Whether it is the one that writes."""
        return self.rank == 0


ALONE = Ranks()
_within: ContextVar[Ranks] = ContextVar("_within", default=ALONE)


@contextmanager
def joined() -> Iterator[Ranks]:
    """Join the processes that torchrun started for this one; alone where it did not.

    A process whose group the caller has made is left alone: it trains a run of its own. Within
    another `joined` it is that one's.
    """
    if (ranks := _within.get()) is not ALONE:
        yield ranks
        return
    ranks = launched()
    if ranks.size == 1 or not dist.is_available() or dist.is_initialized():
        yield ALONE
        return
    dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
    token = _within.set(ranks)
    try:
        yield ranks
    finally:
        _within.reset(token)
        dist.destroy_process_group()


def launched() -> Ranks:
    """What torchrun says of this process; alone where it did not start it."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return ALONE
    return Ranks(*(int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK")))


def all_do(ranks: Ranks, action: Callable[[], Result]) -> Result:
    """What each rank's action gives, once all have done theirs; if one fails, all do.

    Raises:
        RankError: On ranks that did not fail themselves, with what the first of the others says.
    """
    if ranks.size == 1:
        return action()
    try:
        found = action()
    except BaseException as error:
        _failures(ranks, str(error) or repr(error))
        raise
    for rank, why in _failures(ranks, None):
        raise RankError(rank, why)
    return found


def first_does(ranks: Ranks, action: Callable[[], object]) -> None:
    """Let the first rank act while the others wait; its failure is theirs, as in `all_do`."""
    all_do(ranks, action if ranks.first else lambda: None)


def _failures(ranks: Ranks, own: str | None) -> list[tuple[int, str]]:
    """Which ranks failed, and what they say; None says nothing of this one."""
    said: list[str | None] = [None] * ranks.size
    dist.all_gather_object(said, own)
    return [(rank, why) for rank, why in enumerate(said) if why is not None]


@contextmanager
def naming_the_rank(ranks: Ranks) -> Iterator[None]:
    """Say which rank failed where the others can't learn of it; stops concern all of them.

    Raises:
        RankError: In place of an error that this rank has alone.
    """
    try:
        yield
    except (InterruptedRunError, DivergedError):
        raise
    except Exception as error:
        if ranks.size == 1:
            raise
        raise RankError(ranks.rank, str(error) or repr(error)) from error


def largest(ranks: Ranks, number: int) -> int:
    """The largest of a number on all ranks; no device is waited for."""
    if ranks.size == 1:
        return number
    found = torch.tensor(number)
    dist.all_reduce(found, dist.ReduceOp.MAX)
    return int(found)


def of_the_first(ranks: Ranks, numbers: list[float]) -> list[float]:
    """The first rank's numbers on all ranks; those of the others only say how many there are."""
    if ranks.size == 1:
        return numbers
    found = torch.tensor(numbers, dtype=torch.float64)
    dist.broadcast(found, 0)
    return found.tolist()


def mean_terms(ranks: Ranks, terms: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Terms averaged over the ranks, the same bits on all; gradients are each rank's own."""
    if ranks.size == 1:
        return dict(terms)
    parts = [term.reshape(-1) for term in terms.values()]
    flat: Tensor = _Mean.apply(torch.cat(parts), ranks.size)
    pieces = flat.split([part.numel() for part in parts])
    return {n: p.reshape(t.shape) for (n, t), p in zip(terms.items(), pieces, strict=True)}


class _Mean(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, flat: Tensor, size: int) -> Tensor:  # noqa: ANN401
        del ctx
        mean = flat.detach().clone()
        dist.all_reduce(mean)
        return mean / size

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401
        del ctx
        return grad, None  # averaged with all others by `mean_gradients`


def mean_gradients(ranks: Ranks, optimizer: torch.optim.Optimizer) -> None:
    """Average the gradients of an optimiser's parameters over the ranks, in one message."""
    if ranks.size == 1:
        return
    every: Iterable[nn.Parameter] = (p for g in optimizer.param_groups for p in g["params"])
    gradients = [p.grad for p in every if p.grad is not None]
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    dist.all_reduce(flat)
    flat /= ranks.size
    for gradient, piece in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(piece.reshape(gradient.shape))
