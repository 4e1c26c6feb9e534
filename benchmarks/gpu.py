"""Images per second on one CUDA card, of 1 to 8 processes at once: `fit` and a plain loop.

python benchmarks/gpu.py --json
"""

import argparse
import datetime
import json
import multiprocessing
import os
import platform
import time

NUMBERS, BATCH, CHUNK, WARMUP = (1, 2, 4, 8), 64, 50, 3
ARMS = ("plain", "ours", "launched")
"""The plain loop; ours; ours with its kernels launched one by one, without CUDA graphs."""
CASES = [
    (network, method, precision, arm)
    for network, method in (("burgess", "vae"), ("conv64", "vae"), ("burgess", "dynamicvae"))
    for precision in ("float32", "bfloat16")
    for arm in ARMS
    if method == "vae" or arm != "plain"
]
ONE = [("burgess", method, "float32", arm) for method in ("factorvae", "lvae") for arm in ARMS[1:]]


def options(network, method, precision):
    return argparse.Namespace(
        network=network,
        method=method,
        precision=precision,
        device="cuda",
        batch=BATCH,
        size=64,
        channels=1,
        steps=CHUNK,
        compile=False,
    )


def chunks(rank, numbers, seconds, gate, report):
    """Each `next` is the end of CHUNK steps, measured by the first so many of the processes."""
    import torch

    for _ in range(WARMUP):
        yield
    for number in numbers:
        torch.cuda.synchronize()
        gate.wait()
        if rank < number:
            begin, done = time.perf_counter(), 0
            while time.perf_counter() - begin < seconds:
                yield
                torch.cuda.synchronize()
                done += CHUNK
            report(number, done * BATCH / (time.perf_counter() - begin))
    gate.wait()  # none begins with the next while others measure


def run(case, wanted):
    import _arms
    import torch

    from autobeta.training import loop

    network, method, precision, arm = case
    given = options(network, method, precision)
    torch.manual_seed(0)
    is_static = loop.is_static
    try:
        if arm == "plain":
            go = _arms.plain(given)
            while True:
                go(CHUNK)
                next(wanted)
        if arm == "launched":
            loop.is_static = lambda forward: False
        _arms.ours(given, wanted)
    except StopIteration:
        pass
    finally:
        loop.is_static = is_static


def work(rank, seconds, gate, queue):
    import torch

    torch.set_num_threads(1)
    torch.zeros(1, device="cuda")
    for case in CASES + ONE:
        numbers = NUMBERS if case in CASES else (1,)

        def report(number, rate, case=case):
            queue.put((" ".join(case), number, rate))

        run(case, chunks(rank, numbers, seconds, gate, report))
    queue.put(None)


def together(seconds):
    """The sum of the images per second of so many processes at once, by case and number."""
    context = multiprocessing.get_context("spawn")
    gate, queue = context.Barrier(max(NUMBERS)), context.Queue()
    processes = [
        context.Process(target=work, args=(rank, seconds, gate, queue))
        for rank in range(max(NUMBERS))
    ]
    for process in processes:
        process.start()
    found, ended = {}, 0
    while ended < len(processes):
        if (entry := queue.get(timeout=120)) is None:
            ended += 1
            continue
        case, number, rate = entry
        name = f"{case} x{number}"
        found[name] = found.get(name, 0) + rate
        print(name, round(rate), flush=True)
    for process in processes:
        process.join()
    return {name: round(rate) for name, rate in sorted(found.items())}


def main():
    import torch

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    parser.add_argument("--seconds", type=float, default=1.5, help="that each is measured")
    given = parser.parse_args()
    if not torch.cuda.is_available():
        print("There is no CUDA device here.")
        return
    machine = {
        "card": torch.cuda.get_device_name(),
        "cores": len(os.sched_getaffinity(0)),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "date": datetime.date.today().isoformat(),
    }
    settings = f"64 x 64 x 1, batch {BATCH}, {given.seconds} s each, one thread a process"
    rates = together(given.seconds)
    found = {"machine": machine, "settings": settings, "images_per_second": rates}
    if given.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
