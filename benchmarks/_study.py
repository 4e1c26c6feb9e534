"""Synthetic studies of realistic size: one trained run's folder, copied with other settings."""

import json
import shutil
from pathlib import Path

import numpy as np

from autobeta.run import folder as files
from autobeta.settings import RunConfig
from autobeta.study.definition import define
from autobeta.study.folder import Study, claim_study
from autobeta.study.grid import plan

LINES, POINTS = 600, 10_000
METHODS = ("vae", "betavae", "controlvae", "dynamicvae")
SEEDS = 5


def make_study(folder: Path, trained: Path, num_runs: int, *, codes: bool = True) -> Study:
    """A study whose runs are copies of a trained one, with noise on their numbers.

    Half of them are controlled, so that all lines of their logs count.

    Each has a log of 600 lines and a representation of 10,000 images, where the trained one's
    are repeated; without `codes` it has none.
    """
    number = (num_runs // SEEDS - 2) // 2
    betas = [1 + 0.1 * i for i in range(number)]
    targets = [5 + 0.1 * i for i in range(number)]
    definition = define(
        {
            "title": "Synthetic",
            "methods": [*METHODS],
            "data": ["toy"],
            "seeds": f"0-{SEEDS - 1}",
            "train": {"steps": LINES * 50},
            "evaluation": {"num_points": POINTS},
            "method": {"betavae": {"beta": betas}, "dynamicvae": {"target": targets}},
        }
    )
    study = claim_study(folder, definition, plan(definition))
    rng = np.random.default_rng(0)
    log = _log(trained)
    for name, stored in study.runs.items():
        _copy(trained, study.run(name), RunConfig.from_json(stored), log, rng)
        if codes:
            _represent(trained, study.run(name), rng)
        study.write_attempt(name, state="done", reason="", evaluations=[study.asked])
    return study


def _log(trained: Path) -> list[dict]:
    rows = files.read_log(trained)
    return [rows[i % len(rows)] | {"step": 50 * (i + 1)} for i in range(LINES)]


def _copy(trained: Path, run: Path, config: RunConfig, log: list[dict], rng) -> None:
    run.mkdir(parents=True)
    shutil.copy(trained / files.ENVIRONMENT, run)
    for name in (files.TRAVERSALS, files.RECONSTRUCTIONS):
        (run / name).hardlink_to(trained / name)
    (run / files.MODEL).touch()
    stored = config.to_json()
    stored["data"] |= {"source": "rendered", "image_shape": [64, 64, 1], "num_train": 2304}
    files.write_json(run / files.CONFIG, stored)
    noise = rng.normal(1, 0.05, LINES)
    controlled = config.method in ("controlvae", "dynamicvae")
    target = {"target": 20.0} if controlled else {}
    lines = [
        r | {"kl_average": r["kl_average"] * n} | target for r, n in zip(log, noise, strict=True)
    ]
    files.write_jsonl(run / files.LOG, lines)
    timing = [
        {"step": r["step"], "seconds": 0.5 * i, "images_per_second": 6000.0}
        for i, r in enumerate(log)
    ]
    files.write_jsonl(run / files.TIMING, timing)
    metrics = json.loads((trained / files.METRICS).read_text())
    metrics |= {"step": LINES * 50, "num_points": POINTS, "seed": 0}
    for part in (metrics["metrics"], *metrics["evaluation"].values()):
        for key, value in part.items():
            shift = float(rng.normal(1, 0.1))
            part[key] = (
                {k: v * shift for k, v in value.items()}
                if isinstance(value, dict)
                else value * shift
            )
    files.write_json(run / files.METRICS, metrics)


def _represent(trained: Path, run: Path, rng) -> None:
    with np.load(trained / files.REPRESENTATION) as found:
        index = np.arange(POINTS) % len(found["index"])
        parts = {key: found[key][index] for key in ("codes", "logvars", "factors")}
    parts["codes"] = parts["codes"] + rng.normal(0, 0.5, parts["codes"].shape)
    parts["codes"] = parts["codes"].astype(np.float32)
    files.write_npz(run / files.REPRESENTATION, parts | {"index": np.arange(POINTS)})
