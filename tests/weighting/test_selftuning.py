"""SelfTuningPI on simulated networks: it finds gain and lag, keeps a margin, and is safe."""

import math

import numpy as np
import pytest
import torch

from autobeta.control import Loop, gain_margin
from autobeta.weighting import ControlledKL, SelfTuningPI, schedules

pytestmark = pytest.mark.usefixtures("unchecked")


class Network:
    """KL of a network: capacity that it learns, less a gain sqrt(KL) with lag and dead time."""

    def __init__(self, scale, lag, *, dead=0, noise=0.3, learning=0.0, seed=0):
        self.scale, self.follow, self.noise = scale, 1 - math.exp(-1 / lag), noise
        self.rng, self.learning = np.random.default_rng(seed), learning
        self.waiting, self.seen, self.level = [0.0] * dead, 0.0, 12.0

    def kl(self):
        return max(0.0, self.level + self.noise * self.rng.standard_normal())

    def take(self, beta):
        self.waiting.append(math.log(beta))
        before, self.seen = self.seen, self.seen + self.follow * (self.waiting.pop(0) - self.seen)
        slope = self.scale * math.sqrt(max(self.level, 0.1))
        self.level = max(0.01, self.level - slope * (self.seen - before) + self.learning)


def controlled(network, num_steps, *, target=12.0, **options):
    controller = SelfTuningPI(beta_initial=1.0, beta_min=1e-3, **options).double()
    kls, betas = [], []
    for _ in range(num_steps):
        kls.append(network.kl())
        betas.append(float(controller.step(kls[-1], target)))
        network.take(betas[-1])
    return controller, np.array(kls), np.array(betas)


OTHERS = [
    pytest.param(1.4, 8.0, marks=pytest.mark.whole),
    pytest.param(0.7, 8.0, marks=pytest.mark.slow),
    pytest.param(1.4, 4.0, marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("scale", "lag"), [(0.7, 4.0), *OTHERS])
def test_gain_and_lag_are_found_and_the_loop_has_a_margin_of_three(scale, lag):
    network = Network(scale, lag, dead=3)
    controller, kls, _ = controlled(network, 3000)
    true = scale * math.sqrt(12.0)
    error = controller.plant_gain_error.item()
    assert abs(controller.plant_gain.item() - true) < 2.5 * error
    assert error < 0.35 * true
    assert lag / 1.6 < controller.plant_lag.item() < 1.6 * (lag + 3)
    kp, ki, window, logarithmic = controller.near_target()
    assert logarithmic
    assert gain_margin(Loop(gain=true, lag=lag + 3, kp=kp, ki=ki, window=window)) > 3
    assert abs(kls[1000:].mean() - 12.0) < 0.05


def test_gains_are_those_of_lambda_tuning():
    controller, *_ = controlled(Network(1.0, 8.0), 500)
    gain, lag = controller.plant_gain.item(), controller.plant_lag.item()
    settling = 1.5 * (lag + 3)
    assert controller.integral.item() == pytest.approx(1 / (gain * settling))
    assert controller.proportional.item() == pytest.approx((lag - 1) / (gain * settling))
    for lag in (4.1, 8.0, 16.0):  # 3 steps of it are dead time
        for window in (1, 5, 10):
            ki = 1 / (1.5 * (lag + (max(window, 5) + 1) / 2))
            loop = Loop(gain=1.0, lag=lag - 3, kp=(lag - 1) * ki, ki=ki, window=window, dead=3)
            assert gain_margin(loop) > 3


def test_noise_of_the_batches_bounds_the_gains():
    """Without the bound the noise would move log beta by noise / (b sqrt(2 T))."""
    controller, _, betas = controlled(Network(1.0, 8.0, noise=3.0), 2000)
    gain, noise = controller.plant_gain.item(), controller.noise.item()
    assert noise == pytest.approx(3.0, rel=0.15)
    assert controller.integral.item() == pytest.approx(2 * gain / (noise / 0.1) ** 2)
    assert np.log(betas[500:]).std() < 0.3


def test_a_kl_that_does_not_answer_leaves_the_prior_in_force():
    controller = SelfTuningPI(beta_initial=1.0).double()
    rng = np.random.default_rng(0)
    for _ in range(2000):
        controller.step(12.0 + 0.3 * rng.standard_normal(), 12.0)
    root = math.sqrt(12.0)
    assert 0.45 * root < controller.plant_gain.item() < 1.3 * root
    assert controller.plant_gain_error.item() > 0.05 * root
    small = SelfTuningPI()
    for _ in range(100):
        small.step(0.2, 0.5)  # too little KL to identify from
    assert small.plant_gain.item() == pytest.approx(math.sqrt(0.5))
    assert small.plant_gain_error.item() == pytest.approx(0.3 * math.sqrt(0.5))


@pytest.mark.whole
def test_the_dither_fades_when_the_plant_is_known():
    controller, _, betas = controlled(Network(1.0, 8.0, noise=0.02), 1500)
    own = math.log(betas[-1]) - controller.log_beta.item()
    assert abs(own) < 0.01  # a fifth of what it begins with
    assert controller.plant_gain_error < 0.2 * controller.plant_gain
    unknown, _, betas = controlled(Network(1.0, 8.0, noise=3.0), 500)
    assert abs(math.log(betas[-1]) - unknown.log_beta.item()) > 1e-3
    silent, _, betas = controlled(Network(1.0, 8.0, noise=3.0), 50, dither=0.0)
    assert math.log(betas[-1]) == pytest.approx(silent.log_beta.item())


def test_more_kl_never_lowers_beta_while_nothing_new_is_identified():
    for more in (0.1, 1.0, 20.0):
        a, b = SelfTuningPI(dither=0.0).double(), SelfTuningPI(dither=0.0).double()
        for past in (0.1, 3.0, 14.0, 9.0):
            a.step(past, 8.0), b.step(past, 8.0)
        assert b.step(8.0 + more, 8.0) >= a.step(8.0, 8.0)


def test_beta_falls_slowly_while_the_network_has_no_kl_to_give():
    controller = SelfTuningPI()
    betas = [controller.step(0.0, 0.5).item() for _ in range(200)]
    falls = -np.diff(np.log(betas))
    dither = 2 * 0.05
    assert falls.max() < 0.01 + dither
    assert math.log(50 / betas[-1]) == pytest.approx(0.01 * 200, abs=0.1)


@pytest.mark.whole
def test_a_rising_set_point_is_followed_as_closely_as_the_criterion_asks():
    target = schedules.fitted_hybrid(0.5, 20.0, num_steps=5000, rises=130, rising=0.3)
    weighting = ControlledKL(SelfTuningPI(), target, hold=0.25, catch_up=0.026)
    network = Network(1.0, 6.0, dead=3, learning=2e-3)
    network.level, network.seen = 0.3, math.log(50.0)
    network.waiting = [math.log(50.0)] * 3
    kls, targets = [], []
    for step in range(5000):
        kls.append(network.kl())
        weighting({"reconstruction": torch.tensor(1.0), "kl": torch.tensor(kls[-1])}, step)
        targets.append(weighting.controller.target.item())
        network.take(weighting.controller.beta.item())
    errors = np.array(kls) - np.array(targets)
    means = errors.reshape(-1, 20).mean(axis=1)[25:]
    assert (np.abs(means) < 0.5).mean() > 0.9
    assert max(kls) < 22.0
    assert abs(errors[-500:].mean()) < 0.25


def test_it_leaves_a_bound_at_once_after_a_long_time_there():
    controller = SelfTuningPI(beta_initial=1.0, beta_min=0.5, dither=0.0)
    for _ in range(1000):
        controller.step(5.0, 12.0)
    assert controller.beta.item() == pytest.approx(0.5)
    for _ in range(30):
        after = controller.step(20.0, 12.0).item()
    assert after > 1.0


@pytest.mark.whole
@pytest.mark.parametrize("window", [1, 5])
def test_noise_alone_raises_no_beta_and_leaves_no_bias(window):
    """With gains that move with the KL they act on, beta went from 5 to 37,345 here."""
    rng = np.random.default_rng(0)
    blind = SelfTuningPI(
        beta_initial=5.0, beta_min=1e-9, beta_max=1e9, window=window, dither=0.0
    ).double()
    for _ in range(400):
        blind.step(4 + 1.2 * rng.standard_normal(), 18.0)
    assert blind.beta.item() < 0.2
    network = Network(1.0, 5.0, dead=3, noise=0.6)
    network.level = 5.0
    _, kls, _ = controlled(network, 2500, target=5.0, window=window)
    assert kls[500:].mean() == pytest.approx(5.0, abs=0.15)


@pytest.mark.parametrize("outlier", [100.0, 5000.0, 1e6])
def test_one_odd_batch_is_over_in_a_hundred_steps(outlier):
    network = Network(1.0, 5.0, dead=3)
    controller, _, betas = controlled(network, 600)
    before = np.log(betas[300:]).mean()
    kls = []
    for step in range(300):
        kl = outlier if step == 0 else network.kl()
        network.take(float(controller.step(kl, 12.0)))
        kls.append(kl)
    assert np.mean(kls[100:]) == pytest.approx(12.0, abs=0.4)
    assert controller.log_beta.item() == pytest.approx(before, abs=0.4)


def test_a_jump_of_the_set_point_is_passed_on_as_the_square_root_says():
    controller = SelfTuningPI(beta_initial=100.0, dither=0.0).double()
    for _ in range(50):
        controller.step(5.0, 5.0)
    before = controller.log_beta.item()
    controller.step(5.0, 20.0)
    passed = 2 * (math.sqrt(20) - math.sqrt(5))
    assert before - controller.log_beta.item() == pytest.approx(passed + 0.01, rel=0.01)


def test_a_number_that_no_float32_holds_counts_as_not_finite():
    controller = SelfTuningPI()
    beta = controller.step(5.0, 5.0)
    assert controller.step(1e39, 5.0) == beta
    assert controller.step(5.0, 1e300) == beta


@pytest.mark.parametrize(("above", "passed"), [(0.0, 1.0), (0.3, 1.0), (0.45, 0.5), (0.7, 0.0)])
def test_a_rise_of_the_set_point_is_passed_on_to_a_kl_that_needs_it(above, passed):
    def moved(rise):
        controller = SelfTuningPI(beta_initial=1.0, dither=0.0).double()
        for _ in range(60):
            controller.step(10.0 + rise + above, 10.0)
        start = controller.log_beta.item()
        controller.step(10.0 + rise + above, 10.0 + rise)
        integral = controller.integral.item() * above
        gain = controller.plant_gain.item() / math.sqrt(10.0 + rise + above)
        whole = 2 * (math.sqrt(10.0 + rise) - math.sqrt(10.0)) / gain
        return (start + integral - controller.log_beta.item()) / whole

    assert moved(0.1) == pytest.approx(passed, abs=0.01)


STARTS = {"one odd batch": [1e4], "another": [1e3], "several": [345.0, 144.0, 59.0]}
STARTS["a KL that comes down"] = [5000 * 0.9**t for t in range(60)]


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
def test_a_large_kl_at_the_start_freezes_nothing(start):
    controller, rng, level = SelfTuningPI(), np.random.default_rng(0), 0.0
    for kl in start:
        controller.step(kl, 10.0)
    kls, beta = [], float(controller.beta)
    for _ in range(1200):
        level += (max(0.0, 25 - 4 * math.log(beta)) - level) / 10
        beta = float(controller.step(max(0.0, level + 0.7 * rng.standard_normal()), 10.0))
        kls.append(level)
    assert np.mean(kls[-200:]) == pytest.approx(10, abs=0.3)


def test_a_controller_that_was_made_without_memory_is_whole_once_its_state_is_loaded():
    state, whole = SelfTuningPI().state_dict(), SelfTuningPI()
    empty = SelfTuningPI().to("meta").to_empty(device="cpu")
    with torch.device("meta"):
        assigned = SelfTuningPI()
    empty.load_state_dict(state)
    assigned.load_state_dict(state, assign=True)
    for kl in (3.0, 5.0, 4.0):
        beta = whole.step(kl, 4.0)
        assert empty.step(kl, 4.0) == assigned.step(kl, 4.0) == beta


def test_a_state_of_before_the_constants_were_in_it_is_loaded():
    state = SelfTuningPI().state_dict()
    former = {name: value for name, value in state.items() if name not in SelfTuningPI.added}
    assert len(former) < len(state)
    SelfTuningPI().load_state_dict(former)
