import torch

from autobeta.weighting import ScheduledWeights, effective_weights, schedules


def test_scheduled_weight_follows_its_schedule():
    weighting = ScheduledWeights({"kl": schedules.linear(0.0, 4.0, steps=4)})
    terms = {"reconstruction": torch.tensor(10.0), "kl": torch.tensor(2.0)}
    assert [weighting(terms, t).item() for t in (0, 2, 8)] == [10.0, 14.0, 18.0]


def test_effective_weight_of_an_ignored_term_is_zero():
    a, b = (torch.tensor(v, requires_grad=True) for v in (1.0, 2.0))
    weights = effective_weights(3 * a.square(), {"a": a, "b": b})
    assert weights["a"].item() == 6.0
    assert weights["b"].item() == 0.0


def test_vector_term_is_summed():
    terms = {"reconstruction": torch.tensor(10.0), "kl": torch.tensor([1.0, 2.0])}
    assert ScheduledWeights({"kl": 2.0})(terms, 0).item() == 16.0
