"""The runs behind this folder's results: `python run.py --runs DIR`.

Each is one call of `autobeta train`. A run that was stopped is resumed, a finished one is skipped,
so the script can be started again at any time. Two processes with one thread each use a machine of
two cores best.
"""

import argparse
import fnmatch
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

COMMON = "--data dsprites --architecture burgess --precision bfloat16 --threads 1 --log-every 20"
QUICK = "--metrics mig"
FULL = "--metrics mig sap factorvae dci[rf]"

# L-VAE: form, unit of the reconstruction
FORMS = {"A-nats": ("log", "nats"), "B-nats": ("log1p", "nats"), "B-pixel": ("log1p", "pixel")}
# how the weights start and how fast they learn
STARTS = {
    "plain": "--method.start ones --method.warmup 0 --method.kl-floor 0 --method.weight-lr 1e-2",
    "measured": "--method.start fixed_point --method.warmup 500 --method.kl-floor 1 "
    "--method.weight-lr 1e-3",
    "slow": "--method.start ones --method.warmup 0 --method.kl-floor 1 --method.weight-lr 5e-4",
}
# judged best at 6,000 steps (see results.json)
BEST_ARMS = ("A-nats-slow", "B-nats-slow")
METHODS = ("vae", "betavae", "controlvae", "dynamicvae", "sigmavae")


def lvae(arm: str, seed: int, steps: int, metrics: str) -> str:
    """Arguments of one L-VAE run."""
    form, start = arm.rsplit("-", 1)
    regulariser, unit = FORMS[form]
    method = f"--method.regulariser {regulariser} --method.unit {unit} {STARTS[start]}"
    return f"lvae --steps {steps} --seed {seed} {method} {metrics} {COMMON}"


def plan() -> dict[str, str]:
    """Name of each run and the arguments of `autobeta train`, in the order of their use."""
    dynamic = f"dynamicvae --steps 20000 --seed 0 {FULL} {COMMON}"
    runs = {"dynamicvae-20k": dynamic}
    for seed in range(3):
        for start in STARTS:
            for form in FORMS:
                arm = f"{form}-{start}"
                runs[f"lvae-{arm}-s{seed}"] = lvae(arm, seed, 6000, QUICK)
    for method in METHODS:
        runs[f"{method}-10k"] = f"{method} --steps 10000 --seed 0 {FULL} {COMMON}"
    for arm in BEST_ARMS:
        runs[f"lvae-{arm}-20k"] = lvae(arm, 0, 20_000, FULL)
    runs["lvae-10k"] = lvae(BEST_ARMS[0], 0, 10_000, FULL)
    runs["vae-3k-float32"] = f"vae --steps 3000 --seed 0 {QUICK} {COMMON} --precision float32"
    # schedules without a hold, and the published controller, for comparison
    no_hold = f"{dynamic} --method.beta-hold 0"
    runs["dynamicvae-20k-nohold"] = f"{no_hold} --method.rising 0.9"
    runs["dynamicvae-20k-nohold-rising0.7"] = f"{no_hold} --method.rising 0.7"
    runs["dynamicvae-20k-published"] = f"{dynamic} --preset paper --method.schedule fitted"
    return runs


def train(folder: Path, arguments: str) -> int:
    """Train, or resume, one run; its messages go to a log beside its folder."""
    command = [sys.executable, "-m", "autobeta.cli", "train", *arguments.split()]
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.log").open("a") as log:
        done = subprocess.run([*command, "--out", str(folder)], stdout=log, stderr=log)
    print(f"{folder.name}: exit {done.returncode}", flush=True)
    return done.returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, required=True, help="folder for the run folders")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time")
    parser.add_argument("--only", nargs="*", default=["*"], help="patterns of names, in order")
    options = parser.parse_args()
    planned = plan()
    chosen = {n: planned[n] for p in options.only for n in planned if fnmatch.fnmatch(n, p)}
    with ThreadPoolExecutor(options.jobs) as pool:
        codes = pool.map(lambda item: train(options.runs / item[0], item[1]), chosen.items())
    return max(codes, default=0)


if __name__ == "__main__":
    raise SystemExit(main())
