"""What a run of GECO is told at its end, on logs whose answer is known."""

import re

import pytest

from autobeta.control import constraint


def log(reconstruction, *, kl=10.0, betas=(1.0, 1.0), **state):
    first, last = betas
    return [
        {
            "step": step,
            "terms": {"reconstruction": reconstruction, "kl": kl},
            "beta": first + (last - first) * step / 100,
            "state": state,
        }
        for step in range(1, 101)
    ]


def test_a_run_at_its_target_is_told_nothing():
    assert constraint(log(61.0), 60.0) == (60.0, 61.0, "")
    assert constraint(log(0.9), 0.2).advice == ""  # within a nat
    measured = {"weighting.reconstruction_target": 40.0}
    assert constraint(log(41.0, **measured)).target == 40.0


def test_without_a_target_there_is_nothing_to_say():
    assert constraint(log(61.0)) is None
    assert constraint([], 60.0) is None


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (log(80.0, betas=(1.0, 0.1)), "80 .* above its target of 60: beta fell all the while"),
        (log(80.0, betas=(1.0, 2.0)), "above .* beta has not fallen yet. Train longer"),
        (log(40.0, kl=0.1), "40 .* below its target of 60: the code carries 0.1 nats"),
        (log(60.5, kl=0.2), "at its target of 60 with 0.2 nats of KL"),
        (log(40.0, betas=(1.0, 2.0)), "below .* beta has not risen far enough yet"),
    ],
)
def test_a_run_off_its_target_is_told_why(found, message):
    assert re.search(message, constraint(found, 60.0).advice)
