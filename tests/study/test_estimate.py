import signal
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from autobeta import cli
from autobeta.settings import EvaluationConfig
from autobeta.study import estimate as module
from autobeta.study.definition import define
from autobeta.study.estimate import estimate
from autobeta.study.folder import claim_study
from autobeta.study.grid import plan
from autobeta.study.worker import carry_out

FEW = EvaluationConfig(num_points=60, metrics=("mig",), num_pictures=2)
SMALL = {
    **{"methods": ["vae", "betavae"], "data": ["toy"], "seeds": "0-1"},
    "train": {"steps": 3000, "batch_size": 4},
    "model": {"architecture": "burgess"},
    "options": {"image_size": 32},
    "method": {"betavae": {"beta": [2, 3], "train": {"steps": 6000}}},
    "evaluation": {"num_points": 60, "metrics": ["mig"], "num_pictures": 2},
}


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """Where temporary folders are made."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_each_kind_is_measured_once_and_nothing_is_left(temporary):
    planned, told = plan(define(SMALL)), []
    found = estimate(planned, FEW, workers=2, told=lambda *facts: told.append(facts))
    assert found.measured == 2  # the methods; neither seeds nor betas
    assert [facts[:2] for facts in told] == [(0, 2), (1, 2)]
    assert [run for run, *_ in found.runs] == planned
    assert not list(temporary.glob("autobeta-*"))
    hours = [hours for _, hours, _ in found.runs]
    assert all(own > 0 for own in hours)
    assert sum(hours) / 2 <= found.hours * (1 + 1e-9) <= sum(hours)
    assert found.gigabytes == pytest.approx(sum(mb for *_, mb in found.runs) / 1000)
    assert found.workers == 2
    by_steps = {run.config.train.steps: mb for run, _, mb in found.runs}
    assert by_steps[6000] > by_steps[3000] > 0.1  # a longer log


def test_a_warm_up_longer_than_the_short_run_is_shortened_with_it(temporary):
    document = {**SMALL, "methods": ["lvae"], "method": {"lvae": {"warmup": 500}}, "seeds": 0}
    assert estimate(plan(define(document)), FEW).measured == 1


def test_settings_that_thirty_steps_are_too_few_for_have_a_longer_run(temporary):
    train = {"steps": 20_000, "batch_size": 2}
    geco = {"geco": {"warmup": 0.01}}
    document = {**SMALL, "methods": ["geco"], "method": geco, "seeds": 0, "train": train}
    assert estimate(plan(define(document)), FEW).measured == 1


def test_a_finished_run_of_the_study_tells_in_place_of_a_short_one(temporary, monkeypatch):
    document = {**SMALL, "train": {"steps": 4, "batch_size": 4, "log_every": 2}, "method": {}}
    definition = define(document)
    planned = plan(definition)
    study = claim_study(temporary / "study", definition, planned)
    first = planned[0].name
    assert carry_out(temporary / "study", first).state == "done"
    found = estimate(planned, FEW, study=temporary / "study")
    assert found.measured == 1  # betavae
    whole = study.attempt(first)["seconds"]
    assert found.runs[0][1] * 3600 == pytest.approx(whole, rel=0.5)
    size = sum(path.stat().st_size for path in study.run(first).rglob("*") if path.is_file())
    assert found.runs[0][2] == pytest.approx(size / 1e6, rel=1e-3)


def test_an_interrupt_leaves_nothing_behind(temporary, monkeypatch):
    def interrupted(config, out, **options):
        (Path(out) / "checkpoint").mkdir(parents=True)
        raise KeyboardInterrupt

    monkeypatch.setattr("autobeta.run.train.train", interrupted)
    with pytest.raises(KeyboardInterrupt):
        estimate(plan(define(SMALL)), FEW)
    assert not list(temporary.glob("autobeta-*"))


def test_a_stop_of_the_short_run_is_an_interrupt(temporary, monkeypatch):
    from autobeta.errors import InterruptedRunError

    def stopped(config, out, **options):
        raise InterruptedRunError(3, signal.SIGTERM)

    monkeypatch.setattr("autobeta.run.train.train", stopped)
    with pytest.raises(KeyboardInterrupt) as caught:
        estimate(plan(define(SMALL)), FEW)
    assert caught.value.signal_number == signal.SIGTERM


def test_data_that_are_not_there_are_found_missing_first(temporary):
    document = {**SMALL, "data": ["toy", "falcor3d"], "dataset": {"toy": {"image_size": 32}}}
    names = [run.config.data for _, run in module._one_of_each_data_first(kinds(document))]
    assert names == ["toy", "falcor3d", "toy", "falcor3d"]
    planned = plan(define({**document, "data": ["falcor3d"], "dataset": {}}))
    with pytest.raises(FileNotFoundError, match="falcor3d") as caught:
        estimate(planned, FEW)
    assert caught.value.__notes__ == [f"It was met in a short run of {planned[0].name}."]


def kinds(document):
    found = {}
    for run in plan(define(document)):
        found.setdefault(module._kind(run.config.to_json()), run)
    return [*found.items()]


def test_a_kind_is_what_sets_the_speed():
    run = plan(define(SMALL))[0].config
    kind = module._kind(run.to_json())

    def with_train(**changes):
        return module._kind(replace(run, train=replace(run.train, **changes)).to_json())

    assert with_train(seed=5, steps=7, lr=0.1, log_every=3) == kind
    assert with_train(batch_size=7) != kind
    assert with_train(precision="bfloat16") != kind
    assert with_train(device="cuda") != kind
    document = {**SMALL, "methods": ["dipvae"], "method": {}}
    assert len(kinds({**document, "method": {"dipvae": {"lambda_od": [1, 2]}}})) == 1
    assert len(kinds({**document, "method": {"dipvae": {"kind": ["i", "ii"]}}})) == 2


def test_the_last_end_is_that_of_the_busiest_worker():
    assert module._last_end([3.0, 1.0, 1.0, 1.0], 2) == 3.0
    assert module._last_end([1.0, 1.0, 3.0], 2) == 4.0
    assert module._last_end([], 1) == 0.0


def test_a_dry_run_prints_groups_and_begins_nothing(temporary, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    path = temporary / "study.toml"
    path.write_text(
        'methods = ["vae"]\ndata = ["toy"]\nseeds = "0-2"\n[train]\nsteps = 500\nbatch_size = 4\n'
        '[model]\narchitecture = "burgess"\n[options]\nimage_size = 32\n'
        '[evaluation]\nnum_points = 60\nmetrics = ["mig"]\n'
    )
    out = temporary / "out"
    assert cli.main(["study", "run", str(path), "--out", str(out), "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "3 runs" in said
    assert "from 1 short runs on this machine" in said
    assert said.count("vae-toy-") == 1  # a group's seeds are one row
    assert not out.exists()
    assert not list(temporary.glob("autobeta-*"))


def test_patience_ends_no_short_run(temporary, monkeypatch):
    def worse(state, config):
        return {"step": state.step, "elbo": -float(state.step)}

    monkeypatch.setattr("autobeta.training.validation.validate", worse)
    train = {"held_out": 0.2, "validate_every": 1, "patience": 1}
    document = SMALL | {"methods": ["vae"], "method": {}, "train": SMALL["train"] | train}
    found = estimate(plan(define(document)), FEW)
    assert found.measured == 1
    assert found.hours > 0
