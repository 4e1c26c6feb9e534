import json
import time

import numpy as np
import pytest
from safetensors.numpy import load_file

from autobeta.study.definition import define
from autobeta.study.folder import claim_study
from autobeta.study.grid import plan
from autobeta.study.worker import carry_out

DOCUMENT = {
    "methods": ["vae", "betavae", "dynamicvae"],
    "data": ["toy"],
    "train": {"steps": 100, "batch_size": 8, "log_every": 10, "checkpoint_every": 20},
    "evaluation": {"num_points": 60, "metrics": ["mig"]},
}


@pytest.fixture(scope="session")
def make_study():
    """A study in a folder; keywords replace parts of its definition."""

    def make(folder, **parts):
        document = DOCUMENT | parts
        if (steps := document.pop("steps", None)) is not None:
            document["train"] = DOCUMENT["train"] | {"steps": steps}
        definition = define(document)
        return claim_study(folder, definition, plan(definition))

    return make


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory, make_study):
    """A study of so many steps that ran without a break; made once."""
    made = {}

    def get(steps=100, methods=tuple(DOCUMENT["methods"])):
        if (steps, methods) not in made:
            folder = tmp_path_factory.mktemp("undisturbed") / "study"
            study = make_study(folder, steps=steps, methods=[*methods])
            for name in study.runs:
                assert carry_out(study.folder, name).state == "done"
            made[steps, methods] = study
        return made[steps, methods]

    return get


def results(study, name):
    """Weights, log and scores of a run, apart from times."""
    run = study.run(name)
    weights = load_file(run / "model.safetensors")
    log = (run / "log.jsonl").read_text()
    return weights, log, json.loads((run / "metrics.json").read_text())


@pytest.fixture(scope="session")
def assert_same_results():
    def check(study, other):
        assert set(study.runs) <= set(other.runs)
        for name in study.runs:
            assert study.is_done(name)
            (weights, log, scores), wanted = results(study, name), results(other, name)
            assert weights.keys() == wanted[0].keys()
            assert all(np.array_equal(weights[key], wanted[0][key]) for key in weights)
            assert log == wanted[1]
            assert scores == wanted[2]

    return check


class Told(list):
    """What a launcher told, as (name, state, reason)."""

    def __call__(self, name, state, reason):
        self.append((name, state, reason))

    def states(self, name):
        return [state for told, state, _ in self if told == name]

    def reason(self, name):
        return [reason for told, _, reason in self if told == name][-1]


@pytest.fixture
def told():
    return Told()


@pytest.fixture
def wait_until():
    """Wait for a condition, or fail."""

    def wait(condition, seconds=300):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "it took too long"
            time.sleep(0.05)

    return wait


@pytest.fixture
def logged_lines():
    """How many lines a run has logged."""

    def count(study, name):
        path = study.run(name) / "log.jsonl"
        return len(path.read_text().splitlines()) if path.exists() else 0

    return count
