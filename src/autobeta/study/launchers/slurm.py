"""Runs as jobs of SLURM, an array for each launch, through submitit.

The study's folder must lie on storage that all nodes see. Before a job's time is up, its run is
stopped with a checkpoint and the job queued again, as often as it takes. The jobs don't need
their launcher: it only tells how far they are, and when it is started again, those of its jobs
that are still queued are followed and not queued twice.
"""

import os
import shutil
import subprocess
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from autobeta.rules import Count, Index, Positive, Settings
from autobeta.run import folder as files
from autobeta.study.folder import Study, read_study
from autobeta.study.launchers import AGAIN, Told
from autobeta.study.launchers._follow import LOOK, Follower
from autobeta.study.launchers._process import Attempts, start
from autobeta.study.worker import STATUS, Outcome

FOLDER = "slurm"
"""Of the study's folder: what submitit writes, its jobs and their logs."""
JOBS = "jobs.json"
_LINGER = 300.0  # seconds that a job whose run was stopped waits to be queued again
_GONE = 10.0  # seconds that a file of another node may take to be seen


@dataclass(frozen=True, kw_only=True)
class SlurmOptions(Settings):
    """How runs are carried out by SLURM."""

    partition: str | None = None
    """Partition; SLURM's default if not given, as with the next three."""
    account: str | None = None
    """Account that is charged."""
    qos: str | None = None
    """Quality of service."""
    constraint: str | None = None
    """Features that a node must have."""
    time: Count = 24 * 60
    """Minutes of a job; a run that takes longer goes on in the same job, which is queued again."""
    memory: Positive = 4.0
    """GB of a job."""
    cpus: Count = 1
    """Cores of a job; it computes on one thread unless train.threads says more."""
    gpus: Index = 0
    """GPUs of a job."""
    notice: Count = 90
    """Seconds before its time is up at which a run is stopped."""
    requeues: Index = 1000
    """How often a job is queued again when its time is up."""
    wait: bool = True
    """Whether to stay until all jobs have ended."""
    cluster: Literal["slurm", "local"] = "slurm"
    """local has submitit start the jobs on this machine, to try it without SLURM."""


OPTIONS = SlurmOptions


class RunJob:
    """What a job does: it has a run carried out by a process of its own.

    Args:
        folder: The study's.
        name: The run's.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name
        self._process: subprocess.Popen[bytes] | None = None

    def __call__(self) -> int:
        """Carry out the run; the exit status of its worker."""
        self._process = start(read_study(self._folder), self._name)
        status = self._process.wait()
        if status == STATUS["stopped"]:
            # SIGTERM went to all processes of the job. If it was cancelled, it is killed soon; if
            # it had to make room, it is queued again, as long as it has not ended by itself.
            time.sleep(_LINGER)
        return status

    def checkpoint(self) -> Any:  # noqa: ANN401 - of submitit
        """Stop the run with its checkpoint; submitit calls it on SIGUSR2, then queues it again."""
        from submitit.helpers import DelayedSubmission

        if self._process is not None:
            self._process.terminate()
            with suppress(ChildProcessError):  # it has ended before
                # without reaping, since the call above is within `wait`
                os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        return DelayedSubmission(RunJob(self._folder, self._name))


def check(options: SlurmOptions) -> None:
    """Refuse to begin without submitit, or where there is no SLURM.

    Raises:
        ImportError: If submitit is not installed.
        RuntimeError: If there is no command sbatch, or its SLURM does not answer.
    """
    try:
        import submitit  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "The launcher slurm needs the library submitit, which is not installed. "
            "Run: pip install 'autobeta[slurm]'"
        ) from error
    if options.cluster == "slurm" and shutil.which("sbatch") is None:
        raise RuntimeError(
            "The launcher slurm needs the command sbatch, which is not here. Begin the study on a "
            "machine that submits jobs, or give --slurm.cluster local to try it without SLURM."
        )
    if options.cluster == "slurm" and _queue() is None:
        raise RuntimeError(
            "The launcher slurm needs a SLURM that answers; `squeue --me` fails here. Try that "
            "command, or give --slurm.cluster local to try it without SLURM."
        )


def launch(
    study: Path, names: Sequence[str], options: SlurmOptions, *, workers: int | None, told: Told
) -> None:
    """Carry out runs of a study by SLURM; see `autobeta.study.launchers`.

    Ctrl-C ends the launcher alone.
    """
    check(options)
    found = read_study(study.resolve())
    jobs = _Jobs(found, options, workers, told)
    left = deque(names)
    together = len(names) if options.cluster == "slurm" else workers or 1
    while left:
        jobs.submit([left.popleft() for _ in range(min(together, len(left)))])
        if not options.wait:
            continue
        try:
            busy = jobs.follow()
        except KeyboardInterrupt as stop:
            stop.add_note(jobs.advice())
            raise
        if busy and not left:
            time.sleep(AGAIN)
        left.extend(busy)


class _Jobs:
    """The jobs of a launch, by the names of their runs."""

    def __init__(
        self, study: Study, options: SlurmOptions, workers: int | None, told: Told
    ) -> None:
        self._study = study
        self._on_cluster = options.cluster == "slurm"
        self._told = told
        self._follower = Follower(study, told)
        self._attempts = Attempts(study, 0)
        self._executor = _executor(study, options, workers)
        self._file = study.folder / FOLDER / JOBS
        self._jobs: dict[str, Any] = {}
        self._gone: dict[str, float] = {}

    def submit(self, names: Sequence[str]) -> None:
        """Queue the runs that are not in the queue already."""
        from submitit.core.utils import UncompletedJobError

        known = files.read_json(self._file) if self._file.exists() else {}
        kept = self._still_queued(known, names)
        new = [name for name in names if name not in kept]
        for name in names:
            self._follower.expect(name)
        jobs = [RunJob(self._study.folder, name) for name in new]
        try:
            made = self._executor.submit_array(jobs) if jobs else []
        except UncompletedJobError as error:
            raise RuntimeError(
                f"SLURM must take the jobs; it says: {str(error).strip()}. Correct the options "
                "--slurm.*, or give fewer runs at once."
            ) from error
        self._jobs = kept | dict(zip(new, made, strict=True))
        ids = {name: job.job_id for name, job in self._jobs.items()}
        files.write_json(self._file, known | ids)

    def _still_queued(self, known: dict[str, str], names: Sequence[str]) -> dict[str, Any]:
        """Jobs of an earlier launch that wait or run."""
        import submitit

        before = {name: known[name] for name in names if name in known}
        queued = _queue() if before and self._on_cluster else None
        folder = self._study.folder / FOLDER
        return {n: submitit.SlurmJob(folder, i) for n, i in before.items() if i in (queued or ())}

    def follow(self) -> list[str]:
        """Wait until all jobs have ended; the runs that another process trains."""
        busy = []
        while self._jobs:
            time.sleep(LOOK)
            self._follower.look(self._jobs)
            queued = self._queued()
            for name in [*self._jobs]:
                if (outcome := self._outcome(name, queued)) is None:
                    continue
                del self._jobs[name]
                if outcome.state == "busy":
                    busy.append(name)
                else:
                    self._told(name, outcome.state, outcome.reason)
        return busy

    def advice(self) -> str:
        """How to look at the jobs and cancel them, after Ctrl-C."""
        if not self._on_cluster:
            return ""
        ids = sorted({job.job_id.partition("_")[0] for job in self._jobs.values()})
        return f"The jobs go on; see `squeue --me`, cancel them with `scancel {' '.join(ids)}`."

    def _queued(self) -> set[str] | None:
        if self._on_cluster:
            return _queue()
        return {job.job_id for job in self._jobs.values() if not job.done()}

    def _outcome(self, name: str, queued: set[str] | None) -> Outcome | None:
        """What became of a job; None as long as it waits or runs."""
        job = self._jobs[name]
        if not job.paths.result_pickle.exists():
            if queued is None or job.job_id in queued:
                self._gone.pop(name, None)
                return None
            first = self._gone.setdefault(name, time.monotonic())
            return None if time.monotonic() - first < _GONE else self._lost(name)
        if (error := job.exception()) is not None:
            lines = str(error).strip().splitlines()
            said = next((line for line in reversed(lines) if "Error: " in line), lines[0])
            return self._attempts.fail(name, f"its job failed: {said}")
        status = job.result()
        if status == STATUS["stopped"]:
            return Outcome("stopped")
        return self._attempts.outcome(name, status)

    def _lost(self, name: str) -> Outcome:
        """What became of a job that ended without a result: it was cancelled, or killed."""
        if self._study.is_done(name):
            return Outcome("done")
        if self._study.attempt(name).get("state") != "running":
            return Outcome("stopped", "its job was cancelled")
        path = self._jobs[name].paths.stderr
        return self._attempts.fail(name, f"its job was killed, or out of memory; see {path}")


def _executor(study: Study, options: SlurmOptions, workers: int | None) -> Any:  # noqa: ANN401
    import submitit

    executor = submitit.AutoExecutor(
        study.folder / FOLDER, cluster=options.cluster, slurm_max_num_timeout=options.requeues
    )
    executor.update_parameters(
        name="autobeta",
        timeout_min=options.time,
        mem_gb=options.memory,
        cpus_per_task=options.cpus,
        gpus_per_node=options.gpus or None,
        slurm_partition=options.partition,
        slurm_account=options.account,
        slurm_qos=options.qos,
        slurm_constraint=options.constraint,
        slurm_signal_delay_s=options.notice,
        slurm_array_parallelism=workers,
    )
    return executor


def _queue() -> set[str] | None:
    """Jobs of ours that wait or run; None if SLURM does not say."""
    command = ["squeue", "--me", "--noheader", "--array", "--format=%i"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return set(found.stdout.split())
