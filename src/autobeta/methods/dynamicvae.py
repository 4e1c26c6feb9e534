"""DynamicVAE: an incremental PI controller drives beta so that KL follows a rising set point.

    loss = reconstruction + beta_t * kl
    e_t = C_t - mean of the last 5 KLs,   phi(e) = 1 / (1 + exp(e))
    w_t = w_(t-1) + kp (phi(e_t) - phi(e_(t-1))) + ki e_t,   beta_t = max(beta_min, w_t)

Published (`IncrementalPI` in `weighting/controllers.py`): beta from 50 down to at least 0.1, C
from 0.5 to 20 nats in rises of 0.15 nats, 1,000 of every 6,000 steps, over 780,000 steps.

Short runs: by default `SelfTuningPI` moves log beta, with gains from the network's own answer. The
set point has the published shape, fitted to the run's length. It is held while KL does not follow
or beta is below `beta_hold`, and then catches up at twice the mean slope of the
schedule. Reasons and measurements: `docs/dynamicvae.md`.

Deviations:
    The default controller and schedule are those for short runs; `controller="incremental"`,
    `schedule="paper"` and `antiwindup="authors"` give the published ones (`PRESETS["paper"]`).
"""

from dataclasses import dataclass, replace
from typing import Literal

from autobeta.methods._base import Facts, Recipe, quickest_rise, set_point
from autobeta.objectives import Elbo
from autobeta.rules import (
    IntegralGain,
    PositiveWeight,
    Rise,
    Settings,
    Share,
    Steps,
    Weight,
    Window,
)
from autobeta.weighting import AbstractController, ControlledKL, IncrementalPI, LogPI, SelfTuningPI

SOURCE = (
    "Shao et al., DynamicVAE, 2020, https://arxiv.org/abs/2009.06795; "
    "Rethinking Controllable Variational Autoencoders, CVPR 2022"
)
CITATION = """@inproceedings{shao2022rethinking,
  title = {Rethinking Controllable Variational Autoencoders},
  author = {Shao, Huajie and Yang, Yifei and Lin, Haohong and Lin, Longzhong and Chen, Yizhuo and
            Yang, Qinmin and Zhao, Han},
  booktitle = {IEEE/CVF Conference on Computer Vision and Pattern Recognition},
  pages = {19250--19259},
  year = {2022}
}"""
ADAPTS = "beta, controlled so that a mean KL follows a set point"

_SETTLE = 100  # steps, or a tenth of the run, before the set point rises
_BEHIND = 2.0  # rises that KL may be below the set point
_CATCH_UP = 2.0  # slopes of the schedule, after a hold

_PI = {"controller": "incremental", "schedule": "paper", "antiwindup": "authors", "lr": 1e-4}
# the authors take the whole squared error, ours is half of it: half of their beta and gains
_HALVED = {"beta_initial": 45.0, "beta_min": 0.05, "kp": 0.005, "ki": -0.0025, "window": 10}
_HALVED |= {"target_start": 0.1, "target": 25.0}
_BINARY = {**_PI, "likelihood": "bernoulli", "batch_size": 128}
PRESETS: dict[str, dict[str, object]] = {
    "paper": _BINARY,
    "paper-mnist": {**_BINARY, "beta_initial": 100.0},
    "paper-smallnorb": {**_PI, **_HALVED, "likelihood": "gaussian_logistic", "batch_size": 64},
}


@dataclass(frozen=True, kw_only=True)
class Config(Settings):
    """Settings of DynamicVAE; gains, bounds and targets are the paper's for dSprites."""

    controller: Literal["selftuning", "log", "incremental"] = "selftuning"
    """selftuning: SelfTuningPI, no gains to set; log: LogPI; incremental: as published."""
    kp: Weight = 0.01
    """Proportional gain of the published controller."""
    ki: IntegralGain = -0.005
    """Integral gain of the published controller, per nat and step."""
    antiwindup: Literal["conditional", "authors"] = "conditional"
    """When the published controller's integral is held; "authors" as published."""
    log_kp: Weight = 0.2
    """Proportional gain of LogPI, per nat."""
    log_ki: IntegralGain = -0.004
    """Integral gain of LogPI, per nat and step."""
    beta_initial: PositiveWeight = 50.0
    """First beta."""
    beta_min: PositiveWeight = 0.1
    """Lower bound of beta."""
    window: Window = 5
    """Batches in the moving average of the KL."""
    target_start: Weight = 0.5
    """First set point of the KL, nats."""
    target: Weight = 20.0
    """Last set point of the KL, nats."""
    schedule: Literal["fitted", "paper", "constant"] = "fitted"
    """How the set point rises: fitted to the run's length, as published, or not at all."""
    rising: Share = 0.3
    """Fraction of the run after which the fitted schedule reaches `target`; with the self-tuning
    controller 1,000 steps where that is longer, but at most 0.8."""
    beta_hold: Weight = 0.25
    """The fitted schedule's set point is held while beta is below this, or KL is behind by two
    rises; 0 follows the schedule in any case."""
    increment: Rise = 0.15
    """Rise of the published schedule, nats; the fitted one has as many rises."""
    period: Steps = 6000
    """Steps between two rises of the published schedule."""
    ramp: Steps = 1000
    """Steps that a rise of the published schedule takes."""


def make_controller(config: Config) -> AbstractController:
    """The controller that the settings ask for."""
    bounds = {"beta_initial": config.beta_initial, "beta_min": config.beta_min}
    if config.controller == "selftuning":
        highest = max(1000.0, 2 * config.beta_initial, 2 * config.beta_min)
        return SelfTuningPI(window=config.window, beta_max=highest, **bounds)
    if config.controller == "log":
        return LogPI(kp=config.log_kp, ki=config.log_ki, window=config.window, **bounds)
    gains = {"kp": config.kp, "ki": config.ki}
    return IncrementalPI(**gains, **bounds, window=config.window, antiwindup=config.antiwindup)


def build(config: Config, facts: Facts) -> Recipe:
    """Objects of DynamicVAE; a ValueError if its set point would wait for ever."""
    if config.schedule == "fitted" and config.beta_hold >= config.beta_initial:
        raise ValueError(
            f"`beta_hold` must be below `beta_initial`, {config.beta_initial:g}, since the set "
            f"point is held where beta is below it; got {config.beta_hold:g}. Lower it."
        )
    if config.controller == "selftuning":
        rising = max(config.rising, quickest_rise(facts.num_steps))
        config = replace(config, rising=rising)
    target = set_point(config, facts, ramp=config.ramp)
    slope = (config.target - config.target_start) / (config.rising * facts.num_steps)
    hold = config.beta_hold if config.schedule == "fitted" else 0.0
    catch_up = max(0.0, _CATCH_UP * slope)
    settle = min(_SETTLE, facts.num_steps // 10)
    controller = make_controller(config)
    behind = _BEHIND * config.increment
    weighting = ControlledKL(
        controller, target, hold=hold, behind=behind, catch_up=catch_up, settle=settle
    )
    return Recipe(objective=Elbo(), weighting=weighting)
