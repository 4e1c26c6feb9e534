"""What controllers and weightings do with batches, shapes and types that should not come."""

import math
import pickle
import re

import numpy as np
import pytest
import torch
from autobeta_rateanneal import PacedKL
from hypothesis import given
from hypothesis import strategies as st

from autobeta.weighting import (
    CapacityKL,
    ControlledKL,
    IncrementalPI,
    LearnedWeights,
    LogPI,
    NaturalWeights,
    PositionalPI,
    ReconstructionConstraint,
    RelativeConstraint,
    ScheduledWeights,
    SelfTuningPI,
    SquaredCapacityKL,
    check_terms,
    effective_weights,
    fixed_point,
    schedules,
)

CONTROLLERS = [IncrementalPI, PositionalPI, LogPI, SelfTuningPI]
BAD = [math.nan, math.inf, -math.inf]
PLAN = schedules.constant(5.0)
WEIGHTINGS = {
    "controlled": lambda: ControlledKL(LogPI(), PLAN),
    "held": lambda: ControlledKL(IncrementalPI(), PLAN, hold=0.5, catch_up=0.1),
    "paced": lambda: PacedKL(LogPI(), schedules.constant(1.0), rate=0.1),
    "capacity": lambda: CapacityKL(10.0, PLAN),
    "constraint": lambda: ReconstructionConstraint(50.0),
    "learned": lambda: LearnedWeights({"reconstruction": 1, "kl": 1}, warmup=100),
    "natural": lambda: NaturalWeights(),
    "scheduled": lambda: ScheduledWeights({"kl": 4.0}),
}


def terms(reconstruction=100.0, kl=3.0):
    values = {"reconstruction": reconstruction, "kl": kl}
    return {name: torch.as_tensor(v).clone().requires_grad_() for name, v in values.items()}


def state(module):
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def same(module, before):
    return all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("make", CONTROLLERS)
def test_bad_batch_leaves_a_controller_as_it_was(make, bad):
    controller, untouched = make(), make()
    for kl in (3.0, 4.0):
        last = controller.step(kl, 5.0), untouched.step(kl, 5.0)
    before = state(controller)
    assert controller.step(bad, 5.0) == last[0]
    assert controller.step(torch.tensor(bad), 5.0) == last[0]
    assert controller.step(3.0, bad) == last[0]
    assert same(controller, before)
    assert controller.step(2.0, 5.0) == untouched.step(2.0, 5.0)


@pytest.mark.parametrize("make", CONTROLLERS)
@given(kls=st.lists(st.floats(width=32), max_size=8), target=st.floats(width=32))
def test_beta_is_finite_whatever_comes(make, kls, target):
    controller = make()
    for kl in kls:
        assert torch.isfinite(controller.step(kl, target))
    assert all(torch.isfinite(tensor).all() for tensor in controller.buffers())


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("name", WEIGHTINGS)
def test_bad_batch_leaves_a_weighting_as_it_was(name, bad):
    weighting = WEIGHTINGS[name]()
    for step in (60, 61):
        weighting(terms(), step)
    before = state(weighting)
    loss = weighting(terms(bad, bad), 62)
    assert not torch.isfinite(loss)  # the loop is to see that its batch is bad
    assert same(weighting, before)
    assert torch.isfinite(weighting(terms(), 63))


ONE = [3, 3.0, np.float32(3), np.array([3.0]), torch.tensor(3.0), torch.tensor([[3.0]])]


@pytest.mark.parametrize("make", CONTROLLERS)
def test_one_number_is_taken_in_any_shape_and_type(make):
    betas = {make().step(kl, target).item() for kl in ONE for target in ONE}
    assert len(betas) == 1
    half = make().step(torch.tensor(3.0, dtype=torch.bfloat16), 3)
    assert half.dtype == torch.float32
    assert half.item() in betas


@pytest.mark.parametrize("shape", [(64,), (64, 10), (0,)])
@pytest.mark.parametrize("make", CONTROLLERS)
def test_several_numbers_are_refused_and_the_advice_works(make, shape):
    controller, many = make(), torch.ones(shape)
    message = rf"`kl` must be one number, .*; got shape \({shape[0]}.*Take .mean\(\) of"
    with pytest.raises(ValueError, match=message):
        controller.step(many, 5.0)
    with pytest.raises(ValueError, match="`target` must be one number"):
        controller.step(5.0, many)
    assert controller.step(torch.ones(64).mean(), 5.0) == make().step(1.0, 5.0)
    assert make().step(torch.ones(10).sum(), 5.0) == make().step(10.0, 5.0)


@pytest.mark.parametrize("value", [None, "3", 3 + 2j, np.array(["3"])], ids=str)
def test_what_is_no_number_is_no_kl(value):
    controller = IncrementalPI()
    with pytest.raises(TypeError, match=r"`kl` must be a number, .* Convert it"):
        controller.step(value, 10.0)
    with pytest.raises(TypeError, match="`target` must be a number, nats per image"):
        controller.step(10.0, value)


@pytest.mark.parametrize("name", WEIGHTINGS)
def test_terms_are_refused_by_one_rule(name):
    weighting = WEIGHTINGS[name]()
    with pytest.raises(ValueError, match=r"`terms` must have .*; got none. Take an objective"):
        weighting({}, 0)
    with pytest.raises(ValueError, match=r"`terms` must have 'kl'; got reconstruction"):
        weighting({"reconstruction": torch.tensor(1.0)}, 0)
    with pytest.raises(ValueError, match=r"`terms\['kl'\]` must be .*; got shape \(64, 10\)"):
        weighting(terms(kl=torch.ones(64, 10)), 0)
    with pytest.raises(ValueError, match=r"`terms\['reconstruction'\]` must be one number"):
        weighting(terms(reconstruction=torch.ones(64)), 0)
    assert weighting(terms(torch.ones(1), torch.ones(1)), 0).shape == ()


def test_a_term_that_is_no_tensor_is_refused():
    with pytest.raises(TypeError, match=r"`terms\['kl'\]` must be a tensor .*; got float"):
        check_terms.__wrapped__({"kl": 3.0})  # the type checker of the tests comes first


def test_a_whole_number_as_a_term_is_refused():
    """Weighted, it would be cut: 0.5 of three nats would be one."""
    for dtype in (torch.int64, torch.bool, torch.uint8):
        with pytest.raises(TypeError, match=r"`terms\['kl'\]` must be a tensor of floats"):
            check_terms.__wrapped__({"kl": torch.tensor(3).to(dtype)})


def test_a_weight_for_a_term_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="`terms` must have 'KL'; got reconstruction, kl"):
        ScheduledWeights({"KL": 4.0})(terms(), 0)


def test_learned_weights_need_a_value_for_each():
    weighting = LearnedWeights({"reconstruction": 1, "kl": 3})
    with pytest.raises(ValueError, match=r"`terms\['kl'\]` must have 3 values.*shape \(\)"):
        weighting(terms(), 0)


@pytest.mark.parametrize("regulariser", ["log", "log1p"])
@pytest.mark.parametrize("low", [-100.0, 0.0])
def test_a_term_that_is_not_above_zero_gets_a_bounded_weight(low, regulariser):
    weighting = LearnedWeights({"reconstruction": 1, "kl": 1}, regulariser=regulariser)
    optimizer = torch.optim.Adam(weighting.parameters(), 5e-2)
    for step in range(600):
        found = terms(reconstruction=low)
        loss = weighting(found, step)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    weight = effective_weights(weighting(found, step), found)["reconstruction"].item()
    assert 0 < weight <= 5.01e5
    assert fixed_point(torch.tensor(low), regulariser).item() == 0


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("name", ["controlled", "capacity", "scheduled", "paced"])
def test_a_schedule_that_is_not_finite_is_refused(name, bad):
    def plan(step):
        return bad

    made = {
        "controlled": lambda: ControlledKL(LogPI(), plan),
        "capacity": lambda: CapacityKL(10.0, plan),
        "natural": lambda: NaturalWeights(),
        "scheduled": lambda: ScheduledWeights({"kl": plan}),
        "paced": lambda: PacedKL(LogPI(), plan, rate=0.1),
    }
    with pytest.raises(ValueError, match=f"a schedule must return finite numbers; got {bad} at"):
        made[name]()(terms(), 7)


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize(
    "make",
    [
        schedules.constant,
        lambda v: schedules.linear(0.0, v, steps=10),
        lambda v: schedules.exponential(v, 1.0, begin=0, end_step=1),
        lambda v: schedules.cyclical(v, period=10.0, rising=0.5),
        lambda v: schedules.cyclical(1.0, period=v, rising=0.5),
        lambda v: schedules.cyclical(1.0, period=10.0, rising=v),
        lambda v: schedules.staircase(0.5, v, increment=0.1, period=5),
        lambda v: schedules.hybrid(0.5, 2.0, increment=v, period=5, ramp=1),
        lambda v: schedules.fitted_hybrid(v, 20.0, num_steps=100),
        lambda v: schedules.fitted_staircase(0.5, v, num_steps=100, rises=5),
        lambda v: CapacityKL(v, PLAN),
        lambda v: ReconstructionConstraint(v),
        lambda v: ReconstructionConstraint(1.0, rate=v),
        lambda v: ReconstructionConstraint(1.0, beta_max=v),
        lambda v: LearnedWeights({"kl": 1}, floors={"kl": v}),
        lambda v: LearnedWeights({"kl": 1}, units={"kl": v}),
        lambda v: IncrementalPI(kp=v),
        lambda v: LogPI(ki=v),
        lambda v: IncrementalPI(beta_initial=v),
        lambda v: PositionalPI(beta_min=v),
        lambda v: PacedKL(LogPI(), PLAN, rate=v),
    ],
    ids=range(21),
)
def test_a_setting_that_is_not_finite_is_refused(make, bad):
    with pytest.raises(ValueError, match=r"must be .*; got "):
        make(bad)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LogPI(kp=-0.1), "`kp` must be at least 0; got -0.1"),
        (lambda: IncrementalPI(beta_initial=-1.0), "`beta_initial` must be at least 0"),
        (lambda: LogPI(beta_initial=0.0), "`beta_initial` must be positive and finite; got 0.0"),
        (
            lambda: ControlledKL(LogPI(), PLAN, hold=-1.0),
            "`hold` must be at least 0",
        ),
        (
            lambda: schedules.linear(0.0, 1.0, steps=0),
            "`steps` must be at least 1; got",
        ),
        (
            lambda: schedules.fitted_hybrid(0.0, 1.0, num_steps=0),
            "`num_steps` must be at least 1; got 0",
        ),
        (
            lambda: LearnedWeights({"kl": 1}, floors={"KL": 1.0}),
            "`floors` must be of terms in `sizes`, kl; got 'KL'",
        ),
    ],
    ids=range(7),
)
def test_setting_below_its_bound_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("name", WEIGHTINGS)
def test_state_stays_float32_under_bfloat16(name):
    weighting = WEIGHTINGS[name]().bfloat16()
    narrow = {key: term.detach().bfloat16().requires_grad_() for key, term in terms().items()}
    assert torch.isfinite(weighting(narrow, 0))
    kept = [*weighting.buffers(), *weighting.parameters()]
    assert all(tensor.dtype in (torch.float32, torch.int64) for tensor in kept)


@pytest.mark.parametrize("kind", [torch.float64, torch.bfloat16])
@pytest.mark.parametrize("name", WEIGHTINGS)
def test_terms_of_another_precision_move_the_state_alike(name, kind):
    """bfloat16 holds these terms exactly."""
    usual, other = WEIGHTINGS[name](), WEIGHTINGS[name]()
    for step, kl in enumerate((3.0, 4.0, 6.0)):
        usual(terms(96.0, kl), step)
        found = terms(torch.tensor(96.0, dtype=kind), torch.tensor(kl, dtype=kind))
        other(found, step).backward()
        assert torch.isfinite(found["kl"].grad)
    for (key, one), two in zip(state(usual).items(), state(other).values(), strict=True):
        assert one.dtype == two.dtype
        torch.testing.assert_close(one, two, msg=key)


THIRD = {
    "capacity": lambda: CapacityKL(1.0, schedules.constant(5.0)),
    "squared": lambda: SquaredCapacityKL(1.0, schedules.constant(5.0)),
    "constraint": lambda: ReconstructionConstraint(60.0),
    "relative": lambda: RelativeConstraint(60.0),
    "scheduled": lambda: ScheduledWeights({"kl": 2.0}),
}


@pytest.mark.parametrize("make", THIRD.values(), ids=THIRD)
def test_a_term_that_a_weighting_knows_nothing_of_counts_once(make):
    terms = {"reconstruction": torch.tensor(100.0), "kl": torch.tensor(5.0)}
    without = make()(terms, 0)
    assert make()(terms | {"penalty": torch.tensor(7.0)}, 0) == without + 7


@pytest.mark.parametrize("make", [CapacityKL, SquaredCapacityKL])
def test_a_number_for_a_schedule_is_refused_with_the_way_out(make, unchecked):
    with pytest.raises(TypeError, match=r"`capacity` must be .*take schedules.constant"):
        make(10.0, 5.0)


@pytest.mark.parametrize("controller", [IncrementalPI, 3, None])
def test_what_is_no_controller_is_refused(controller, unchecked):
    with pytest.raises(TypeError, match="`controller` must be an AbstractController"):
        ControlledKL(controller, schedules.constant(3.0))


def test_weightings_with_schedules_can_be_pickled():
    made = [
        schedules.linear(0.0, 4.0, steps=10),
        schedules.exponential(0.1, 4.0, begin=2, end_step=9),
        schedules.cyclical(4.0, period=5.0, rising=0.5),
        schedules.fitted_hybrid(0.5, 4.0, num_steps=100),
        schedules.constant(4.0),
    ]
    for schedule in made:
        again = pickle.loads(pickle.dumps(ScheduledWeights({"kl": schedule})))
        terms = {"reconstruction": torch.tensor(1.0), "kl": torch.tensor(2.0)}
        for step in (0, 3, 50):
            assert again(terms, step) == ScheduledWeights({"kl": schedule})(terms, step)


def test_a_step_may_be_a_tensor_and_no_text(unchecked):
    schedule = schedules.fitted_hybrid(0.5, 4.0, num_steps=100)
    assert schedules.value_at(schedule, torch.tensor(43)) == schedule(43)
    assert schedules.value_at(schedule, 43.0) == schedule(43)
    for step in (None, "3"):
        with pytest.raises(TypeError, match="`step` must be a whole number"):
            schedules.value_at(schedule, step)


@pytest.mark.parametrize("name", ["keys", "values", "a.b", "", "_keys"])
def test_names_that_no_parameter_may_have_are_refused(name):
    with pytest.raises(ValueError, match=f"`sizes` must have names .*{re.escape(name)}"):
        LearnedWeights({name: 1, "kl": 1})


def test_weights_of_a_loss_without_a_graph_are_refused():
    kl = torch.tensor(2.0)
    with pytest.raises(ValueError, match="`loss` and terms must have a graph"):
        effective_weights(4 * kl, {"kl": kl})


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("controller", CONTROLLERS)
@pytest.mark.parametrize("kl", [1e6, 0.0])
def test_beta_never_leaves_its_bounds_by_rounding(controller, kl):
    held = controller(beta_min=0.3, beta_max=1000.0)
    betas = [float(held.step(kl, 1e6 - kl)) for _ in range(200)]
    assert 0.3 <= torch.tensor(0.3).item() <= min(betas)
    assert max(betas) <= 1000.0
