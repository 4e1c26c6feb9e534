"""Milliseconds of a training step on one CUDA card, by how its kernels are launched.

python benchmarks/launch.py --json
"""

import argparse
import datetime
import json
import platform
import time
import warnings

import torch

from autobeta import ModelConfig, RunConfig, TrainConfig
from autobeta.models import VAE
from autobeta.run.build import build
from autobeta.run.objects import Objects
from autobeta.training.forward import Forward
from autobeta.training.graphs import GraphedForward
from autobeta.training.loop import _update

BATCH, STEPS, ROUNDS, LATENTS = 64, 80, 3, 10


def with_networks(state, config, encoder, decoder):
    forward = Forward(state, config)
    forward.model = VAE(encoder, decoder, state.model.likelihood)
    return forward


def launched(state, config):
    """One by one."""
    return Forward(state, config)


def callables(state, config):
    """torch.cuda.make_graphed_callables of encoder and decoder."""

    class Narrow(torch.nn.Module):
        channels_last = True

        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def forward(self, x):
            narrow = config.precision == "bfloat16"
            with torch.autocast("cuda", torch.bfloat16, enabled=narrow, cache_enabled=False):
                return self.inner(x)

    z = torch.randn(BATCH, LATENTS, device="cuda", requires_grad=True)
    networks = (Narrow(state.model.encoder), Narrow(state.model.decoder))
    samples = ((next(state.batches),), (z,))
    return with_networks(state, config, *torch.cuda.make_graphed_callables(networks, samples))


def graphs(state, config):
    """All up to the terms: ours."""
    return GraphedForward(Forward(state, config))


def graphs_and_adam(state, config):
    """The optimiser's update as a graph too, of gradients that stay where they are."""
    forward = graphs(state, config)
    for _ in range(5):
        _update(state, config, forward)
    groups = state.optimizer.param_groups
    for group in groups:
        group["capturable"] = True
    forward.kept = [p.grad for group in groups for p in group["params"]]
    graph, step = torch.cuda.CUDAGraph(), state.optimizer.step
    with torch.cuda.graph(graph, stream=torch.cuda.Stream()):
        step()
    state.optimizer.step = graph.replay
    return forward


def compiled(mode=None):
    def make(state, config):
        torch._dynamo.reset()
        networks = (state.model.encoder, state.model.decoder)
        return with_networks(
            state, config, *(torch.compile(network, mode=mode) for network in networks)
        )

    return make


def graphs_of_compiled(state, config):
    """torch.compile, captured by ours."""
    return GraphedForward(compiled()(state, config))


ARMS = {
    "launched": launched,
    "callables": callables,
    "graphs": graphs,
    "graphs, Adam too": graphs_and_adam,
    "compile": compiled(),
    "compile, reduce-overhead": compiled("reduce-overhead"),
    "graphs of compiled": graphs_of_compiled,
}


def begun(network, method, precision):
    train = TrainConfig(
        steps=10**6, log_every=10**6, batch_size=BATCH, device="cuda", precision=precision
    )
    model = ModelConfig(architecture=network, num_latents=LATENTS)
    config = RunConfig(method=method, data="toy", model=model, train=train)
    torch.manual_seed(0)
    state = build(config, Objects()).state
    for module in state.modules().values():
        module.train()
    return state, train


def step_ms(state, config, forward):
    """Median over rounds."""
    found = []
    for _ in range(1 + ROUNDS):
        begin = time.perf_counter()
        for _ in range(STEPS):
            _update(state, config, forward)
        torch.cuda.synchronize()
        found.append((time.perf_counter() - begin) / STEPS * 1e3)
    return sorted(found[1:])[ROUNDS // 2]


def device_ms(forward):
    """Of the card alone: both graphs replayed over and over."""
    total = 0.0
    for graph in (forward._graphs[0].forward, forward._graphs[0].backward):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        for _ in range(STEPS):
            graph.replay()
        end.record()
        end.synchronize()
        total += begin.elapsed_time(end) / STEPS
    return total


def measured(arm, *case):
    state, config = begun(*case)
    try:
        forward = ARMS[arm](state, config)
        found = {"step": round(step_ms(state, config, forward), 2)}
        if isinstance(forward, GraphedForward) and not forward.refused:
            found["device"] = round(device_ms(forward), 2)
        return found
    except Exception as error:  # an arm that fails is a result
        return {"failed": f"{type(error).__name__}: {error}".splitlines()[0][:120]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    given = parser.parse_args()
    if not torch.cuda.is_available():
        print("There is no CUDA device here.")
        return
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    pairs = [(n, p) for n in ("burgess", "conv64") for p in ("float32", "bfloat16")]
    cases = [(arm, network, "vae", precision) for network, precision in pairs for arm in ARMS]
    others = ("dynamicvae", "factorvae", "lvae", "sigmavae", "betatcvae")
    cases += [(a, "burgess", m, "float32") for m in others for a in ("launched", "graphs")]
    found = {}
    for arm, *case in cases:
        found[name := f"{' '.join(case)}: {arm}"] = measured(arm, *case)
        print(name, found[name], flush=True)
    machine = {
        "card": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "date": datetime.date.today().isoformat(),
    }
    if given.json:
        print(json.dumps({"machine": machine, "batch": BATCH, "ms": found}))


if __name__ == "__main__":
    main()
