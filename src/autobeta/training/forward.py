"""A step up to its terms: network, likelihood and objective."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import nn

from autobeta.models import VAE, VAEOutput
from autobeta.objectives import AbstractAdversarialObjective
from autobeta.settings import TrainConfig
from autobeta.training.machine import quickest_precision
from autobeta.training.state import TrainState
from autobeta.types import Images, Scalar, Terms


class Forward(nn.Module):
    """From a batch to the model's output and the objective's terms.

    Under mixed precision the network alone is narrow; likelihood and terms are float32.
    """

    def __init__(self, state: TrainState, config: TrainConfig) -> None:
        super().__init__()
        compiled = config.compile and state.device.type != "cuda"  # there it is slower
        self.model = _compiled(state.model) if compiled else state.model
        self.objective = state.objective
        self._ranks, self._precision = state.ranks, config.precision

    def forward(self, x: Images) -> tuple[VAEOutput, Terms]:
        """Output and terms of one batch."""
        with narrow(self._precision, x.device):
            output = self.model(x, self._ranks.rank, self._ranks.size)
        return output, self.objective(x, output)

    def adversary_loss(self, output: VAEOutput) -> Scalar:
        """Loss of the objective's own network on the same batch."""
        assert isinstance(self.objective, AbstractAdversarialObjective)
        return self.objective.adversary_loss(output)


def narrow(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """Where networks compute in the precision of a run."""
    if precision == "auto":
        precision = quickest_precision(device)
    if precision == "float32":
        return nullcontext()
    return torch.autocast(device.type, torch.bfloat16)


def _compiled(model: VAE) -> VAE:
    """The same networks compiled; noise and likelihood are as ever."""
    parts: list[Any] = [torch.compile(part) for part in (model.encoder, model.decoder)]
    return VAE(parts[0], parts[1], model.likelihood)
