"""A run's worker process, as every launcher starts it, and what became of it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from autobeta.study.folder import Study
from autobeta.study.progress import last_step
from autobeta.study.worker import STATUS, Outcome

_THREADS = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


def start(study: Study, name: str, core: int | None = None) -> subprocess.Popen[bytes]:
    """Begin a run in a process of its own, on one thread.

    It has a session of its own, so that Ctrl-C is for the launcher alone. On Linux it stops with
    a checkpoint when the thread that called this ends, if only by SIGKILL.

    Args:
        study: Its study.
        name: The run's.
        core: The core that it is kept on; any if not given.
    """
    # -P: a file in the present folder, such as random.py, is not taken for a library
    command = [sys.executable, "-P", "-m", "autobeta.study.worker"]
    study.runs_folder.mkdir(parents=True, exist_ok=True)
    if study.log(name).is_symlink():  # it may lead to anything
        study.log(name).unlink()
    if study.log(name).exists() and not study.log(name).is_file():
        raise OSError(f"{study.log(name)} is no file")
    with study.log(name).open("ab") as log, _kept_from_worker():
        process = subprocess.Popen(
            [*command, str(study.folder.resolve()), name, str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=os.environ | _THREADS,
            start_new_session=True,
        )
    if core is not None:
        with suppress(OSError):  # it has ended already, or the core was taken away
            os.sched_setaffinity(process.pid, {core})
    return process


@contextmanager
def _kept_from_worker() -> Iterator[None]:
    """Block SIGUSR2, which SLURM sends to all processes of a job and would end the worker."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    former = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)


class Attempts:
    """What becomes of the attempts at runs; one whose process is killed is begun again.

    Args:
        study: Their study.
        retries: How often a run is begun again that was killed before it came a step further.
    """

    def __init__(self, study: Study, retries: int) -> None:
        self._study = study
        self._retries = retries
        self._kills: dict[str, int] = {}
        self._steps: dict[str, int] = {}

    def begin(self, name: str) -> None:
        """Remember how far a run is that begins now."""
        self._steps[name] = last_step(self._study.run(name))

    def outcome(self, name: str, status: int) -> Outcome | None:
        """How a worker ended, by its exit status; None if its run is to be begun again."""
        if status in (STATUS["done"], STATUS["busy"]):
            return Outcome("done" if status == STATUS["done"] else "busy")
        if status == STATUS["failed"]:
            reason = self._study.attempt(name).get("reason")
            return Outcome("failed", str(reason or f"see {self._study.log(name)}"))
        # killed, or stopped by somebody else than its launcher
        further = last_step(self._study.run(name)) > self._steps.get(name, 0)
        self._kills[name] = 1 if further else self._kills.get(name, 0) + 1
        if self._kills[name] <= self._retries:
            return None
        return self.fail(name, _reason(status, self._kills[name]))

    def fail(self, name: str, reason: str) -> Outcome:
        """Keep beside the run why it failed, for its own process can't."""
        kept = self._study.evaluations(name)
        self._study.write_attempt(name, state="failed", reason=reason, evaluations=kept)
        return Outcome("failed", reason)


def _reason(status: int, times: int) -> str:
    if status >= 0:
        return f"its process ended with status {status}, {times} times"
    known = {number.value: number.name for number in signal.Signals}
    reason = f"its process was killed by {known.get(-status, f'signal {-status}')}, {times} times"
    hint = "; the system does so when memory runs out" if status == -signal.SIGKILL else ""
    return reason + hint
