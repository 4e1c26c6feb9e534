import io

import pytest
from rich.console import Console

from autobeta import TrainConfig
from autobeta.training.callbacks.progress import Progress, describe
from autobeta.training.monitor import Watch, check_finite
from autobeta.weighting import IncrementalPI, PositionalPI


def row(step=1000, kl=10.0, beta=1.0, target=None, average=None):
    average = kl if average is None else average
    found = {
        "step": step,
        "terms": {"reconstruction": 50.0, "kl": kl},
        "kl_average": average,
        "beta": beta,
        "equivalent_beta": beta,
    }
    return (
        found if target is None else found | {"target": target, "tracking_error": average - target}
    )


def sentences(*rows, controller=None):
    watch = Watch(grace=100, controller=controller)
    return [finding for r in rows for finding in watch.findings(r)]


def test_collapse_is_reported_once():
    found = sentences(row(kl=0.001), row(kl=0.001), row(kl=5.0), row(kl=0.001))
    assert len(found) == 2
    assert "posterior has collapsed" in found[0]


def test_nothing_is_reported_during_the_grace():
    assert sentences(row(step=50, kl=0.0)) == []


def test_low_kl_that_was_asked_for_is_no_collapse():
    assert sentences(row(kl=0.01, target=0.5)) == []


def test_beta_at_its_bound_away_from_the_target_is_reported():
    found = sentences(row(kl=15.0, target=20.0, beta=0.1), controller=IncrementalPI())
    assert len(found) == 1
    assert "beta sits at its lower bound, 0.1" in found[0]
    assert "Lower beta_min" in found[0]


def test_beta_at_its_upper_bound_is_reported_the_other_way_round():
    controller = PositionalPI(beta_max=10.0)
    found = sentences(row(kl=25.0, target=20.0, beta=controller.beta_max), controller=controller)
    assert len(found) == 1
    assert "beta sits at its upper bound, 10, so KL 25.00 can't fall" in found[0]
    assert "Raise beta_max" in found[0]


def test_a_method_without_a_controller_has_no_bound():
    found = sentences(row(kl=15.0, target=20.0, beta=0.0))
    assert len(found) == 1
    assert "has left its target" in found[0]


def test_a_loss_without_the_reconstruction_has_no_beta_and_is_finite():
    sound = row() | {"loss": 1.0, "beta": None, "weights": {"reconstruction": 0.0, "kl": 1.0}}
    check_finite(sound, seed=0)
    assert "beta" not in describe(sound | {"equivalent_beta": None}, 1.0, TrainConfig())


def test_kl_away_from_its_target_is_reported():
    found = sentences(row(kl=15.0, target=20.0, beta=3.0), controller=IncrementalPI())
    assert len(found) == 1
    assert "has left its target 20.00" in found[0]


def test_kl_at_its_target_is_quiet():
    assert sentences(row(kl=19.6, target=20.0, beta=3.0), controller=IncrementalPI()) == []


@pytest.mark.parametrize("every", [5, 10, 25])
def test_a_few_batches_away_are_no_departure_and_fifty_steps_are(every):
    steps = range(every, 600, every)
    noise = [row(step=step, kl=20 + (-1) ** i * 1.5, target=20.0) for i, step in enumerate(steps)]
    assert sentences(*noise) == []
    left = [row(step=step, kl=21.5, target=20.0) for step in range(600, 700, every)]
    (found,) = sentences(*noise, *left)
    assert int(found.split()[1].rstrip(":")) >= 600


def test_line_shows_equivalent_beta_where_it_differs():
    line = describe(row() | {"equivalent_beta": 0.02}, 100.0, TrainConfig(steps=2000))
    assert "beta 1 (equivalent 0.02)" in line


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_writes_lines_and_warnings(make_run, terminal):
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=200)
    with Progress(console) as progress:
        progress.begin(make_run()[1], TrainConfig(steps=5000))
        progress(row(step=600, kl=0.001), 640.0)
        progress(row(step=650, kl=0.001), 640.0)
    text = out.getvalue()
    assert text.count("posterior has collapsed") == 1
    assert "step 600/5000" in text
    assert "training on cpu, steps 1 to 5,000" in text
    assert ("step 650/5000" in text) == terminal  # plain lines come every so often only
