"""A step from batch to loss reads no value on the host: on CUDA it would wait for the device."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from autobeta import ModelConfig, RunConfig, TrainConfig, registry
from autobeta.run.build import build
from autobeta.run.objects import Objects
from autobeta.training.loop import make_forward

pytestmark = pytest.mark.filterwarnings("ignore:.* in a run of")
WAITS = ("_local_scalar_dense", "nonzero", "masked_select", "is_nonzero", "equal", "lift_fresh")


class HostReads(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.found = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.name().removeprefix("aten::").partition(".")[0]
        tensors = args[1] if name == "index" else ()
        if name in WAITS or any(t is not None and t.dtype == torch.bool for t in tensors):
            self.found.append(name)
        return func(*args, **(kwargs or {}))


READS = {
    "item": lambda x: x.item(),
    "mask": lambda x: x[x > 0],
    "place": lambda x: torch.arange(3)[(2 * x).long()],
    "nonzero": lambda x: x.nonzero(),
    "branch": lambda x: x if x > 0 else -x,
    "constant": lambda x: torch.tensor(3.0) * x,
}


@pytest.mark.parametrize("read", READS)
def test_the_mode_sees_what_waits(read):
    x = torch.ones(())
    with HostReads() as reads:
        READS[read](x)
    assert reads.found


@pytest.mark.parametrize("method", registry.available("methods"))
def test_no_method_reads_a_value_between_batch_and_gradient(method):
    config = RunConfig(
        method=method,
        data="toy",
        model=ModelConfig(num_latents=4),
        train=TrainConfig(steps=100, batch_size=8, log_every=100, device="cpu"),
    )
    state = build(config, Objects()).state
    for module in state.modules().values():
        module.train()
    forward = make_forward(state, config.train)
    for step in range(3):
        x = next(state.batches)
        with HostReads() as reads:
            _, terms = forward(x)
            state.weighting(terms, step).backward()
        assert step == 0 or reads.found == []  # tables are made at the first batch
