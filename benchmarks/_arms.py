"""What is compared: each arm is a function that prepares a training and returns `go(steps)`.

Run as a program, it is one arm in a process of its own: it says "ready" and its precision, and
then, for each number of steps on standard input, the images per second that it reached.
"""

import argparse
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

MODULES = {"burgess", "conv64"}
FEW = 20_000  # images of a data set


def images(options):
    """Binary pictures like those of dSprites, or a data set's: uint8 (n, size, size, channels)."""
    import numpy as np

    rng = np.random.default_rng(0)
    if options.data != "blocks":
        from autobeta import DataOptions
        from autobeta.data import load_data

        dataset = load_data(options.data, DataOptions(image_size=options.size))
        number = min(FEW, len(dataset))
        return dataset.images(np.sort(rng.choice(len(dataset), number, replace=False)))
    size, number = options.size, max(options.batch * options.steps, 1024)
    coarse = rng.random((number, size // 8, size // 8, options.channels)) > 0.9
    return np.kron(coarse, np.ones((1, 8, 8, 1))).astype(np.uint8) * 255


def plain_network(options):
    """The network as it is written down in papers: torch's own layers, contiguous, 10 latents."""
    from torch import nn

    size, channels = options.size, options.channels
    halvings = {32: 3, 64: 4, 128: 5}[size]
    widths = {"burgess": [32] * halvings, "conv64": [*[32] * (halvings - 2), 64, 64]}
    path = [channels, *widths[options.network]]
    down = [m for a, b in pairwise(path) for m in (nn.Conv2d(a, b, 4, 2, 1), nn.ReLU())]
    back = path[::-1]
    up = [m for a, b in pairwise(back) for m in (nn.ConvTranspose2d(a, b, 4, 2, 1), nn.ReLU())][
        :-1
    ]
    if options.network == "burgess":
        dense = [nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU()]
        head = [nn.Flatten(), *dense, nn.Linear(256, 20)]
        dense = [nn.Linear(10, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU()]
        stem = [*dense, nn.Linear(256, 512), nn.ReLU(), nn.Unflatten(1, (32, 4, 4))]
    else:
        head = [nn.Conv2d(64, 256, 4), nn.ReLU(), nn.Flatten(), nn.Linear(256, 20)]
        stem = [nn.Linear(10, 256), nn.Unflatten(1, (256, 1, 1)), nn.ReLU()]
        stem += [nn.ConvTranspose2d(256, 64, 4), nn.ReLU()]
    return nn.Sequential(*down, *head), nn.Sequential(*stem, *up)


def plain(options):
    """What users write: a DataLoader, torch's own layers, Adam."""
    import torch
    import torch.nn.functional as F
    from torch.utils.data import DataLoader, TensorDataset

    found = torch.from_numpy(images(options)).permute(0, 3, 1, 2).float().contiguous() / 255
    loader = DataLoader(TensorDataset(found), options.batch, shuffle=True, drop_last=True)
    encoder, decoder = (part.to(options.device) for part in plain_network(options))
    parameters = [*encoder.parameters(), *decoder.parameters()]
    optimizer = torch.optim.Adam(parameters, 5e-4)

    def endless():
        while True:
            yield from loader

    batches = endless()

    def go(steps):
        for _ in range(steps):
            x = next(batches)[0].to(options.device)
            with torch.autocast(
                options.device, torch.bfloat16, enabled=options.precision == "bfloat16"
            ):
                mean, logvar = encoder(x).float().chunk(2, dim=1)
                z = mean + torch.randn_like(mean) * torch.exp(0.5 * logvar)
                outputs = decoder(z).float()
            nats = F.binary_cross_entropy_with_logits(outputs, x, reduction="sum") / len(x)
            kl = 0.5 * (mean.square() + logvar.exp() - 1 - logvar).sum() / len(x)
            optimizer.zero_grad()
            (nats + kl).backward()
            optimizer.step()

    return go


def pythae(options):
    """pythae's trainer, an epoch of so many batches."""
    import logging
    import warnings

    warnings.simplefilter("ignore")
    import torch
    from pythae.models import VAE, VAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder
    from pythae.trainers import BaseTrainer, BaseTrainerConfig

    logging.disable(logging.INFO)
    inner, outer = plain_network(options)

    class Encoder(BaseEncoder):
        def __init__(self):
            super().__init__()
            self.layers = inner

        def forward(self, x):
            mean, logvar = self.layers(x).chunk(2, dim=1)
            return ModelOutput(embedding=mean, log_covariance=logvar)

    class Decoder(BaseDecoder):
        def __init__(self):
            super().__init__()
            self.layers = outer

        def forward(self, z):
            return ModelOutput(reconstruction=torch.sigmoid(self.layers(z)))

    shape = (options.channels, options.size, options.size)
    settings = VAEConfig(input_dim=shape, latent_dim=10, reconstruction_loss="bce")
    found = torch.from_numpy(images(options)).permute(0, 3, 1, 2).float().contiguous() / 255
    data = torch.utils.data.TensorDataset(found[: options.batch * options.steps])

    class Named(torch.utils.data.Dataset):
        def __len__(self):
            return len(data)

        def __getitem__(self, i):
            return {"data": data[i][0]}

    config = BaseTrainerConfig(
        output_dir=tempfile.mkdtemp(),
        per_device_train_batch_size=options.batch,
        learning_rate=5e-4,
        no_cuda=True,
    )
    trainer = BaseTrainer(VAE(settings, Encoder(), Decoder()), Named(), training_config=config)
    trainer.prepare_training()
    sys.stderr = Path("/dev/null").open("w")  # noqa: SIM115 - its bars

    def go(steps):
        if steps != options.steps:  # while it is warmed up
            return
        trainer.train_step(1)

    return go


def ours(options, wanted=None):
    """`fit` with its batches, weighting, log and checkpoints, as `autobeta train` runs it.

    It goes on and on; each line of its log takes the next of `wanted`.
    """
    from autobeta import DataOptions, ModelConfig, RunConfig, TrainConfig
    from autobeta.run.build import build
    from autobeta.run.objects import Objects
    from autobeta.training import fit

    settings = TrainConfig(
        steps=10**9,
        batch_size=options.batch,
        precision=options.precision,
        device=options.device,
        compile=options.compile,
        log_every=options.steps,
    )
    model = ModelConfig(architecture=options.network)
    data = DataOptions(image_size=options.size)
    config = RunConfig(method=options.method, data_options=data, model=model, train=settings)
    built = build(config, Objects(data=images(options)))
    options.precision = built.config.train.precision
    wanted = wanted or timed(options)
    next(wanted)
    fit(
        built.state,
        built.config.train,
        folder=Path(tempfile.mkdtemp()),
        callbacks=[lambda row, rate: next(wanted)],
    )


def timed(options):
    """Answers the lines of standard input: each `next` is the end of so many steps."""
    yield  # the first steps warm up
    print("ready", options.precision, flush=True)
    for line in sys.stdin:
        begin = time.perf_counter()
        for _ in range(max(1, int(line) // options.steps)):
            yield
        print(int(line) * options.batch / (time.perf_counter() - begin), flush=True)
    raise SystemExit


def bare(options):
    """The step of `ours` alone: one batch, no log, nothing but forward, backward and Adam."""
    import torch

    from autobeta import DataOptions, ModelConfig, RunConfig, TrainConfig
    from autobeta.run.build import build
    from autobeta.run.objects import Objects
    from autobeta.training.machine import keep_freed_memory

    keep_freed_memory()
    train = TrainConfig(
        steps=1, batch_size=options.batch, precision=options.precision, device="cpu"
    )
    model = ModelConfig(architecture=options.network)
    data = DataOptions(image_size=options.size)
    config = RunConfig(method="vae", data_options=data, model=model, train=train)
    built = build(config, Objects(data=images(options)))
    options.precision = built.config.train.precision
    state = built.state
    x = next(state.batches)

    def go(steps):
        for _ in range(steps):
            with torch.autocast("cpu", torch.bfloat16, enabled=options.precision == "bfloat16"):
                output = state.model(x)
            terms = state.objective(x, output)
            state.optimizer.zero_grad()
            (terms["reconstruction"] + terms["kl"]).backward()
            state.optimizer.step()

    return go


ARMS = {"ours": ours, "plain": plain, "pythae": pythae, "bare": bare}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--arm", choices=ARMS, required=True)
    parser.add_argument("--network", choices=sorted(MODULES), default="burgess")
    parser.add_argument("--method", default="vae")
    parser.add_argument("--data", default="blocks")
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--channels", type=int, default=1)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--compile", action="store_true")
    options = parser.parse_args()
    if options.arm in ("ours", "bare"):
        import autobeta  # noqa: F401 - before torch, as its users do
    import torch

    if options.threads == 0:
        from autobeta.training.machine import free_cores

        options.threads = free_cores()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    go = ARMS[options.arm](options)
    wanted = timed(options)
    next(wanted)
    go(3)
    while True:
        next(wanted)
        go(options.steps)


if __name__ == "__main__":
    main()
