"""Carries out one run of a study, in a process of its own: `python -m autobeta.study.worker`."""

import ctypes
import os
import platform
import signal
import sys
import time
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

from autobeta.errors import BusyRunError, InterruptedRunError
from autobeta.study.folder import Study, read_study

State = Literal["done", "failed", "stopped", "busy"]
STATUS: dict[State, int] = {"done": 0, "failed": 1, "busy": 75, "stopped": 143}
"""Exit statuses of a worker; 75 is "try again later" of sysexits.h."""


class Outcome(NamedTuple):
    """How an attempt at a run ended; it is busy where another process trains the run."""

    state: State
    reason: str = ""


def carry_out(folder: Path, name: str) -> Outcome:
    """Train and evaluate one run of a study, from its checkpoint where there is one.

    What becomes of it is kept beside its folder.

    Args:
        folder: The study's.
        name: The run's.
    """
    study = read_study(folder)
    former = study.attempt(name)
    begin = time.time()
    facts = {"host": platform.node(), "pid": os.getpid(), "started": round(begin)}
    try:
        study.write_attempt(name, state="running", **facts, evaluations=_others(study, name))
        outcome = _train(study, name)
    except KeyboardInterrupt:
        outcome = Outcome("stopped", "stopped by a signal")
    except MemoryError as error:
        outcome = Outcome("failed", f"there was not enough memory: {error or 'out of memory'}")
    except Exception as error:
        traceback.print_exc()
        outcome = Outcome("failed", f"{type(error).__name__}: {error}")
    if outcome.state == "busy":  # the file is that of the process that trains
        if facts.items() <= study.attempt(name).items():
            study.write_attempt(name, **former)
    else:
        facts |= {"seconds": round(time.time() - begin, 1), "peak_memory": peak_memory()}
        ended = {"state": outcome.state, "reason": outcome.reason, **facts}
        evaluated = _others(study, name) + [study.asked] * (outcome.state == "done")
        study.write_attempt(name, **ended, evaluations=evaluated)
    return outcome


def _others(study: Study, name: str) -> list[dict[str, Any]]:
    """What other studies have had the run evaluated by."""
    return [found for found in study.evaluations(name) if found != study.asked]


def _train(study: Study, name: str) -> Outcome:
    from autobeta.rules import from_stored
    from autobeta.run.train import train
    from autobeta.settings import EvaluationConfig, RunConfig
    from autobeta.training.callbacks.progress import Progress

    config = RunConfig.from_json(study.runs[name])
    if config.train.threads is None:
        config = replace(config, train=replace(config.train, threads=1))
    evaluation = from_stored(EvaluationConfig, study.evaluation)
    try:
        train(
            config,
            study.run(name),
            evaluation=replace(evaluation, jobs=evaluation.jobs or 1),
            callbacks=[Progress(), *study.logger],
        )
    except InterruptedRunError as stop:
        _end_in_peace()
        return Outcome("stopped", str(stop))
    except BusyRunError as error:
        return Outcome("busy", str(error))
    return Outcome("done")


def peak_memory() -> int:
    """The most memory that this process has held, bytes; 0 where it can't be told."""
    try:
        import resource
    except ImportError:
        return 0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most


def stop_with(parent: int) -> None:
    """Have Linux stop this process, as SIGTERM does, when its parent is killed."""
    try:
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
    except (AttributeError, OSError, TypeError):
        return
    if os.getppid() != parent:
        raise KeyboardInterrupt


def _interrupt(number: int, frame: object) -> None:
    _end_in_peace()
    raise KeyboardInterrupt


def _end_in_peace() -> None:
    """Have a worker that stops already take no notice of another SIGTERM."""
    if signal.getsignal(signal.SIGTERM) is _interrupt:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def main() -> int:
    """Carry out the run that the command line names, for the process that it names."""
    folder, name, parent = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        stop_with(parent)
        return STATUS[carry_out(folder, name).state]
    except KeyboardInterrupt:
        return STATUS["stopped"]


if __name__ == "__main__":
    sys.exit(main())
