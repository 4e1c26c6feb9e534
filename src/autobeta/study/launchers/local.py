"""Runs as processes of this machine: one thread each, on a core of its own, as memory allows."""

import os
import subprocess
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from joblib import cpu_count

from autobeta.rules import Index, Positive, Settings
from autobeta.study.folder import Study, read_study
from autobeta.study.launchers import AGAIN, Told
from autobeta.study.launchers._process import Attempts, start
from autobeta.study.memory import GUESS, available_memory, resident_memory

_POLL = 0.2  # seconds between two looks at the workers


@dataclass(frozen=True, kw_only=True)
class LocalOptions(Settings):
    """How runs are carried out on this machine."""

    retries: Index = 2
    """How often a run is begun again whose process was killed before it came a step further."""
    memory: Positive | None = None
    """GB that a run is taken to need; as much as those alike have needed if not given."""


OPTIONS = LocalOptions


@dataclass
class _Worker:
    name: str
    core: int | None
    process: subprocess.Popen[bytes]
    need: int


@dataclass
class _Queue:
    """The runs that wait, those that are carried out, and when a busy one is tried again."""

    study: Study
    options: LocalOptions
    told: Told
    attempts: Attempts
    waiting: deque[str]
    cores: list[int | None]
    running: list[_Worker] = field(default_factory=list)
    later: dict[str, float] = field(default_factory=dict)


def check(options: LocalOptions) -> None:
    """Nothing is missing here."""
    del options


def launch(
    study: Path, names: Sequence[str], options: LocalOptions, *, workers: int | None, told: Told
) -> None:
    """Carry out runs of a study here; see `autobeta.study.launchers`."""
    found = read_study(study)
    attempts = Attempts(found, options.retries)
    cores = _cores(workers or cpu_count())
    queue = _Queue(found, options, told, attempts, deque(names), cores)
    try:
        while queue.waiting or queue.running or queue.later:
            _start_what_fits(queue)
            time.sleep(_POLL)
            _collect(queue)
    finally:
        _stop(queue)


def _cores(workers: int) -> list[int | None]:
    """A core for each worker where they take all cores; else None each, that is any.

    With fewer, the system chooses better: another launcher may be there, and two of our cores may
    be one in truth.
    """
    usable = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    return list(usable) if workers == len(usable) else [None] * workers


def _start_what_fits(queue: _Queue) -> None:
    now = time.monotonic()
    for name in [name for name, due in queue.later.items() if due <= now]:
        del queue.later[name]
        queue.waiting.append(name)
    while queue.waiting and queue.cores:
        need = _memory_of(queue, queue.waiting[0])
        if queue.running and not _fits(queue, need):
            return  # it waits until another has ended; alone it is tried in any case
        name, core = queue.waiting.popleft(), queue.cores.pop(0)
        queue.attempts.begin(name)
        try:
            process = start(queue.study, name, core)
        except OSError as error:  # as where its log can't be written
            queue.cores.append(core)
            failed = queue.attempts.fail(name, f"its process could not begin: {error}")
            queue.told(name, failed.state, failed.reason)
            continue
        queue.running.append(_Worker(name, core, process, need))
        queue.told(name, "running", "")


def _memory_of(queue: _Queue, name: str) -> int:
    """Bytes that a run is expected to need: as many as the largest alike, if one has ended."""
    if queue.options.memory is not None:
        return round(queue.options.memory * 2**30)
    alike = name.rsplit("-", 2)[0]
    others = [other for other in queue.study.runs if other.rsplit("-", 2)[0] == alike]
    known = [queue.study.attempt(other).get("peak_memory") for other in others]
    return max((most for most in known if isinstance(most, int)), default=GUESS)


def _fits(queue: _Queue, need: int) -> bool:
    free = available_memory()
    if free is None:
        return True
    promised = sum(max(0, w.need - resident_memory(w.process.pid)) for w in queue.running)
    return need <= free - promised


def _collect(queue: _Queue) -> None:
    for worker in [w for w in queue.running if w.process.poll() is not None]:
        queue.running.remove(worker)
        queue.cores.append(worker.core)
        outcome = queue.attempts.outcome(worker.name, worker.process.returncode)
        if outcome is None:
            queue.waiting.appendleft(worker.name)
        elif outcome.state == "busy":
            queue.later[worker.name] = time.monotonic() + AGAIN
        else:
            queue.told(worker.name, outcome.state, outcome.reason)


def _stop(queue: _Queue) -> None:
    """Have the workers write their checkpoints and end, and wait for it."""
    for worker in queue.running:
        worker.process.terminate()
    for worker in queue.running:
        worker.process.wait()
        queue.told(worker.name, "stopped", "")
