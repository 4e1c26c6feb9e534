"""How long a study will take and how much disk, from short runs on this machine."""

import heapq
import itertools
import json
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from joblib import cpu_count

from autobeta.errors import InterruptedRunError
from autobeta.run import folder as files
from autobeta.settings import EvaluationConfig, RunConfig, identity
from autobeta.study.folder import Study, is_study, read_study
from autobeta.study.grid import PlannedRun, scaled

STEPS, LONGER = 30, 300
"""Updates of a short run, and of one whose settings need more (such as `cycles` of 40); of the
second half's, the median is taken."""
_EVERY = 3  # steps between two looks at the clock
_LINE = 1000.0  # bytes of a line of log and timings, where none can be looked at


class Estimate(NamedTuple):
    """What a study will take.

    Args:
        runs: Each run with its hours and megabytes.
        hours: From the first run's start to the last one's end.
        gigabytes: On disk, of all run folders.
        workers: Runs at a time.
        measured: How many short runs this rests on.
    """

    runs: list[tuple[PlannedRun, float, float]]
    hours: float
    gigabytes: float
    workers: int
    measured: int


class _Cost(NamedTuple):
    """Seconds of a step and of all else, start and evaluation; bytes of a log's line, all else."""

    step: float
    around: float
    line: float
    rest: float


def estimate(
    planned: Sequence[PlannedRun],
    evaluation: EvaluationConfig,
    *,
    workers: int | None = None,
    study: Path | None = None,
    told: Callable[[int, int, str], object] = lambda done, number, name: None,
) -> Estimate:
    """Measure each kind of run by a short one, and add up.

    A kind is what sets the speed: method and its choices, data, network, batch size, precision,
    device; not seed, steps or a method's numbers. The short runs are one after the other, on one
    thread, in a temporary folder that is removed.

    Args:
        planned: The study's runs.
        evaluation: How each is evaluated.
        workers: Runs at a time; as many as the machine has cores if None.
        study: The study's folder: where it has a finished run of a kind, that tells.
        told: Called before each short run, with how many are done, of how many, and its name.

    Raises:
        ValueError: If a run can't be begun, as when its data are not there.
        KeyboardInterrupt: If it is interrupted.
    """
    known = _known(study)
    kinds: dict[str, PlannedRun] = {}
    for run in planned:
        kinds.setdefault(_kind(run.config.to_json()), run)
    missing = _one_of_each_data_first([(k, run) for k, run in kinds.items() if k not in known])
    for done, (kind, run) in enumerate(missing):
        told(done, len(missing), run.name)
        known[kind] = _measured(run, evaluation)
    runs = [(run, *_sum(known[_kind(run.config.to_json())], run.config)) for run in planned]
    number = min(workers or cpu_count(), max(1, len(planned)))
    hours = _last_end([hours for _, hours, _ in runs], number)
    gigabytes = sum(megabytes for *_, megabytes in runs) / 1000
    return Estimate(runs, hours, gigabytes, number, len(missing))


def _kind(stored: Mapping[str, Any]) -> str:
    """What sets the speed of a run, of its settings as `config.json` has them."""
    left_out = {"train.seed", "train.steps", "train.lr"}
    kept = {
        key: value
        for key, value in identity(stored).items()
        if key not in left_out
        and (isinstance(value, str | bool) or not key.startswith("method_config."))
    }
    kept |= {"data.name": stored["data"]["name"], "device": stored["train"].get("device")}
    return json.dumps(kept, sort_keys=True)


def _one_of_each_data_first(runs: list[tuple[str, PlannedRun]]) -> list[tuple[str, PlannedRun]]:
    """So that data which are not there are found missing at once."""
    seen: dict[str, int] = {}
    places = []
    for _, run in runs:
        places.append(seen.get(run.config.data, 0))
        seen[run.config.data] = places[-1] + 1
    order = sorted(range(len(runs)), key=lambda i: (places[i] > 0, i))
    return [runs[i] for i in order]


def _measured(run: PlannedRun, evaluation: EvaluationConfig, steps: int = STEPS) -> _Cost:
    """The cost of runs of this kind, from a short one."""
    from autobeta.run.train import train

    short = scaled(run.config, steps / run.config.train.steps)
    threads = short.train.threads or 1
    # else it could end before anything is measured, or be evaluated in between
    whole = replace(short.train, patience=None, evaluate_every=None)
    whole = replace(whole, steps=steps, log_every=_EVERY, threads=threads)
    short = replace(short, train=whole)
    times: list[float] = []
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="autobeta-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the run itself will say it
        out = Path(folder) / run.name
        try:
            train(
                short,
                out,
                evaluation=replace(evaluation, jobs=evaluation.jobs or 1),
                callbacks=[lambda line, speed: times.append(time.perf_counter())],
            )
        except InterruptedRunError as stop:  # there is nothing to go on with
            interrupt = KeyboardInterrupt()
            interrupt.signal_number = stop.signal_number  # type: ignore[attr-defined]
            raise interrupt from None
        except (ValueError, RuntimeError, OSError) as error:
            if isinstance(error, ValueError) and steps < LONGER <= run.config.train.steps:
                return _measured(run, evaluation, LONGER)
            error.add_note(f"It was met in a short run of {run.name}.")
            raise
        end = time.perf_counter()
        looks = times[-1 - steps // 2 // _EVERY :]
        step = median(b - a for a, b in itertools.pairwise(looks)) / _EVERY
        return _Cost(step, max(0.0, end - begin - steps * step), *_bytes(out))


def _known(folder: Path | None) -> dict[str, _Cost]:
    """Costs by kind, of the runs that a study's folder has finished."""
    if folder is None or not is_study(folder):
        return {}
    study = read_study(folder)
    found = {}
    for name in study.runs:
        if study.is_done(name) and (cost := _of_finished(study, name)) is not None:
            found[_kind(study.runs[name])] = cost
    return found


def _of_finished(study: Study, name: str) -> _Cost | None:
    """The cost of a finished run; None if its files don't tell."""
    timing = files.log_lines(study.run(name) / files.TIMING)[0]
    speeds = sorted(line["images_per_second"] for line in timing)
    last = study.attempt(name)
    whole = last.get("seconds") if last.get("state") == "done" else None
    if not speeds or not speeds[len(speeds) // 2] or not isinstance(whole, int | float):
        return None
    step = study.runs[name]["train"]["batch_size"] / speeds[len(speeds) // 2]
    return _Cost(step, max(0.0, whole - timing[-1]["seconds"]), *_bytes(study.run(name)))


def _bytes(run: Path) -> tuple[float, float]:
    """Of a line of the log with that of its timings, and of all other files of a run."""
    sizes = {path: path.stat().st_size for path in run.rglob("*") if path.is_file()}
    logs = [path for path in (run / files.LOG, run / files.TIMING) if path in sizes]
    lines = len(logs[0].read_bytes().splitlines()) if logs else 0
    of_logs = sum(sizes[path] for path in logs)
    return of_logs / lines if lines else _LINE, float(sum(sizes.values()) - of_logs)


def _sum(cost: _Cost, config: RunConfig) -> tuple[float, float]:
    """Hours and megabytes of a run."""
    train = config.train
    on_the_way = (train.steps - 1) // train.evaluate_every if train.evaluate_every else 0
    seconds = cost.around * (1 + on_the_way) + cost.step * train.steps
    return seconds / 3600, (cost.rest + cost.line * (train.steps // train.log_every)) / 1e6


def _last_end(hours: Sequence[float], workers: int) -> float:
    """When the last run ends, each begun as soon as a worker is free."""
    free = [0.0] * workers
    for own in hours:
        heapq.heapreplace(free, free[0] + own)
    return max(free)
