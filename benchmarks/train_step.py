"""Images per second of training: our whole loop against a plain one and pythae's trainer.

    python benchmarks/train_step.py [--json] [--only networks growth loop threads late]

Every arm is a process of its own with the same network and images; rounds alternate between them,
so that a busy machine slows all, and the median of the rounds' ratios counts. pythae is installed
from PyPI into an environment of its own, which sees this one's torch. disent needs torchvision,
which does not load beside a CPU build of torch, and is left out.
"""

import argparse
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import venv
from contextlib import ExitStack
from datetime import date
from pathlib import Path

import torch

from autobeta.training.machine import quickest_precision

HERE = Path(__file__).parent
ROUNDS, STEPS, LATE = 7, 25, 5000
PEER = ["pythae==0.1.2", "pydantic", "pydantic-core", "annotated-types", "typing-inspection"]
FAST = quickest_precision(torch.device("cpu"))


def peer_python(folder):
    """Python of an environment with pythae in it and our packages beside; None if it fails."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = subprocess.run([python, "-c", ask], capture_output=True, text=True).stdout.strip()
    (Path(site) / "ours.pth").write_text(sysconfig.get_path("purelib") + "\n")
    install = [python, "-m", "pip", "install", "--quiet", "--no-deps", *PEER]
    failed = subprocess.run(install, capture_output=True).returncode
    return None if failed else str(python)


class Arm:
    """A process that trains when it is told to."""

    def __init__(self, name, *flags, python=sys.executable, threads=1, env=None, steps=STEPS):
        self.steps = steps
        own = {"OMP_NUM_THREADS": str(threads or os.cpu_count())} | (env or {})
        command = [python, str(HERE / "_arms.py"), "--arm", name, "--threads", str(threads)]
        self.process = subprocess.Popen(
            [*command, "--steps", str(steps), *map(str, flags)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=os.environ | own,
        )

    def wait(self):
        line = self.process.stdout.readline().split()
        if not line:
            raise RuntimeError(f"{self.process.args!r} ended before it was ready")
        self.process.send_signal(signal.SIGSTOP)  # its threads may spin while they have no work

    def start(self, steps=None):
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.write(f"{steps or self.steps}\n")
        self.process.stdin.flush()

    def rate(self):
        found = float(self.process.stdout.readline())
        self.process.send_signal(signal.SIGSTOP)
        return found

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.process.kill()
        self.process.wait()


def compare(arms, against="plain", rounds=ROUNDS, warm=0):
    """Median images per second of arms by name, and of their ratios to one of them.

    Before that they take `warm` steps, all at once.
    """
    with ExitStack() as stack:
        running = {name: stack.enter_context(make()) for name, make in arms.items()}
        for arm in running.values():
            arm.wait()
        for arm in running.values() if warm else ():
            arm.start(warm)
        for arm in running.values() if warm else ():
            arm.rate()
        rates = {name: [] for name in running}
        for _ in range(rounds):
            for name, arm in running.items():
                arm.start()
                rates[name].append(arm.rate())
    ratios = {
        name: round(statistics.median(map(float.__truediv__, found, rates[against])), 2)
        for name, found in rates.items()
    }
    found = {
        "images_per_second": {n: round(statistics.median(r)) for n, r in rates.items()},
        "ratios": ratios,
    }
    print(found, flush=True)
    return found


def networks(peer):
    """Both networks, one thread and all: the comparison that users feel."""
    found = {}
    for network in ("burgess", "conv64"):
        for threads in sorted({1, os.cpu_count()}):
            own = ("--network", network)
            arms = {
                "plain": lambda own=own, t=threads: Arm("plain", *own, threads=t),
                "ours float32": lambda own=own, t=threads: Arm("ours", *own, threads=t),
                f"ours {FAST}": lambda own=own, t=threads: Arm(
                    "ours", *own, "--precision", FAST, threads=t
                ),
                f"plain {FAST}": lambda own=own, t=threads: Arm(
                    "plain", *own, "--precision", FAST, threads=t
                ),
            }
            if peer:
                arms["pythae"] = lambda own=own, t=threads: Arm(
                    "pythae", *own, threads=t, python=peer
                )
            print(f"{network}, {threads} threads")
            found[f"{network}, {threads} threads"] = compare(arms)
    return found


def growth(peer):
    """Batch size, image size and channels, one thread, burgess."""
    cases = {f"batch {b}": ("--batch", b) for b in (16, 64, 256, 512)}
    cases |= {f"{s} pixels": ("--size", s) for s in (32, 128)} | {"3 channels": ("--channels", 3)}
    found = {}
    for case, own in cases.items():
        work = {"--batch": 64 / int(own[1]), "--size": (64 / int(own[1])) ** 2}.get(own[0], 1)
        steps = max(2, round(20 * work))
        arms = {
            "plain": lambda own=own, n=steps: Arm("plain", *own, steps=n),
            "ours float32": lambda own=own, n=steps: Arm("ours", *own, steps=n),
            f"ours {FAST}": lambda own=own, n=steps: Arm(
                "ours", *own, "--precision", FAST, steps=n
            ),
        }
        print(case)
        found[case] = compare(arms, rounds=3)
    return found


def loop(peer):
    """What the loop adds to the bare step; what --compile adds to both."""
    found = {}
    for precision in dict.fromkeys(("float32", FAST)):
        own = ("--precision", precision)
        arms = {
            "bare step": lambda own=own: Arm("bare", *own),
            "vae": lambda own=own: Arm("ours", *own),
            "dynamicvae": lambda own=own: Arm("ours", *own, "--method", "dynamicvae"),
            "vae, compiled": lambda own=own: Arm("ours", *own, "--compile"),
        }
        print(f"loop, {precision}")
        found[precision] = compare(arms, against="bare step", rounds=15)
    return found


def threads(peer):
    """Two runs of a thread each against one of two; and one beside a busy process."""
    found = {}
    for precision in dict.fromkeys(("float32", FAST)):
        own = ("--precision", precision)
        active = {"OMP_WAIT_POLICY": "ACTIVE"}
        with ExitStack() as stack:
            ones = [stack.enter_context(Arm("ours", *own)) for _ in range(2)]
            two = stack.enter_context(Arm("ours", *own, threads=2))
            spinning = stack.enter_context(Arm("ours", *own, threads=2, env=active))
            for arm in (*ones, two, spinning):
                arm.wait()
            rates = {}
            for _ in range(ROUNDS):
                for name, arms in {
                    "1 run of 1 thread": ones[:1],
                    "2 runs of 1 thread": ones,
                    "1 run of 2 threads": [two],
                    "1 run of 2 threads that spin": [spinning],
                }.items():
                    for arm in arms:
                        arm.start()
                    rates.setdefault(name, []).append(sum(arm.rate() for arm in arms))
            busy = stack.enter_context(Arm("ours", *own))
            busy.wait()
            busy.start(10**9)
            free = stack.enter_context(Arm("ours", *own, threads=0))
            free.wait()
            for _ in range(5):
                for name, arm in {
                    "1 thread": ones[0],
                    "as many threads as were free": free,
                    "2 threads": two,
                    "2 threads that spin": spinning,
                }.items():
                    arm.start()
                    rates.setdefault(f"{name}, beside a busy process", []).append(arm.rate())
        found[precision] = {n: round(statistics.median(r)) for n, r in rates.items()}
        print(f"threads, {precision}", found[precision], flush=True)
    return found


def late(peer):
    """The squares of `toy`, a thread: at the start, and after LATE steps, when units have died."""
    own = ("--data", "toy", "--size", 32)
    arms = {
        "plain": lambda: Arm("plain", *own),
        "ours float32": lambda: Arm("ours", *own),
    }
    cpu = torch.cpu.get_capabilities().get("cpu_name", platform.processor())
    return {"cpu": cpu, "step 0": compare(arms), f"step {LATE}": compare(arms, warm=LATE)}


PARTS = {"networks": networks, "growth": growth, "loop": loop, "threads": threads, "late": late}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    parser.add_argument("--only", nargs="*", choices=PARTS, default=[*PARTS])
    options = parser.parse_args()
    machine = {
        "date": date.today().isoformat(),
        "cpu": torch.cpu.get_capabilities().get("cpu_name", platform.processor()),
        "cores": os.cpu_count(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "quickest precision": FAST,
        "torch": torch.__version__.split("+")[0],
        "python": platform.python_version(),
    }
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        peer = peer_python(Path(folder)) if "networks" in options.only else None
        for part in options.only:
            found[part] = PARTS[part](peer)
    first = found.get("networks", {}).get("burgess, 1 threads", {})
    result = {
        "machine": machine,
        "images_per_second": first.get("images_per_second"),
        "ratios": first.get("ratios"),
        "parts": found,
    }
    path = HERE / "train_step.json"
    kept = json.loads(path.read_text()) if path.exists() else {"parts": {}}
    result["parts"] = kept["parts"] | found
    if first or not path.exists():
        kept |= {k: result[k] for k in ("machine", "images_per_second", "ratios")}
    path.write_text(json.dumps(kept | {"parts": result["parts"]}, indent=2) + "\n")
    if options.json:
        print(json.dumps(result))


if __name__ == "__main__":
    main()
