"""Runs as processes of this machine: one thread each, on a core of its own, as memory allows."""

import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from joblib import cpu_count

from autobeta.rules import Index, Positive, Settings
from autobeta.study.folder import Study, read_study
from autobeta.study.memory import GUESS, available_memory, resident_memory
from autobeta.study.progress import last_step
from autobeta.study.worker import STATUS, Outcome

Told = Callable[[str, str, str], object]
"""Called with a run's name, its state, and the reason of a failure."""

_POLL = 0.2  # seconds between two looks at the workers
_AGAIN = 10.0  # seconds until a run that another process trains is tried again


@dataclass(frozen=True, kw_only=True)
class Options(Settings):
    """How runs are carried out on this machine."""

    retries: Index = 2
    """How often a run is begun again whose process was killed before it came a step further."""
    memory: Positive | None = None
    """GB that a run is taken to need; as much as those alike have needed if not given."""


@dataclass
class _Worker:
    name: str
    core: int | None
    process: subprocess.Popen[bytes]
    need: int
    step: int


@dataclass
class _Queue:
    """The runs that wait, those that are carried out, and what became of the others."""

    study: Study
    options: Options
    told: Told
    waiting: deque[str]
    cores: list[int | None]
    running: list[_Worker] = field(default_factory=list)
    kills: dict[str, int] = field(default_factory=dict)
    later: dict[str, float] = field(default_factory=dict)


def launch(
    study: Path, names: Sequence[str], options: Options, *, workers: int | None, told: Told
) -> None:
    """Carry out runs of a study here; see `autobeta.study.launchers`."""
    cores = _cores(workers or cpu_count())
    queue = _Queue(read_study(study), options, told, deque(names), cores)
    try:
        while queue.waiting or queue.running or queue.later:
            _start_what_fits(queue)
            time.sleep(_POLL)
            _collect(queue)
    finally:
        _stop(queue)


def _cores(workers: int) -> list[int | None]:
    """A core for each worker; None, that is any, where there are more workers than cores."""
    usable = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    return list(usable[:workers]) if workers <= len(usable) else [None] * workers


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
        step = last_step(queue.study.run(name))
        process = _process(queue.study, name, core)
        queue.running.append(_Worker(name, core, process, need, step))
        queue.told(name, "running", "")


def _process(study: Study, name: str, core: int | None) -> subprocess.Popen[bytes]:
    """The run's worker, with a session of its own: Ctrl-C is for the launcher alone."""
    command = [sys.executable, "-m", "autobeta.study.worker", str(study.folder.resolve()), name]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    study.runs_folder.mkdir(parents=True, exist_ok=True)
    with study.log(name).open("ab") as log:
        process = subprocess.Popen(
            [*command, str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=os.environ | threads,
            start_new_session=True,
        )
    if core is not None:
        with suppress(OSError):  # it has ended already, or the core was taken away
            os.sched_setaffinity(process.pid, {core})
    return process


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
        outcome = _outcome(queue, worker)
        if outcome is not None:
            queue.told(worker.name, outcome.state, outcome.reason)


def _outcome(queue: _Queue, worker: _Worker) -> Outcome | None:
    """What became of a worker that has ended; None if its run is tried again."""
    name, status = worker.name, worker.process.returncode
    if status == STATUS["busy"]:
        queue.later[name] = time.monotonic() + _AGAIN
        return None
    if status == STATUS["done"]:
        return Outcome("done")
    if status == STATUS["failed"]:
        reason = queue.study.attempt(name).get("reason")
        return Outcome("failed", str(reason or f"see {queue.study.log(name)}"))
    # killed, or stopped by somebody else than this launcher
    further = last_step(queue.study.run(name)) > worker.step
    queue.kills[name] = 1 if further else queue.kills.get(name, 0) + 1
    if queue.kills[name] <= queue.options.retries:
        queue.waiting.appendleft(name)
        return None
    reason = _reason(status, queue.kills[name])
    queue.study.write_attempt(name, state="failed", reason=reason)
    return Outcome("failed", reason)


def _reason(status: int, times: int) -> str:
    if status >= 0:
        return f"its process ended with status {status}, {times} times"
    reason = f"its process was killed by {signal.Signals(-status).name}, {times} times"
    hint = "; the system does so when memory runs out" if status == -signal.SIGKILL else ""
    return reason + hint


def _stop(queue: _Queue) -> None:
    """Have the workers write their checkpoints and end, and wait for it."""
    for worker in queue.running:
        worker.process.terminate()
    for worker in queue.running:
        worker.process.wait()
        queue.told(worker.name, "stopped", "")
