"""Images per second on one CUDA card, of 1 to 8 processes at once: `fit` and a plain loop.

python benchmarks/gpu.py --json
"""

import argparse
import json
import multiprocessing
import platform
import time

import torch

STEPS, WARMUP, BATCH = 300, 50, 64


def plain(precision):
    """What users write: a DataLoader, contiguous float32 batches, Adam."""
    from torch.utils.data import DataLoader, TensorDataset

    from autobeta.data import load_data
    from autobeta.models import VAE, Bernoulli
    from autobeta.models.networks import conv64

    toy = load_data("toy")
    shape = toy.image_shape
    images = torch.from_numpy(toy.images(toy.splits["train"])).permute(0, 3, 1, 2).float() / 255
    loader = DataLoader(TensorDataset(images), BATCH, shuffle=True, drop_last=True, num_workers=0)
    model = VAE(conv64.encoder(shape, 10), conv64.decoder(shape, 10), Bernoulli()).cuda()
    model = model.to(memory_format=torch.contiguous_format)
    optimizer = torch.optim.Adam(model.parameters(), 5e-4)
    done, begin = 0, 0.0
    while done < WARMUP + STEPS:
        for (batch,) in loader:
            if done == WARMUP:
                torch.cuda.synchronize()
                begin = time.perf_counter()
            x = batch.cuda()
            with torch.autocast("cuda", torch.bfloat16, enabled=precision == "bfloat16"):
                output = model(x)
            kl = output.posterior.kl().sum(dim=1).mean()
            loss = output.likelihood.nll(output.outputs, x).mean() + kl
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            done += 1
            if done == WARMUP + STEPS:
                break
    torch.cuda.synchronize()
    return STEPS * BATCH / (time.perf_counter() - begin)


def ours(precision):
    """The real loop: data on the device, weighting, log."""
    from autobeta import RunConfig, TrainConfig
    from autobeta.run.build import build
    from autobeta.run.objects import Objects
    from autobeta.training import fit

    settings = TrainConfig(steps=WARMUP, batch_size=BATCH, device="cuda", precision=precision)
    state = build(RunConfig(method="dynamicvae", data="toy", train=settings), Objects()).state
    fit(state, settings)
    longer = TrainConfig(
        steps=WARMUP + STEPS, batch_size=BATCH, device="cuda", precision=precision
    )
    torch.cuda.synchronize()
    begin = time.perf_counter()
    fit(state, longer)
    torch.cuda.synchronize()
    return STEPS * BATCH / (time.perf_counter() - begin)


ARMS = {"plain": plain, "ours": ours}


def work(arm, precision, gate, queue):
    torch.set_num_threads(1)
    torch.zeros(1, device="cuda")
    gate.wait()
    queue.put(ARMS[arm](precision))


def together(arm, precision, number):
    """Sum of the images per second of so many processes that begin at once."""
    context = multiprocessing.get_context("spawn")
    gate, queue = context.Barrier(number), context.Queue()
    processes = [
        context.Process(target=work, args=(arm, precision, gate, queue)) for _ in range(number)
    ]
    for process in processes:
        process.start()
    rates = [queue.get() for _ in processes]
    for process in processes:
        process.join()
    return round(sum(rates))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    parser.parse_args()
    if not torch.cuda.is_available():
        print("There is no CUDA device here.")
        return
    rates = {}
    for precision in ("float32", "bfloat16"):
        for number in (1, 2, 4, 8):
            for arm in ARMS:
                rates[f"{arm} {precision} x{number}"] = together(arm, precision, number)
                print(f"{arm} {precision} x{number}", rates[f"{arm} {precision} x{number}"])
    machine = {
        "card": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
    print(json.dumps({"machine": machine, "images_per_second": rates}))


if __name__ == "__main__":
    main()
