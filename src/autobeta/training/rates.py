"""How large an update of the network may be: its learning rate by step, its gradient's norm."""

import math

import torch

from autobeta.settings import TrainConfig

NETWORK = "network"
"""Mark of the optimiser's groups that these settings are for; learned weights have none."""


def lr_factor(config: TrainConfig, step: int) -> float:
    """Factor on `lr` of the update after `step` others; nothing else decides it.

    It rises evenly in the warm-up. Then, with p from 0 to 1 over the steps that are left and f for
    `lr_final`, it is 1 (constant), f + (1 - f) (1 + cos(pi p)) / 2 (cosine), 1 - (1 - f) p
    (linear), or 1, sqrt(f) from p = 1/2 on and f from p = 3/4 on (step).

    Example:
        >>> config = TrainConfig(steps=8, lr_schedule="linear", lr_final=0.5)
        >>> [lr_factor(config, step) for step in (0, 4)]
        [1.0, 0.75]
    """
    if step < config.lr_warmup:
        return (step + 1) / config.lr_warmup
    if config.lr_schedule == "constant":
        return 1.0
    p = (step - config.lr_warmup) / max(1, config.steps - config.lr_warmup)
    final = config.lr_final
    if config.lr_schedule == "cosine":
        return final + (1 - final) * (1 + math.cos(math.pi * p)) / 2
    if config.lr_schedule == "linear":
        return 1 - (1 - final) * p
    return 1.0 if p < 0.5 else math.sqrt(final) if p < 0.75 else final


def logged_rate(config: TrainConfig, step: int) -> dict[str, float]:
    """For the log, the learning rate of the last of `step` updates; nothing where it is fixed."""
    return {"lr": config.lr * lr_factor(config, step - 1)} if _is_scheduled(config) else {}


def prepare_update(optimizer: torch.optim.Optimizer, config: TrainConfig, step: int) -> None:
    """Clip the network's gradient and set its learning rate, without waiting for the device."""
    groups = [group for group in optimizer.param_groups if group.get(NETWORK)]
    if config.clip_grad is not None:
        parameters = [p for group in groups for p in group["params"]]
        torch.nn.utils.clip_grad_norm_(parameters, config.clip_grad)
    if _is_scheduled(config):
        for group in groups:
            group["lr"] = config.lr * lr_factor(config, step)


def _is_scheduled(config: TrainConfig) -> bool:
    return config.lr_schedule != "constant" or config.lr_warmup > 0
