"""Data sets through prepare, train, evaluate and traverse: `python shown.py FILES RUNS [NAME]`.

FILES has a folder for each data set: what `make_files.py` wrote, and for celeba the user's own
files. The commands are printed as they are run; what came of them goes to `shown.json`.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from autobeta.run import folder as runs

HERE = Path(__file__).parent
STEPS = 300
# options of the data, and of the training
SETS = {
    "mpi3d": ("--variant real_complex", ""),
    "falcor3d": ("--unofficial", ""),
    "isaac3d": ("--unofficial", ""),
    "shapes3d": ("--unofficial", ""),
    "smallnorb": ("--unofficial", ""),
    "cars3d": ("--unofficial", ""),
    "chairs3d": ("--unofficial", ""),
    "celeba": ("--unofficial", "--batch-size 8 --metrics gaussian_total_correlation"),
}


def autobeta(arguments):
    print(f"autobeta {arguments}", flush=True)
    done = subprocess.run(
        [sys.executable, "-m", "autobeta", *arguments.split()],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return done.stdout.strip()


def show(name, files, folder):
    """Prepare, train, evaluate and traverse; a record of it."""
    of_data, of_training = SETS[name]
    train = f"--steps {STEPS} --seed 0 --threads 1 {of_training}"
    prepared = autobeta(f"data prepare {name} --from {files / name} {of_data}")
    autobeta(f"train dynamicvae --data {name} {of_data} {train} --out {folder}")
    metrics = of_training.partition("--metrics")[2]
    autobeta(f"evaluate {folder} --metrics {metrics or 'mig dci sap factorvae'}")
    autobeta(f"traverse {folder}")
    found = runs.read_json(folder / "metrics.json")
    return {
        "prepared": prepared.rsplit(", ", 1)[0],
        "steps": STEPS,
        "evaluation": found["evaluation"],
        "metrics": found["metrics"],
        "files": sorted(path.name for path in folder.iterdir() if path.is_file()),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", type=Path)
    parser.add_argument("runs", type=Path)
    parser.add_argument("names", nargs="*", default=list(SETS))
    arguments = parser.parse_args()
    path = HERE / "shown.json"
    found = json.loads(path.read_text("utf-8")) if path.exists() else {}
    for name in arguments.names:
        found[name] = show(name, arguments.files, arguments.runs / name)
        runs.write_json(path, found)


if __name__ == "__main__":
    main()
