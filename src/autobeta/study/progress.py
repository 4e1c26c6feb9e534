"""How far the runs of a study have come, read from their folders."""

import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from autobeta.run import folder as files
from autobeta.study.folder import Study

_TAIL = 4096  # bytes of a file of timings that hold its last line


class RunProgress(NamedTuple):
    """How far a run is.

    Args:
        name: Its name.
        state: done, running, failed, stopped (it goes on from its checkpoint) or waiting.
        step: The last step that was logged.
        steps: Steps that were asked for.
        speed: Images per second, as they were logged last; None before.
        seconds_left: Of a running one; None where it can't be told.
        reason: Of a failure.
    """

    name: str
    state: str
    step: int
    steps: int
    speed: float | None
    seconds_left: float | None
    reason: str


def progress(study: Study) -> list[RunProgress]:
    """How far each run of a study is, in the order of the study."""
    return [progress_of(study, name) for name in study.runs]


def progress_of(study: Study, name: str) -> RunProgress:
    """How far one run is."""
    train = study.runs[name]["train"]
    steps, batch = int(train["steps"]), int(train["batch_size"])
    last = _last_timing(study.run(name))
    step, speed = int(last.get("step", 0)), last.get("images_per_second")
    attempt = study.attempt(name)
    state = _state(study, name, attempt, step)
    left = (steps - step) * batch / speed if state == "running" and speed else None
    reason = str(attempt.get("reason") or "") if state == "failed" else ""
    return RunProgress(name, state, step, steps, speed, left, reason)


def _state(study: Study, name: str, attempt: Mapping[str, Any], step: int) -> str:
    if study.is_done(name):
        return "done"
    if files.is_locked(study.run(name)) or _is_beginning(attempt):
        return "running"
    if attempt.get("state") == "failed":
        return "failed"
    return "stopped" if step else "waiting"


def _is_beginning(attempt: Mapping[str, Any]) -> bool:
    """Whether a process of this machine has the run, but not its folder yet."""
    pid, here = attempt.get("pid"), attempt.get("host") == platform.node()
    if attempt.get("state") != "running" or not here or not isinstance(pid, int) or pid < 1:
        return False
    try:
        os.kill(pid, 0)
    except (OSError, OverflowError):
        return False
    return True


def last_step(run: Path) -> int:
    """The last step that a run has logged; 0 if none."""
    return int(_last_timing(run).get("step", 0))


def _last_timing(run: Path) -> dict[str, float]:
    """The last whole line of a run's timings; empty if there is none."""
    try:
        with (run / files.TIMING).open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _TAIL))
            lines = file.read().splitlines()
    except OSError:
        return {}
    for line in reversed(lines):
        try:
            found = json.loads(line)
            return {k: float(found[k]) for k in ("step", "images_per_second")}
        except (ValueError, KeyError, TypeError):
            continue
    return {}
