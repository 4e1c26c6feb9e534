import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from autobeta.weighting import (
    ControlledKL,
    IncrementalPI,
    LogPI,
    PositionalPI,
    SelfTuningPI,
    schedules,
)

pytestmark = pytest.mark.usefixtures("unchecked")

REFERENCE = Path(__file__).parents[1] / "reference"
ABOUT = json.loads((REFERENCE / "controller_traces.json").read_text())["traces"]
TRACES = np.load(REFERENCE / "controller_traces.npz")


def authors_controller(name):
    about = ABOUT[name]
    gains = {"kp": about["kp"], "ki": about["ki"], "antiwindup": "authors"}
    if about["kind"] == "control":
        return PositionalPI(**gains)
    return IncrementalPI(**gains, beta_initial=about["beta_initial"], window=about["window_T"])


def authors_target(name):
    about = ABOUT[name]
    if not about["c_period"]:
        return schedules.constant(about["c_start"])
    step = {"increment": about["c_step"], "period": about["c_period"]}
    if about["c_ramp"]:
        step["ramp"] = about["c_ramp"]
        return schedules.hybrid(about["c_start"], about["c_max"], **step)
    return schedules.staircase(about["c_start"], about["c_max"], **step)


@pytest.mark.parametrize("name", [*ABOUT])
def test_set_point_follows_the_authors(name):
    target = authors_target(name)
    known = TRACES[f"{name}.target"]
    ours = [target(t) for t in range(49, 50 * len(known), 50)]
    np.testing.assert_allclose(ours, known, rtol=1e-9)


@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float64, 1e-9), (torch.float32, 1e-3)])
@pytest.mark.parametrize("name", [*ABOUT])
def test_controller_follows_the_authors_trace(name, dtype, rtol):
    controller, target = authors_controller(name).to(dtype), authors_target(name)
    kls = TRACES[f"{name}.kl"] / 1e6
    betas = [controller.step(float(kl), target(t)).item() for t, kl in enumerate(kls)]
    np.testing.assert_allclose(betas, TRACES[f"{name}.beta"], rtol=rtol)


def test_conditional_antiwindup_departs_from_the_authors_trace():
    name = "dynamicvae_windup"  # KL falls below its target, then rises above it
    controller, target = authors_controller(name).double(), authors_target(name)
    controller.antiwindup = "conditional"
    kls = TRACES[f"{name}.kl"] / 1e6
    betas = [controller.step(float(kl), target(t)).item() for t, kl in enumerate(kls)]
    assert np.abs(np.array(betas) / TRACES[f"{name}.beta"] - 1).max() > 1e-2


@pytest.mark.whole
def test_conditional_antiwindup_leaves_the_floor_again():
    for controller in (IncrementalPI(beta_initial=1.0), PositionalPI(), LogPI(beta_initial=1.0)):
        for _ in range(3000):
            low = controller.step(5.0, 20.0)
        for _ in range(1000):
            high = controller.step(60.0, 20.0)
        assert low == pytest.approx(controller.beta_min)
        assert high > 2 * controller.beta_min


def test_authors_antiwindup_locks_at_the_floor():
    controller = IncrementalPI(beta_initial=1.0, antiwindup="authors")
    for kl in [5.0] * 3000 + [60.0] * 5000:
        beta = controller.step(kl, 20.0)
    assert beta.item() == pytest.approx(0.1)


PLAIN = [IncrementalPI, PositionalPI, LogPI]  # whose gains do not change
CONTROLLERS = [*PLAIN, SelfTuningPI]


@pytest.mark.parametrize("make", PLAIN)
@given(
    history=st.lists(st.floats(0, 100), max_size=30), kl=st.floats(0, 100), more=st.floats(0, 50)
)
def test_more_kl_never_lowers_beta(make, history, kl, more):
    a, b = make().double(), make().double()
    for past in history:
        a.step(past, 20.0), b.step(past, 20.0)
    assert b.step(kl + more, 20.0) >= a.step(kl, 20.0) - 1e-12


@pytest.mark.parametrize("make", CONTROLLERS)
@given(kls=st.lists(st.floats(0, 1e4), min_size=1, max_size=60), target=st.floats(0, 100))
def test_beta_stays_within_its_bounds(make, kls, target):
    controller = make(beta_max=60.0)
    for kl in kls:
        beta = controller.step(kl, target).item()
        assert controller.beta_min - 1e-6 <= beta <= 60.0 + 1e-3


@pytest.mark.parametrize("make", CONTROLLERS)
def test_state_dict_resumes_bit_for_bit(make):
    rng = np.random.default_rng(0)
    kls = rng.gamma(4.0, 4.0, 100).tolist()
    whole, first, second = make(), make(), make()
    betas = [whole.step(kl, 15.0).item() for kl in kls]
    for kl in kls[:50]:
        first.step(kl, 15.0)
    second.load_state_dict(first.state_dict())
    assert [second.step(kl, 15.0).item() for kl in kls[50:]] == betas[50:]


@pytest.mark.parametrize("make", CONTROLLERS)
def test_eval_moves_nothing(make):
    controller = make()
    controller.step(3.0, 5.0)
    before = {k: v.clone() for k, v in controller.state_dict().items()}
    controller.eval()
    assert controller.step(50.0, 9.0) == before["beta"]
    assert all(torch.equal(v, before[k]) for k, v in controller.state_dict().items())


@pytest.mark.parametrize("make", CONTROLLERS)
def test_state_stays_float32_under_bfloat16(make):
    controller = make()
    controller.step(3.217, 5.0)
    exact = controller.beta.item()
    controller.bfloat16()
    assert controller.beta.item() == exact
    assert all(b.dtype in (torch.float32, torch.int64) for b in controller.buffers())
    assert make().double().beta.dtype == torch.float64


@pytest.mark.parametrize("make", CONTROLLERS)
def test_step_takes_tensors_with_a_graph_and_returns_none(make):
    kl = torch.tensor(3.0, requires_grad=True)
    beta = make().step(kl * 2, torch.tensor(5.0))
    assert beta.shape == ()
    assert not beta.requires_grad


def test_log_controller_is_first_order_on_its_own_plant():
    """KL = 25 - b log beta with lag tau; kp / |ki| = tau gives no overshoot."""
    b, tau = 7.0, 50.0
    controller = LogPI(kp=0.1, ki=-0.002, beta_initial=1.0, window=1).double()
    kl, trace = 25.0, []
    controller.step(kl, 25.0)
    for _ in range(1500):
        beta = controller.step(kl, 15.0).item()
        kl += (25.0 - b * math.log(beta) - kl) / tau
        trace.append(kl)
    assert trace[-1] == pytest.approx(15.0, abs=0.05)
    assert min(trace) > 15.0 - 0.05 * 10.0
    settled = next(i for i, v in enumerate(trace) if v < 15.0 + 10.0 / math.e)
    assert settled == pytest.approx(1 / (b * 0.002), rel=0.3)  # the predicted time constant


def test_weighting_uses_the_same_step_s_kl_and_feeds_no_gradient_through_beta():
    weighting = ControlledKL(IncrementalPI(), schedules.constant(20.0))
    kl = torch.tensor(25.0, requires_grad=True)
    loss = weighting({"reconstruction": torch.tensor(100.0), "kl": kl}, step=0)
    loss.backward()
    assert kl.grad == pytest.approx(weighting.controller.beta.item())
    assert loss.item() == pytest.approx(100 + 25 * weighting.controller.beta.item())
    assert weighting.controller.target.item() == 20.0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: IncrementalPI(ki=0.1), "`ki` must be at most 0, and finite; got 0.1"),
        (lambda: PositionalPI(ki=0.1), "drives kl away from `target`"),
        (lambda: LogPI(ki=0.1), "`ki` must be at most 0"),
        (
            lambda: IncrementalPI(beta_initial=50.0, beta_max=10.0),
            r"`beta_initial` must be from `beta_min`, 0.1, to `beta_max`, 10; got 50\. Move it",
        ),
        (
            lambda: SelfTuningPI(beta_initial=0.01),
            r"`beta_initial` must be from `beta_min`, 0.1, to `beta_max`, 1000; got 0.01",
        ),
        (
            lambda: IncrementalPI(beta_min=2.0, beta_max=1.0),
            r"`beta_min` must be in \[0, `beta_max`\)",
        ),
        (
            lambda: PositionalPI(antiwindup="none"),
            "must be one of conditional, authors; got 'none'",
        ),
        (lambda: IncrementalPI(window=0), "`window` must be at least 1; got 0"),
        (lambda: LogPI(window=0), "`window` must be at least 1; got 0"),
        (lambda: LogPI(beta_min=0.0), "`beta_min` must be positive and finite; got 0"),
    ],
    ids=range(10),
)
def test_bad_setting_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
