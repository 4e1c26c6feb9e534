import torch

from autobeta.weighting import ControlledKL, LogPI, schedules


def terms(kl):
    return {"reconstruction": torch.tensor(50.0), "kl": torch.tensor(float(kl))}


def test_set_point_rests_while_beta_is_below_the_hold():
    weighting = ControlledKL(
        LogPI(beta_initial=1.0), schedules.linear(1.0, 11.0, steps=100), hold=0.5, catch_up=0.1
    )
    targets, betas = [], []
    for step in range(300):
        kl = 1.0 if step < 200 else 30.0  # KL that can't follow, then far too much
        betas.append(weighting.controller.beta.item())
        weighting(terms(kl), step)
        targets.append(weighting.controller.target.item())
    rises = [b - a for a, b in zip([1.0, *targets], targets, strict=False)]
    assert any(r > 0 for r in rises)
    assert any(beta < 0.5 for beta in betas[:99])
    assert all(r == 0 for r, beta in zip(rises, betas, strict=True) if beta < 0.5)
    assert targets[99] < 11.0  # the schedule is at its end, the set point behind
    assert targets[-1] == 11.0  # and has caught up
    assert max(rises) < 0.1 + 1e-6


def test_without_a_hold_the_schedule_is_followed_to_the_letter():
    schedule = schedules.linear(1.0, 11.0, steps=100)
    weighting = ControlledKL(LogPI(beta_initial=0.2), schedule)
    for step in range(120):
        weighting(terms(0.5), step)
        assert weighting.controller.target.item() == torch.tensor(schedule(step)).item()


def test_held_set_point_resumes_from_its_state():
    def make():
        return ControlledKL(LogPI(), schedules.linear(0.5, 20.0, steps=50), hold=0.5, catch_up=0.2)

    whole, first, second = make(), make(), make()
    losses = [whole(terms(3.0 + 0.1 * step), step).item() for step in range(40)]
    for step in range(20):
        first(terms(3.0 + 0.1 * step), step)
    second.load_state_dict(first.state_dict())
    rest = [second(terms(3.0 + 0.1 * step), step).item() for step in range(20, 40)]
    assert rest == losses[20:]
