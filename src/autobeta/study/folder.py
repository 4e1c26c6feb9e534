"""A study's folder: what was asked for, and how far each of its runs has come.

study.json      the definition, its scale, and the runs by name with their settings
runs/NAME/      a run folder for each; it may lie elsewhere and be shared by studies
runs/NAME.json  the last attempt at it: running, done, stopped or failed, and why
runs/NAME.log   what its process printed
"""

import json
import os
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from autobeta.rules import from_stored
from autobeta.run import folder as files
from autobeta.run.evaluated import has_all, lacks_evaluations
from autobeta.settings import EvaluationConfig, RunConfig, differences, upgraded
from autobeta.study.definition import Definition
from autobeta.study.grid import PlannedRun

STUDY = files.STUDY
FORMAT = 1
_ABOUT = ("title", "source", "preset", "changed", "scale")
_SHAPE = {
    "title": str,
    "source": str,
    "preset": str,
    "changed": str,
    "scale": float,
    "runs_folder": str,
}


class Study(NamedTuple):
    """A study as its folder has it.

    Args:
        folder: Its folder.
        runs_folder: Where its run folders lie.
        runs: Settings of each run by its name, as `config.json` has them.
        evaluation: How each run is evaluated.
        about: Title, source, preset, what the command line changed of it, and scale, where there
            are any.
        logger: Names of trackers.
    """

    folder: Path
    runs_folder: Path
    runs: dict[str, dict[str, Any]]
    evaluation: dict[str, Any]
    about: dict[str, Any]
    logger: list[str]

    @property
    def asked(self) -> dict[str, Any]:
        """The evaluation, apart from how it is carried out."""
        return {key: value for key, value in self.evaluation.items() if key != "jobs"}

    def run(self, name: str) -> Path:
        """A run's folder."""
        return self.runs_folder / name

    def log(self, name: str) -> Path:
        """What the run's process printed."""
        return self.runs_folder / f"{name}.log"

    def attempt(self, name: str) -> dict[str, Any]:
        """The last attempt at a run; empty where there was none, or its file is damaged."""
        try:
            found = files.read_json(self.runs_folder / f"{name}.json")
            files.check_shape(found, {"state": str, "reason": str, "evaluations": [{}]})
        except (OSError, ValueError):
            return {}
        if not all(isinstance(one, dict) for one in found.get("evaluations") or ()):
            return {}
        text = "".join(c if c.isprintable() else " " for c in str(found.get("reason") or ""))
        return found | ({"reason": text} if "reason" in found else {})

    def evaluations(self, name: str) -> list[dict[str, Any]]:
        """What the studies that share a run have had it evaluated by."""
        return [*(self.attempt(name).get("evaluations") or ())]

    def write_attempt(self, name: str, **facts: Any) -> None:  # noqa: ANN401 - JSON
        """Replace what is known of the last attempt."""
        files.write_json(self.runs_folder / f"{name}.json", facts)

    def is_done(self, name: str) -> bool:
        """Whether the run was trained and evaluated as this study asks.

        Its model and checkpoint may have been deleted since, to save room: nothing of a study
        reads them. A model that is lost beside its checkpoint is written again. What became of
        the last attempt does not count: it may be that of another study that shares the run.
        """
        run = self.run(name)
        lost = (run / files.CHECKPOINT).exists() and not (run / files.MODEL).exists()
        if self.asked not in self.evaluations(name) or lost:
            return False
        try:  # another study that shares the run may have evaluated it otherwise since
            found = files.read_metrics(run / files.METRICS)
            asked = from_stored(EvaluationConfig, self.evaluation)
            images = found.get("num_points") or 0
            if images < asked.num_points:  # as when the data have no more
                images = files.read_config(run)["data"]["num_train"]
            steps = self.runs[name]["train"]["steps"]
            if found.get("step") != steps:
                steps = files.stopped_at(run) or steps
            return bool(found) and has_all(found, asked, steps=steps, num_train=images)
        except (OSError, ValueError, KeyError, TypeError):
            return False


def is_study(folder: Path) -> bool:
    """Whether a folder holds a study."""
    return (folder / STUDY).is_file()


def read_study(folder: Path) -> Study:
    """Read a study's folder, with a warning where its runs are not where it says.

    Raises:
        FileNotFoundError: If it holds no study.
        ValueError: If what it holds is damaged, or of a later format.
    """
    found = _read(folder)
    if without := _without_runs(found):
        warnings.warn(without, stacklevel=2)
    return found


def _without_runs(study: Study) -> str:
    """What to say of a study whose runs were kept elsewhere, and are not there."""
    if study.runs_folder.exists() or study.runs_folder == _runs_at(study.folder, "runs"):
        return ""
    return (
        f"`{study.folder}` must have its runs in {study.runs_folder}, which is not there, as when "
        "one of the two was moved. Give the study again with --runs and their place."
    )


def _read(folder: Path) -> Study:
    path = folder / STUDY
    if not path.exists():
        raise FileNotFoundError(
            f"`{folder}` must be a study's folder; it has no {STUDY}. Make one with `autobeta "
            "study run`."
        )
    found = files.read_json(path)
    try:
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise ValueError(f"it must have format {FORMAT}")
        files.check_shape(found, _SHAPE | {"runs": {...: {}}, "evaluation": {}})
        if not isinstance(found["evaluation"], dict):
            raise ValueError("it must have an evaluation")
        runs = {name: dict(config) for name, config in found["runs"].items()}
        for name in runs:
            if name in ("", "..") or Path(name).name != name:
                raise ValueError(f"its runs must have names of folders; got {name!r}")
            _check_planned(name, runs[name])
        about: dict[str, Any] = {key: found[key] for key in _ABOUT if key in found}
        logger = [str(name) for name in found.get("logger", [])]
        runs_folder = _runs_at(folder, found["runs_folder"])
        return Study(folder, runs_folder, runs, found["evaluation"], about, logger)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(
            f"`{path}` must be a study; {error}. Restore it, or give the study again with another "
            "--out."
        ) from error


def _runs_at(folder: Path, place: Path | str) -> Path:
    """Where the runs lie, also for a process that knows the study's folder by another path."""
    return Path(os.path.normpath(folder.resolve() / place))


def _check_planned(name: str, config: dict[str, Any]) -> None:
    """Refuse a planned run that lacks what everybody reads of it."""
    files.check_shape(config, {"train": {"steps": int, "batch_size": int, "seed": int}})
    known = upgraded(config)["train"]
    for key in ("steps", "batch_size", "seed"):
        if known.get(key) is None:
            raise ValueError(f"its run {name} must have train.{key}")


def claim_study(
    folder: Path,
    definition: Definition,
    planned: Sequence[PlannedRun],
    *,
    runs_folder: Path | None = None,
    about: Mapping[str, Any] | None = None,
) -> Study:
    """Write a study into its folder; one that is there may grow, but none of its runs may go.

    Raises:
        ValueError: If the folder holds another study, or other files, or a run of it was made with
            other settings.
        FileNotFoundError: If its runs are not where it says.
    """
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"`out` must be a folder; got the file {folder}. Choose another name.")
    there = folder.resolve()
    place = Path(os.path.relpath(runs_folder.resolve(), there)) if runs_folder else Path("runs")
    runs = {run.name: _plain(run.config) for run in planned}
    if runs_folder is not None and (runs_folder / files.CONFIG).exists():
        raise ValueError(
            f"`runs` must be a folder for run folders; {runs_folder} is a run's own. Choose "
            "another."
        )
    if is_study(folder):
        found = _read(folder)
        if runs_folder is None and (without := _without_runs(found)):
            raise FileNotFoundError(without)
        missing = [name for name in found.runs if name not in runs]
        if missing:
            raise ValueError(
                f"`out` must hold this study, or a part of it; {folder} has {len(missing)} other "
                f"runs, such as {missing[0]}. Choose another folder; with --runs "
                f"{found.runs_folder} it shares the runs that both have."
            )
        place = place if runs_folder else Path(os.path.relpath(found.runs_folder, there))
    elif folder.exists() and (others := [p.name for p in folder.iterdir() if not _is_left(p)]):
        raise ValueError(
            f"`out` must be a new folder or a study's; got {folder}, which has other files, such "
            f"as {min(others)}. Choose another folder."
        )
    _refuse_changed(_runs_at(folder, place), runs)
    document = definition.document
    texts = {k: document[k] for k in ("title", "source") if isinstance(document.get(k), str)}
    study = {
        "format": FORMAT,
        **texts,
        **(about or {}),
        "runs_folder": str(place),
        "evaluation": _plain(definition.evaluation),
        "logger": definition.logger,
        "definition": document,
        "runs": runs,
    }
    files.write_json(folder / STUDY, study)
    _runs_at(folder, place).mkdir(parents=True, exist_ok=True)  # gone, it was moved
    _warn_of_lacking(_runs_at(folder, place), planned)
    return read_study(folder)


def _warn_of_lacking(runs_folder: Path, planned: Sequence[PlannedRun]) -> None:
    """Say which runs are finished and have no scores by step, which the study asks for now."""
    places = {runs_folder / run.name: run.config.train for run in planned}
    done = [place for place in places if (place / files.METRICS).exists()]
    if lacking := [place.name for place in done if lacks_evaluations(place, places[place])]:
        warnings.warn(
            f"`evaluate_every` changes nothing for {len(lacking)} runs that are finished and were "
            f"not evaluated on their way, such as {lacking[0]}. For scores by step train them in "
            "a new folder.",
            stacklevel=3,
        )


def _is_left(path: Path) -> bool:
    """Whether a killed writer of a study left this file."""
    return re.fullmatch(rf"{re.escape(STUDY)}\.\d+\.tmp", path.name) is not None


def _refuse_changed(runs_folder: Path, runs: Mapping[str, dict[str, Any]]) -> None:
    """Refuse runs that were begun with other settings, as when a default has changed since."""
    for name, planned in runs.items():
        if not (runs_folder / name / files.CONFIG).exists():
            continue
        differing = other_settings(runs_folder / name, planned)
        if differing:
            setting, (there, asked) = next(iter(differing.items()))
            raise ValueError(
                f"`{runs_folder / name}` must be this study's run; its {setting} is {there!r}, "
                f"and {asked!r} is asked for, as when a default has changed since. Go on with the "
                "version of autobeta that began it, or choose another folder for the runs."
            )


def other_settings(run: Path, planned: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Settings in which the run of a folder is another than was planned: as it is, and as planned.

    None where the folder has no run, or a damaged one, which is said when the run is begun.
    """
    try:
        found = differences(files.read_config(run), dict(planned))
    except (OSError, ValueError):
        return {}
    if planned["train"]["precision"] == "auto":  # the run has what the machine was quicker in
        found.pop("train.precision", None)
    return found


def _plain(settings: RunConfig | EvaluationConfig) -> dict[str, Any]:
    """Settings as JSON gives them back, so that both can be compared."""
    own = settings.to_json() if isinstance(settings, RunConfig) else asdict(settings)
    return json.loads(json.dumps(own))
