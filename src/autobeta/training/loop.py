"""fit(): the one visible training loop."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from autobeta.errors import InterruptedRunError
from autobeta.models import VAEOutput
from autobeta.run import folder as files
from autobeta.settings import TrainConfig
from autobeta.training.checkpoint import has_checkpoint, load_checkpoint, save_checkpoint
from autobeta.training.forward import Forward
from autobeta.training.graphs import GraphedForward, is_static
from autobeta.training.machine import denormals_as_zero, keep_freed_memory
from autobeta.training.monitor import check_finite, log_row
from autobeta.training.ranks import first_does, largest, mean_gradients, mean_terms
from autobeta.training.rates import logged_rate, prepare_update
from autobeta.training.state import TrainState
from autobeta.training.stopping import stop_on_signals
from autobeta.training.validation import Validation
from autobeta.weighting import effective_weights

Callback = Callable[[dict[str, Any], float], object]
"""Called with each new line of the log and images per second. One that has a method `begin` is
first given the state and the configuration, by `begin(state, config)`; `updated(state)` follows
every update, `validated(line)` a validation, both before a line of the log of that step. Of what
`train` makes on the way, `pictured(step)` follows pictures and `evaluated(line)` an evaluation;
`end(folder)` is given the run folder once `train` has evaluated the run at its end, scores and
pictures written. With several processes, only the first calls them."""


def fit(
    state: TrainState,
    config: TrainConfig,
    *,
    folder: Path | None = None,
    callbacks: Sequence[Callback] = (),
) -> list[dict[str, Any]]:
    """Train until `config.steps`, from the checkpoint in `folder` where there is one.

    With `config.patience` it may end before, see `Validation`; `state.step` tells.

    Args:
        state: From `make_state`; its objects are trained in place.
        config: Steps, precision, intervals and seed.
        folder: Run folder for log, timing and checkpoints; None keeps nothing.
        callbacks: Called with each new line of the log; see `Callback`.

    Returns:
        The log, as in `log.jsonl`.

    Raises:
        DivergedError: If the loss is not finite when it is logged, or held-out images are counted.
        InterruptedRunError: If Ctrl-C or SIGTERM asked for a stop; after a checkpoint in `folder`.
        ValueError: If the checkpoint is damaged, there are no images for a validation, or batches
            of a loader are to be kept in a `folder`.
    """
    keep_freed_memory()
    forward = make_forward(state, config)
    log = _resume(state, config, folder)
    validation = Validation(state, config, folder)
    _tell(callbacks, "begin", state, config)
    for module in state.modules().values():
        module.train()
    clock = _Clock(state.step, config.batch_size)
    with stop_on_signals() as stop, denormals_as_zero():
        while state.step < config.steps and not validation.is_over:
            row = _update(state, config, forward)
            if (line := validation.after(state)) is not None and state.ranks.first:
                _tell(callbacks, "validated", line)
            with clock.stopped():  # pictures and evaluations are no training
                _tell(callbacks, "updated", state)
            if row is not None:
                check_finite(row, config.seed)
                log.append(row)
                if state.ranks.first:
                    _record(folder, row, clock.timing(state.step), callbacks)
            # once: another may come at any moment
            number = largest(state.ranks, stop.signal_number)
            over = state.step == config.steps or validation.is_over
            best = validation.is_best(state.step)
            due = over or best or bool(number) or clock.checkpoint_due(state.step, config)
            if folder is not None and state.ranks.first and due:
                _save(folder, state)
            if best:
                validation.keep(state)
            if number and not over:
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
    prepare_update(state.optimizer, config, state.step)
    state.optimizer.step()
    if state.adversary is not None:
        _update_adversary(state, forward, output)
    state.kl_sum += terms["kl"].detach().sum()
    state.kl_count += 1
    state.step += 1
    if not logging:
        return None
    return log_row(state, output, terms, loss, weights) | logged_rate(config, state.step)


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
    state.resumable()  # or a ValueError, before anything is written
    first_does(state.ranks, lambda: has_checkpoint(folder / files.CHECKPOINT))
    if has_checkpoint(folder / files.CHECKPOINT):
        load_checkpoint(folder / files.CHECKPOINT, state, log_every=config.log_every)
    written = [files.LOG, files.TIMING]
    written += [files.VALIDATION] if (folder / files.VALIDATION).exists() else []
    for name in written if state.ranks.first else ():
        rows = [row for row in files.read_jsonl(folder / name) if row["step"] <= state.step]
        files.write_jsonl(folder / name, rows)
    return files.read_jsonl(folder / files.LOG)


def _tell(callbacks: Sequence[Callback], method: str, *args: object) -> None:
    """Call a method of the callbacks that have it."""
    for callback in callbacks:
        if (found := getattr(callback, method, None)) is not None:
            found(*args)


def _save(folder: Path, state: TrainState) -> None:
    """Write a checkpoint; logs first, since a resume cuts them back to it."""
    for name in (files.LOG, files.VALIDATION):
        files.flush(folder / name)
    save_checkpoint(folder / files.CHECKPOINT, state)


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
        self._begun = round(time.time(), 3)  # tells one start of a run from the next
        self._last_step = step

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """What is done here doesn't count for the speed; for the seconds it does."""
        begun = time.monotonic()
        yield
        self._last_time += time.monotonic() - begun

    def timing(self, step: int) -> dict[str, float | int]:
        now = time.monotonic()
        rate = (step - self._last_step) * self._batch_size / max(now - self._last_time, 1e-9)
        self._last_time, self._last_step = now, step
        seconds = round(now - self._begin, 3)
        speed = {"seconds": seconds, "images_per_second": round(rate, 1)}
        return {"step": step, "begun": self._begun, **speed}

    def checkpoint_due(self, step: int, config: TrainConfig) -> bool:
        overdue = time.monotonic() - self._saved > 60 * config.checkpoint_minutes
        if step % config.checkpoint_every and not overdue:
            return False
        self._saved = time.monotonic()
        return True
