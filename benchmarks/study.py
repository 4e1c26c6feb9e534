"""What a study costs besides its training: carrying out its runs, reading them, its report.

    python benchmarks/study.py [--folder FOLDER]

The runs are copies of one that is trained on toy, with noise on their numbers and realistic sizes:
600 lines of log, codes of 10,000 images with 10 latents, traversals of 64 pixels. `rows` is timed
inside a process, median of three; the report is the whole command, start of Python included.
Beside the time stands that of the CPU, which other work on the machine moves less.

What carrying out adds is measured on short runs, one after the other, of `autobeta train` and of a
study in turn: the difference a run, as a share of a run of 5 minutes, and the launcher's own CPU.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import numpy as np
import torch
from _study import LINES, POINTS, make_study

from autobeta import EvaluationConfig, ModelConfig, RunConfig, TrainConfig, train
from autobeta.study.definition import define
from autobeta.study.folder import claim_study, read_study
from autobeta.study.grid import plan
from autobeta.study.launchers import local
from autobeta.study.table import rows

ROUNDS, PAIRS = 3, 7
SHORT = ["--steps", "100", "--architecture", "burgess", "--metrics", "mig", "--num-points", "1000"]
RUNS_ROWS, RUNS_REPORT = 1000, 200


def trained(folder):
    if not (folder / "metrics.json").exists():
        config = RunConfig(
            method="betavae",
            data="toy",
            model=ModelConfig(architecture="burgess"),
            train=TrainConfig(steps=120, log_every=2, threads=1),
        )
        train(config, folder, evaluation=EvaluationConfig(num_points=1000, jobs=1))
    return folder


def alone(folder, seed):
    command = [sys.executable, "-m", "autobeta", "train", "betavae", "--data", "toy", *SHORT]
    begin = time.perf_counter()
    done = [*command, "--seed", str(seed), "--threads", "1", "--jobs", "1", "--out", str(folder)]
    subprocess.run(
        done, check=True, capture_output=True, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    return time.perf_counter() - begin


def carried_out(folder, seed):
    document = {"methods": ["betavae"], "data": ["toy"], "seeds": [seed]}
    document |= {"train": {"steps": 100}, "model": {"architecture": "burgess"}}
    document["evaluation"] = {"metrics": ["mig"], "num_points": 1000}
    definition = define(document)
    begin, cpu = time.perf_counter(), time.process_time()
    study = claim_study(folder, definition, plan(definition))
    local.launch(
        folder, list(study.runs), local.LocalOptions(), workers=1, told=lambda *told: None
    )
    assert all(study.is_done(name) for name in study.runs)
    return time.perf_counter() - begin, time.process_time() - cpu


def carrying_out(folder):
    added, cpu, whole = [], 0.0, 0.0
    for seed in range(PAIRS):
        without = alone(folder / f"alone-{seed}", seed)
        within, used = carried_out(folder / f"within-{seed}", seed)
        added.append(within - without)
        cpu, whole = cpu + used, whole + within
    seconds = statistics.median(added)
    return {
        "runs": PAIRS,
        "added_seconds_a_run": round(seconds, 2),
        "share_of_5_minutes": round(seconds / 300, 4),
        "launcher_cpu_share": round(cpu / whole, 4),
    }


def collecting(folder, run):
    made = folder / f"study-{RUNS_ROWS}"
    study = read_study(made) if made.exists() else make_study(made, run, RUNS_ROWS, codes=False)
    found = []
    for _ in range(ROUNDS):
        begin, cpu = time.perf_counter(), time.process_time()
        table = rows(study)
        found.append((time.perf_counter() - begin, time.process_time() - cpu))
        assert len(table) == RUNS_ROWS
    seconds, cpu = (round(statistics.median(column), 2) for column in zip(*found, strict=True))
    return {"runs": RUNS_ROWS, "seconds": seconds, "cpu_seconds": cpu}


def reporting(folder, run):
    made, out = folder / f"study-{RUNS_REPORT}", folder / "report.html"
    if not made.exists():
        make_study(made, run, RUNS_REPORT)
    begin = time.perf_counter()
    command = [sys.executable, "-m", "autobeta", "report", str(made), "--out", str(out)]
    subprocess.run(command, check=True)
    seconds = time.perf_counter() - begin
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu, peak = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
    megabytes = out.stat().st_size / 1e6
    found = {"runs": RUNS_REPORT, "seconds": round(seconds, 1), "megabytes": round(megabytes, 2)}
    return found | {"cpu_seconds": round(cpu, 1), "peak_memory_mb": round(peak)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, help="keep what is made here")
    folder = parser.parse_args().folder or Path(tempfile.mkdtemp())
    run = trained(folder / "trained")
    about = {
        "date": date.today().isoformat(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": torch.__version__.split("+")[0],
        "machine": f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}",
        "threads": 1,
        "lines_of_log": LINES,
        "images": POINTS,
    }
    path = Path(__file__).with_suffix(".json")
    known = json.loads(path.read_text()) if path.exists() else {}
    results = known.get("results", {})
    results |= {"rows": collecting(folder, run), "report": reporting(folder, run)}
    results["carrying_out"] = carrying_out(folder)  # last: the report's CPU is that of all before
    path.write_text(json.dumps({"about": about, "results": results}, indent=2) + "\n")
    print(path.read_text())


if __name__ == "__main__":
    main()
