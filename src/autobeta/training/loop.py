"""fit(): the one visible training loop."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from autobeta.errors import InterruptedRunError
from autobeta.models import VAEOutput
from autobeta.run import folder as files
from autobeta.settings import TrainConfig
from autobeta.training.checkpoint import has_checkpoint, load_checkpoint, save_checkpoint
from autobeta.training.forward import Forward
from autobeta.training.graphs import GraphedForward, is_static
from autobeta.training.machine import keep_freed_memory
from autobeta.training.monitor import check_finite, log_row
from autobeta.training.ranks import largest, mean_gradients, mean_terms
from autobeta.training.state import TrainState
from autobeta.training.stopping import stop_on_signals
from autobeta.weighting import effective_weights

Callback = Callable[[dict[str, Any], float], object]
"""Called with each new line of the log and images per second. One that has a method `begin` is
first given the state and the configuration, by `begin(state, config)`; one that has a method `end`
is given the run folder by `end(folder)` once `train` has evaluated the run, scores and pictures
written. With several processes, only the first calls them."""


def fit(
    state: TrainState,
    config: TrainConfig,
    *,
    folder: Path | None = None,
    callbacks: Sequence[Callback] = (),
) -> list[dict[str, Any]]:
    """Train until `config.steps`, from the checkpoint in `folder` where there is one.

    Args:
        state: From `make_state`; its objects are trained in place.
        config: Steps, precision, intervals and seed.
        folder: Run folder for log, timing and checkpoints; None keeps nothing.
        callbacks: Called with each new line of the log; see `Callback`.

    Returns:
        The log, as in `log.jsonl`.

    Raises:
        DivergedError: If the loss is not finite when it is logged.
        InterruptedRunError: If Ctrl-C or SIGTERM asked for a stop; after a checkpoint in `folder`.
        ValueError: If the checkpoint is damaged.
    """
    keep_freed_memory()
    forward = make_forward(state, config)
    log = _resume(state, config, folder)
    for callback in callbacks:
        if (begin := getattr(callback, "begin", None)) is not None:
            begin(state, config)
    for module in state.modules().values():
        module.train()
    clock = _Clock(state.step, config.batch_size)
    with stop_on_signals() as stop:
        while state.step < config.steps:
            row = _update(state, config, forward)
            if row is not None:
                check_finite(row, config.seed)
                log.append(row)
                if state.ranks.first:
                    _record(folder, row, clock.timing(state.step), callbacks)
            # once: another may come at any moment
            number = largest(state.ranks, stop.signal_number)
            done = state.step == config.steps or bool(number)
            due = done or clock.checkpoint_due(state.step, config)
            if folder is not None and state.ranks.first and due:
                files.flush(folder / files.LOG)  # a resume cuts the log back to the checkpoint
                save_checkpoint(folder / files.CHECKPOINT, state)
            if number and state.step < config.steps:
                raise InterruptedRunError(state.step, number)
    return log


def make_forward(state: TrainState, config: TrainConfig) -> Forward | GraphedForward:
    """What leads a batch to output and terms; on CUDA as graphs where the modules allow it."""
    forward = Forward(state, config)
    if state.device.type == "cuda" and (config.compile or is_static(forward)):
        return GraphedForward(forward)
    return forward


def _update(
    state: TrainState, config: TrainConfig, forward: Forward | GraphedForward
) -> dict[str, Any] | None:
    """One optimiser update; returns a line of the log when one is due."""
    x = next(state.batches)
    output, terms = forward(x)
    terms = mean_terms(state.ranks, terms)
    loss = state.weighting(terms, state.step)
    logging = (state.step + 1) % config.log_every == 0 or state.step + 1 == config.steps
    weights = effective_weights(loss, terms) if logging else {}
    state.optimizer.zero_grad()
    loss.backward()
    mean_gradients(state.ranks, state.optimizer)
    state.optimizer.step()
    if state.adversary is not None:
        _update_adversary(state, forward, output)
    state.kl_sum += terms["kl"].detach().sum()
    state.kl_count += 1
    state.step += 1
    return log_row(state, output, terms, loss, weights) if logging else None


def _update_adversary(
    state: TrainState, forward: Forward | GraphedForward, output: VAEOutput
) -> None:
    """One update of the objective's own network, on the codes of the same batch."""
    assert state.adversary is not None
    state.adversary.zero_grad()  # of what the model's loss has left there
    forward.adversary_loss(output).backward()
    mean_gradients(state.ranks, state.adversary)
    state.adversary.step()


def _resume(state: TrainState, config: TrainConfig, folder: Path | None) -> list[dict[str, Any]]:
    """Restore the checkpoint, if any, and cut the log back to its step."""
    if folder is None:
        return []
    if has_checkpoint(folder / files.CHECKPOINT):
        load_checkpoint(folder / files.CHECKPOINT, state, log_every=config.log_every)
    for name in (files.LOG, files.TIMING) if state.ranks.first else ():
        rows = [row for row in files.read_jsonl(folder / name) if row["step"] <= state.step]
        files.write_jsonl(folder / name, rows)
    return files.read_jsonl(folder / files.LOG)


def _record(
    folder: Path | None,
    row: dict[str, Any],
    timing: dict[str, float | int],
    callbacks: Sequence[Callback],
) -> None:
    if folder is not None:
        files.append_jsonl(folder / files.LOG, row)
        files.append_jsonl(folder / files.TIMING, timing)
    for callback in callbacks:
        callback(row, timing["images_per_second"])


class _Clock:
    """Measures speed between log lines, and says when a checkpoint is due."""

    def __init__(self, step: int, batch_size: int) -> None:
        self._batch_size = batch_size
        self._begin = self._last_time = self._saved = time.monotonic()
        self._last_step = step

    def timing(self, step: int) -> dict[str, float | int]:
        now = time.monotonic()
        rate = (step - self._last_step) * self._batch_size / max(now - self._last_time, 1e-9)
        self._last_time, self._last_step = now, step
        seconds = round(now - self._begin, 3)
        return {"step": step, "seconds": seconds, "images_per_second": round(rate, 1)}

    def checkpoint_due(self, step: int, config: TrainConfig) -> bool:
        overdue = time.monotonic() - self._saved > 60 * config.checkpoint_minutes
        if step % config.checkpoint_every and not overdue:
            return False
        self._saved = time.monotonic()
        return True
