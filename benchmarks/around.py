"""What stands around the training: start, decoding, encoding, evaluation, metrics.

    python benchmarks/around.py [--json] [--only start decode encode evaluate metrics]
                                [--before COMMIT]

`metrics` times the default suite of this version against that of an earlier commit (--before), in
processes of their own that take turns, on one job and on as many as there are cores.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

HERE = Path(__file__).parent
FIRST_STEP = """
import sys, time, tempfile
from autobeta import EvaluationConfig, RunConfig, TrainConfig, train
class Stop(Exception): pass
def first(row, rate):
    print(time.time() - float(sys.argv[1]))
    raise Stop
settings = TrainConfig(steps=10, log_every=1, device="cpu")
try:
    train(RunConfig(data="dsprites", train=settings), tempfile.mkdtemp(), callbacks=[first])
except Stop:
    pass
"""
SUITE = """
import json, sys, time
import numpy as np
from autobeta.metrics import score
rng = np.random.default_rng(0)
sizes = np.array([3, 6, 40, 32, 32])
factors = rng.integers(sizes, size=(10_000, 5))
codes = (factors - (sizes - 1) / 2) / np.sqrt((sizes**2 - 1) / 12)
codes[:, 0] += 0.4 * codes[:, 3]
codes = np.hstack([codes, np.zeros((10_000, 5))]) + 0.3 * rng.standard_normal((10_000, 10))
logvars = np.full_like(codes, 2 * np.log(0.3))
print("ready", flush=True)
for line in sys.stdin:
    begin = time.perf_counter()
    found = score(codes, factors, logvars=logvars, n_jobs=int(line))
    print(json.dumps([time.perf_counter() - begin, found]), flush=True)
"""


def seconds(*command, env=None):
    begin = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ | (env or {}))
    return time.perf_counter() - begin


def median(function, times=5):
    return round(statistics.median(function() for _ in range(times)), 3)


def start(options):
    """Seconds from the start of a process, torch in the page cache."""
    python = sys.executable
    nothing = median(lambda: seconds(python, "-c", "pass"))

    def first_step():
        command = [python, "-c", FIRST_STEP, str(time.time())]
        return float(subprocess.run(command, capture_output=True, text=True).stdout)

    return {
        "python alone": nothing,
        "import autobeta": median(lambda: seconds(python, "-c", "import autobeta")),
        "autobeta --help": median(lambda: seconds(python, "-m", "autobeta", "--help")),
        "autobeta list": median(lambda: seconds(python, "-m", "autobeta", "list")),
        "train, until the first step": median(first_step, 3),
    }


def decode(options):
    """JPEGs of 178 x 218 pixels to 64 x 64, on one core and on all; the bare loop beside."""
    import numpy as np
    from PIL import Image

    from autobeta.data._core.pixels import decode, decoded, fit, quiet

    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{i}.jpg" for i in range(10_000)]
        for file in files:
            small = rng.integers(0, 256, (28, 23, 3), dtype=np.uint8)
            Image.fromarray(small).resize((178, 218), Image.Resampling.BICUBIC).save(file)

        def run(jobs):
            begin = time.perf_counter()
            with quiet():
                found = decoded(((f, f, None) for f in files), 64, 3, jobs=jobs)
                assert sum(1 for _ in found) == len(files)
            return time.perf_counter() - begin

        def bare():
            begin = time.perf_counter()
            for file in files:
                fit(decode(file), 64, 3)
            return time.perf_counter() - begin

        rounds = [(bare(), run(1), run(os.cpu_count())) for _ in range(3)]
    one, all_cores = (statistics.median(r[k] for r in rounds) for k in (1, 2))
    return {
        "a plain loop, s": round(statistics.median(r[0] for r in rounds), 2),
        "one core, s": round(one, 2),
        f"{os.cpu_count()} cores, s": round(all_cores, 2),
        "ratio": round(statistics.median(r[1] / r[2] for r in rounds), 2),
    }


def _trained(threads, steps=50):
    import torch

    import autobeta  # noqa: F401 - before torch
    from autobeta import EvaluationConfig, ModelConfig, RunConfig, TrainConfig, train

    torch.set_num_threads(threads)
    settings = TrainConfig(steps=steps, device="cpu", threads=threads)
    model = ModelConfig(architecture="burgess")
    few = EvaluationConfig(num_points=100, metrics=("mig",))
    config = RunConfig(method="vae", data="dsprites", model=model, train=settings)
    return train(config, tempfile.mkdtemp(), evaluation=few)


def encode(options):
    """All sprites through a trained encoder, beside the training step; and the memory it takes."""
    import numpy as np

    from autobeta.run import folder as files
    from autobeta.run.codes import encode_dataset

    run = _trained(1, steps=200)
    rates = [row["images_per_second"] for row in files.read_jsonl(run.folder / files.TIMING)]
    half = encode_dataset(run.model, run.dataset, np.arange(run.dataset.num_images // 2))
    at_half = _anonymous()
    begin = time.perf_counter()
    found = encode_dataset(run.model, run.dataset, np.arange(run.dataset.num_images))
    rate = len(found.codes) / (time.perf_counter() - begin)
    grown, kept = (
        _anonymous() - at_half,
        sum(a.nbytes for a in (found.codes, found.logvars, found.factors, found.index)) / 2**20,
    )
    assert len(half.codes) == run.dataset.num_images // 2
    return {
        "images": len(found.codes),
        "images per second, one thread": round(rate),
        "training step": round(statistics.median(rates)),
        "ratio": round(rate / statistics.median(rates), 2),
        "memory of the process from half to all of them, MB": round(grown),
        "codes and factors of all, MB": round(kept),
    }


def _anonymous():
    """Memory of this process that is no file's, MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) / 1024
    return float("nan")


def evaluate(options):
    """A finished run: codes, losses, pictures and default metrics at 10,000 points."""
    from autobeta import evaluate

    run = _trained(os.cpu_count())

    def again():
        begin = time.perf_counter()
        evaluate(run)
        return time.perf_counter() - begin

    return {"seconds": median(again, 3)}


def metrics(options):
    """The default suite, 10,000 points and 10 latents, now and at the commit before."""
    with tempfile.TemporaryDirectory() as folder:
        add = ["git", "-C", str(HERE.parent), "worktree", "add", "--detach"]
        subprocess.run([*add, folder, options.before], check=True, capture_output=True)
        places = {"before": Path(folder) / "src", "now": HERE.parent / "src"}
        processes = {
            name: subprocess.Popen(
                [sys.executable, "-W", "ignore", "-c", SUITE],
                env=os.environ | {"PYTHONPATH": str(place), "OMP_NUM_THREADS": "1"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for name, place in places.items()
        }
        try:
            for process in processes.values():
                process.stdout.readline()
            found = {}
            for jobs in sorted({1, os.cpu_count()}):
                for _ in range(3):
                    for name, process in processes.items():
                        process.stdin.write(f"{jobs}\n")
                        process.stdin.flush()
                        answer = json.loads(process.stdout.readline())
                        found.setdefault((name, jobs), []).append(answer)
        finally:
            for process in processes.values():
                process.kill()
            remove = ["git", "-C", str(HERE.parent), "worktree", "remove", "--force", folder]
            subprocess.run(remove, check=True, capture_output=True)
    result = {
        f"{name}, {jobs} jobs, s": round(statistics.median(a[0] for a in answers), 2)
        for (name, jobs), answers in found.items()
    }
    old, new = (_flat(found[name, 1][0][1]) for name in ("before", "now"))
    apart = {key: abs(old[key] - new[key]) for key in old.keys() & new.keys()}
    worst = max(apart, key=apart.get)
    return result | {"largest difference": apart[worst], "of": worst}


def _flat(scores):
    return {
        f"{name} {part}": number
        for name, value in scores.items()
        for part, number in (value.items() if isinstance(value, dict) else [("", value)])
    }


PARTS = {
    "start": start, "decode": decode, "encode": encode, "evaluate": evaluate, "metrics": metrics
}  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    parser.add_argument("--only", nargs="*", choices=PARTS, default=[*PARTS])
    parser.add_argument("--before", default="a0f68af", help="commit that metrics compare with")
    options = parser.parse_args()
    path = HERE / "around.json"
    kept = json.loads(path.read_text())["parts"] if path.exists() else {}
    for part in options.only:
        kept[part] = PARTS[part](options)
        print(part, kept[part], flush=True)
    import torch

    machine = {
        "date": date.today().isoformat(),
        "cpu": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "torch": torch.__version__.split("+")[0],
        "python": platform.python_version(),
    }
    result = {"machine": machine, "parts": kept}
    path.write_text(json.dumps(result, indent=2) + "\n")
    if options.json:
        print(json.dumps(result))


if __name__ == "__main__":
    main()
