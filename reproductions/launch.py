"""Carries out the runs of a study, each one call of `autobeta train`.

A run that was stopped is resumed, a finished one is skipped, so a study can be started again at
any time. Two processes with one thread each use a machine of two cores best.
"""

import argparse
import fnmatch
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path


def train(folder: Path, arguments: str) -> int:
    """Train, or resume, one run; its messages go to a log beside its folder."""
    command = [sys.executable, "-m", "autobeta", "train", *arguments.split()]
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.log").open("a") as log:
        done = subprocess.run([*command, "--out", str(folder)], stdout=log, stderr=log)
    print(f"{folder.name}: exit {done.returncode}", flush=True)
    return done.returncode


def launch(planned: Mapping[str, str], description: str | None) -> int:
    """Read the command line and carry out the runs that it names.

    Args:
        planned: Name of each run and the arguments of `autobeta train`, in the order of their use.
        description: Of the study, for `--help`.

    Returns:
        The largest exit status of the runs.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--runs", type=Path, required=True, help="folder for the run folders")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time")
    parser.add_argument("--only", nargs="*", default=["*"], help="patterns of names, in order")
    options = parser.parse_args()
    chosen = {n: planned[n] for p in options.only for n in planned if fnmatch.fnmatch(n, p)}
    with ThreadPoolExecutor(options.jobs) as pool:
        codes = pool.map(lambda item: train(options.runs / item[0], item[1]), chosen.items())
    return max(codes, default=0)
