"""Validation during the training: held-out losses, the best network, and when to stop early."""

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

from autobeta.errors import DivergedError
from autobeta.run import folder as files
from autobeta.settings import TrainConfig
from autobeta.training.checkpoint import read_facts, write_module
from autobeta.training.forward import narrow
from autobeta.training.monitor import Row
from autobeta.training.ranks import of_the_first
from autobeta.training.seeding import random_numbers_of
from autobeta.training.state import TrainState

NOISE_SEED = 20261127
"""Seed of the noise of every validation, so that two of them differ by the network alone."""


class Validation:
    """Validates a run every so many steps; its lines, one a validation, say all that it knows.

    Networks are compared by their held-out ELBO, -(reconstruction + KL): nats per image, whatever
    the weights are at that step. Of equals the first is best.

    Args:
        state: The run, at the step that it goes on from.
        config: Intervals, patience.
        folder: Run folder; None keeps nothing.

    Raises:
        ValueError: If the state has no held-out images for it.
    """

    def __init__(self, state: TrainState, config: TrainConfig, folder: Path | None) -> None:
        if config.validate_every is not None and state.held_out is None:
            raise ValueError(
                "`held_out` must be given to make_state with `validate_every`; got None. Give "
                'HeldOut(dataset, "test", batch_size).'
            )
        if config.validate_every is not None and config.validate_every > config.steps:
            warnings.warn(
                f"`validate_every` is {config.validate_every:,} steps, so that a run of "
                f"{config.steps:,} is never validated. Lower it.",
                stacklevel=3,
            )
        self._config, self._folder = config, folder
        lines = [] if folder is None else files.read_jsonl(folder / files.VALIDATION)
        self._lines = [line for line in lines if line["step"] <= state.step]
        self._best = _best_of(self._lines)
        if self.is_best(state.step):  # its network may have been lost by a kill
            self.keep(state)

    @property
    def is_over(self) -> bool:
        """Whether the patience is at an end, so that the run is."""
        patience = self._config.patience
        return patience is not None and len(self._lines) - 1 - self._best >= patience

    def is_best(self, step: int) -> bool:
        """Whether the network of this step is to be kept as the best so far."""
        known = self._config.keep_best and bool(self._lines)
        return known and self._lines[self._best]["step"] == step

    def after(self, state: TrainState) -> Row | None:
        """Validate if it is due; returns the line of `validation.jsonl`, which is written."""
        every = self._config.validate_every
        if every is None or state.step % every:
            return None
        line = validate(state, self._config)
        self._lines.append(line)
        self._best = _best_of(self._lines)
        if self._folder is not None and state.ranks.first:
            files.append_jsonl(self._folder / files.VALIDATION, line)
        return line

    def keep(self, state: TrainState) -> None:
        """Keep the network as the best; its checkpoint has been written, so no kill loses it."""
        if self._folder is None or not state.ranks.first:
            return
        path = self._folder / files.BEST / files.MODEL
        if not path.exists() or read_facts(path).get("step") != state.step:
            for name in files.EVALUATION:  # of the best before
                (path.parent / name).unlink(missing_ok=True)
            write_module(path, state.model, step=state.step)


def _best_of(lines: list[Row]) -> int:
    """Place of the first line with the highest ELBO; 0 where there is none."""
    return max(range(len(lines)), key=lambda place: lines[place]["elbo"], default=0)


def validate(state: TrainState, config: TrainConfig) -> Row:
    """Reconstruction, KL, ELBO and loss of the held-out images, in nats per image.

    The loss has the weights of the last update. Neither the run nor its random numbers move. Of
    several processes the first one measures.

    Raises:
        DivergedError: If a number is not finite.
    """
    numbers = _measured(state, config) if state.ranks.first else [0.0] * 3
    reconstruction, kl, loss = of_the_first(state.ranks, numbers)
    if not all(map(math.isfinite, (reconstruction, kl, loss))):
        raise DivergedError(
            f"held-out `loss` must be finite; got {loss} at step {state.step} with reconstruction "
            f"{reconstruction} and KL {kl}. Checkpoints are kept. Lower the learning rate, in "
            "another folder, or look for NaN in the images."
        )
    elbo = -(reconstruction + kl)
    line = {"reconstruction": reconstruction, "kl": kl, "elbo": elbo, "loss": loss}
    return {"step": state.step, **line}


@torch.no_grad()
def _measured(state: TrainState, config: TrainConfig) -> list[float]:
    assert state.held_out is not None
    sums: dict[str, torch.Tensor] = {}
    total = 0
    with evaluating(*state.modules().values()), random_numbers_of(NOISE_SEED, state.device):
        for x in state.held_out.batches(state.device):
            with narrow(config.precision, state.device):
                output = state.model(x)
            for name, term in state.objective(x, output).items():
                sums[name] = sums.get(name, 0) + len(x) * term
            total += len(x)
        terms = {name: part / total for name, part in sums.items()}
        loss = state.weighting(terms, max(0, state.step - 1))
    found = [terms["reconstruction"].sum(), terms["kl"].sum(), loss]
    return torch.stack([number.double() for number in found]).tolist()


@contextmanager
def evaluating(*modules: nn.Module) -> Iterator[None]:
    """Modules in `eval()`, and each of their parts as it was afterwards."""
    before = {part: part.training for module in modules for part in module.modules()}
    try:
        for module in modules:
            module.eval()
        yield
    finally:
        for part, training in before.items():
            part.training = training
