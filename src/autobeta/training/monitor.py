"""A line of the log from the device's numbers, and plain warnings about a run going wrong."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from autobeta.errors import DivergedError
from autobeta.models import VAEOutput
from autobeta.training.ranks import mean_terms
from autobeta.training.state import TrainState
from autobeta.types import Scalar, Terms

COLLAPSED_KL = 0.05
OFF_TARGET_NATS = 1.0
SPAN = 50  # steps that KL and its target are averaged over; few batches differ by a nat

Row = dict[str, Any]


def scalar_state(state: TrainState) -> dict[str, Tensor]:
    """Scalar buffers and parameters of objective and weighting, and the likelihood's sigma."""
    found = {"model.likelihood.log_sigma": state.model.likelihood.log_sigma.detach()}
    for name in ("objective", "weighting"):
        for key, tensor in state.modules()[name].state_dict().items():
            if tensor.numel() == 1:
                found[f"{name}.{key}"] = tensor.reshape(())
    return found


def log_row(
    state: TrainState, output: VAEOutput, terms: Terms, loss: Scalar, weights: Mapping[str, Tensor]
) -> Row:
    """One line of the log, after an update; the only place where training waits for the device.

    The mean KL since the last line is read and begun anew.
    """
    variance = torch.exp(2 * state.model.likelihood.log_sigma.detach())
    scalars = {
        "loss": loss.detach(),
        "variance": variance,
        "kl_sum": state.kl_sum,
        **{f"terms.{name}": term.detach().sum() for name, term in terms.items()},
        **{f"weights.{name}": weight.mean() for name, weight in weights.items()},
        **{f"state.{name}": tensor for name, tensor in scalar_state(state).items()},
    }
    # float64 keeps float32 exactly, and counters up to 2^53
    packed = torch.stack([s.double() for s in scalars.values()])
    own = {"kl": output.posterior.kl().detach().mean(dim=0)}
    per_latent = mean_terms(state.ranks, own)["kl"].tolist()
    values = dict(zip(scalars, packed.tolist(), strict=True))
    row = _row(state, values, per_latent)
    state.kl_sum.zero_()
    state.kl_count = 0
    return row


def _row(state: TrainState, values: dict[str, float], per_latent: list[float]) -> Row:
    def part(prefix: str) -> dict[str, float]:
        return {k.removeprefix(prefix): v for k, v in values.items() if k.startswith(prefix)}

    weights = part("weights.")
    # a loss without the reconstruction has no beta
    beta = weights["kl"] / weights["reconstruction"] if weights["reconstruction"] else None
    row: Row = {
        "step": state.step,
        "loss": values["loss"],
        "terms": part("terms."),
        "weights": weights,
        "beta": beta,
        "equivalent_beta": None if beta is None else beta * values["variance"],
        "kl_per_latent": per_latent,
        "state": {k: v if math.isfinite(v) else None for k, v in part("state.").items()},
        "kl_average": values["kl_sum"] / state.kl_count,
    }
    names = ("weighting.controller.target", "weighting.target")
    target = next((row["state"][name] for name in names if name in row["state"]), None)
    if target is None:
        return row
    return {**row, "target": target, "tracking_error": row["kl_average"] - target}


def check_finite(row: Row, seed: int) -> None:
    """Raise if a line of the log is not finite.

    Raises:
        DivergedError: With step, terms, weights and seed.
    """
    numbers = [row["loss"], *row["terms"].values(), *row["weights"].values()]
    if not all(math.isfinite(n) for n in numbers):
        raise DivergedError(
            f"`loss` must be finite; got {row['loss']} at step {row['step']} with terms "
            f"{row['terms']}, weights {row['weights']} and seed {seed}. Checkpoints are kept. "
            "Lower the learning rate, in another folder, or look for NaN in the images."
        )


class Watch:
    """Finds what a user should know about a run, once each until it mends.

    Args:
        grace: Steps at the start of a run during which nothing is reported.
        controller: The weighting's controller, for its bounds; None where there is none.
    """

    def __init__(self, grace: int, controller: object = None) -> None:
        self._grace = grace
        self._low = getattr(controller, "beta_min", -math.inf)
        self._high = getattr(controller, "beta_max", math.inf)
        self._open: set[str] = set()
        self._errors: list[tuple[int, float]] = []

    def findings(self, row: Row) -> Iterator[str]:
        """Sentences about conditions that have newly begun."""
        if (error := row.get("tracking_error")) is not None:
            near = [(step, was) for step, was in self._errors if step > row["step"] - SPAN]
            self._errors = [*near, (row["step"], error)]
        if row["step"] < self._grace:
            return
        for name, (holds, sentence) in self._conditions(row).items():
            if holds and name not in self._open:
                self._open.add(name)
                yield f"step {row['step']}: {sentence}"
            elif not holds:
                self._open.discard(name)

    def _conditions(self, row: Row) -> dict[str, tuple[bool, str]]:
        kl, beta, target = row["terms"]["kl"], row["beta"], row.get("target")
        low, high = self._low, self._high
        collapsed = kl < COLLAPSED_KL and not (target is not None and target < 1)
        conditions = {
            "collapse": (
                collapsed,
                f"the posterior has collapsed (KL {kl:.3f} nats): the latents carry nothing. "
                "Lower beta, or start it lower.",
            )
        }
        if target is None or beta is None:
            return conditions
        average = target + sum(was for _, was in self._errors) / len(self._errors)
        away = abs(average - target) > OFF_TARGET_NATS
        at_floor = beta <= low * 1.001 and average < target
        at_ceiling = beta >= high * 0.999 and average > target
        conditions["floor"] = (
            at_floor and away,
            f"beta sits at its lower bound, {beta:.3g}, so KL {average:.2f} can't rise to its "
            f"target {target:.2f}. Lower beta_min, or the target.",
        )
        conditions["ceiling"] = (
            at_ceiling and away,
            f"beta sits at its upper bound, {beta:.3g}, so KL {average:.2f} can't fall to its "
            f"target {target:.2f}. Raise beta_max.",
        )
        conditions["target"] = (
            away and not (at_floor or at_ceiling),
            f"KL {average:.2f} has left its target {target:.2f} by over {OFF_TARGET_NATS:g} nat. "
            "Longer runs, or a slower schedule, track better.",
        )
        return conditions
