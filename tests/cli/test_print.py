"""What a controlled run's end is told of."""

import pytest

from autobeta.cli._print import print_tracking


def told(capsys, last, method="dynamicvae", **settings):
    log = [
        {"step": step, "kl_average": last, "kl": last, "beta": 1.0, "target": last}
        for step in range(20, 1020, 20)
    ]
    config = {"method": method, "method_config": settings, "control": {"beta_min": 0.1}}
    print_tracking(log, config)
    return capsys.readouterr().err


def test_a_set_point_that_was_not_reached_is_told(capsys):
    assert "the set point was at 13.8 of 20 nats when the run ended" in told(
        capsys, 13.8, target=20.0
    )


@pytest.mark.parametrize(("last", "settings"), [(20.0, {"target": 20.0}), (13.8, {})])
def test_a_set_point_that_was_reached_or_has_no_end_is_not(capsys, last, settings):
    assert told(capsys, last, **settings) == ""
