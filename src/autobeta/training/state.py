"""TrainState: everything that a step of training reads and writes."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from autobeta.data import Batches
from autobeta.models import VAE
from autobeta.objectives import AbstractAdversarialObjective, AbstractObjective
from autobeta.settings import TrainConfig
from autobeta.training.held_out import HeldOut
from autobeta.training.ranks import ALONE, Ranks
from autobeta.training.rates import NETWORK
from autobeta.training.repeated import Repeated
from autobeta.training.seeding import random_states, restore_random_states
from autobeta.weighting import AbstractWeighting

ADAM_BETAS = (0.9, 0.999)


@dataclass
class TrainState:
    """The objects of a run and how far it has come.

    Args:
        model: The network.
        objective: Counts the terms.
        weighting: Turns them into the loss.
        optimizer: Adam over all parameters, the weighting's in a group of their own.
        batches: Where the images come from.
        step: Number of updates done.
        kl_sum: Sum of the KL over the steps since the last line of the log, nats.
        kl_count: Number of these steps.
        adversary: Optimiser of the objective's own network; None where there is none.
        ranks: The processes that train the run together.
        held_out: Images of validations; None where there are none.
    """

    model: VAE
    objective: AbstractObjective
    weighting: AbstractWeighting
    optimizer: torch.optim.Optimizer
    batches: Batches | Repeated
    step: int
    kl_sum: Tensor
    kl_count: int = 0
    adversary: torch.optim.Optimizer | None = None
    ranks: Ranks = ALONE
    held_out: HeldOut | None = None

    @property
    def device(self) -> torch.device:
        """Where the run is."""
        return self.kl_sum.device

    def modules(self) -> dict[str, nn.Module]:
        """The modules by the name that their tensors have in logs and checkpoints."""
        return {
            "model": self.model,
            "objective": self.objective,
            "weighting": self.weighting,
        }

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """The optimisers by the name that their tensors have in checkpoints."""
        found = {"optimizer": self.optimizer}
        return found if self.adversary is None else {**found, "adversary": self.adversary}

    def tensors(self) -> dict[str, Tensor]:
        """All tensors but the model's: a flat dictionary, as a checkpoint keeps them."""
        generator = self.resumable().state_dict()["generator"]
        flat = {"kl_sum": self.kl_sum, "batches.generator": generator}
        for name in ("objective", "weighting"):
            state = self.modules()[name].state_dict()
            flat |= {f"{name}.{key}": value for key, value in state.items()}
        for name, optimizer in self.optimizers().items():
            for i, entry in optimizer.state_dict()["state"].items():
                flat |= {f"{name}.{i}.{key}": value for key, value in entry.items()}
        return flat | random_states(self.device)

    def counts(self) -> dict[str, int]:
        """The counters, as a checkpoint keeps them beside the tensors."""
        position = self.resumable().state_dict()["position"]
        return {"step": self.step, "position": position, "kl_count": self.kl_count}

    def resumable(self) -> Batches:
        """The batches, whose place a checkpoint keeps; a ValueError for those of a loader."""
        if not isinstance(self.batches, Batches):
            raise ValueError(
                "`batches` must be Batches to keep a checkpoint; got those of a loader, whose "
                "place can't be kept. Leave `folder` out, or give Batches."
            )
        return self.batches

    def load_tensors(
        self, flat: dict[str, Tensor], counts: dict[str, int], log_every: int
    ) -> None:
        """Restore what `tensors` and `counts` gave."""
        self.step = counts["step"]
        # version 0.1 kept no count; its lines of the log stood at multiples of `log_every`
        self.kl_count = counts.get("kl_count", self.step % log_every)
        self.kl_sum.copy_(flat["kl_sum"])
        generator, position = flat["batches.generator"], counts["position"]
        self.resumable().load_state_dict({"generator": generator, "position": position})
        for name in ("objective", "weighting"):
            self.modules()[name].load_state_dict(_below(flat, f"{name}."))
        for name, optimizer in self.optimizers().items():
            _load_optimizer(optimizer, _below(flat, f"{name}."))
        restore_random_states(flat, self.device)


def _load_optimizer(optimizer: torch.optim.Optimizer, flat: dict[str, Tensor]) -> None:
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    entries: dict[int, dict[str, Tensor]] = {}
    for key, value in flat.items():
        i, name = key.split(".", 1)
        entries.setdefault(int(i), {})[name] = _laid_out_like(parameters[int(i)], value)
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": entries, "param_groups": groups})


def _laid_out_like(parameter: Tensor, value: Tensor) -> Tensor:
    """Copy into the parameter's memory format.

    Fused Adam walks parameter and moments in memory order, and files hold them row by row.
    """
    if value.shape != parameter.shape:
        return value
    return torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def _below(flat: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): t for key, t in flat.items() if key.startswith(prefix)}


def make_state(
    model: VAE,
    objective: AbstractObjective,
    weighting: AbstractWeighting,
    batches: Batches | Iterable[Any],
    config: TrainConfig,
    *,
    device: torch.device | str = "cpu",
    weighting_lr: float | None = None,
    weighting_betas: tuple[float, float] | None = None,
    ranks: Ranks = ALONE,
    held_out: HeldOut | None = None,
) -> TrainState:
    """Move the modules to the device and give them an optimiser.

    The objective's own parameters, but an adversary's, are trained like the network's. The
    weighting's have a group of their own, with `weighting_lr` and `weighting_betas` where these
    are not None. Of `batches` that are not `Batches`, such as a DataLoader, see `Repeated`.

    Source:
        Adam with betas (0.9, 0.999), as every method here publishes.
    """
    for module in (model, objective, weighting):
        module.to(device)
    weighting_lr = config.lr if weighting_lr is None else weighting_lr
    groups: list[tuple[nn.Module, float]] = [(model, config.lr), (weighting, weighting_lr)]
    adversary = None
    if isinstance(objective, AbstractAdversarialObjective):
        adversary = objective.adversary_optimizer()
    else:
        groups.append((objective, config.lr))
    seen: set[nn.Parameter] = set()  # an objective may hold the network's likelihood
    listed: list[dict[str, Any]] = []
    for part, lr in groups:
        own = [p for p in part.parameters() if p not in seen]
        seen.update(own)
        betas = weighting_betas if part is weighting else None
        group = {"params": own, "lr": lr, "betas": betas or ADAM_BETAS}
        listed += [{**group, NETWORK: part is not weighting}] if own else []
    optimizer = torch.optim.Adam(listed, lr=config.lr, fused=True)
    kl_sum = torch.zeros((), device=device)
    return TrainState(
        model,
        objective,
        weighting,
        optimizer,
        batches if isinstance(batches, Batches) else Repeated(batches, device),
        0,
        kl_sum,
        adversary=adversary,
        ranks=ranks,
        held_out=held_out,
    )
