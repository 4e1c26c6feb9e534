"""Agreement of runs."""

import json
from pathlib import Path

import numpy as np
import pytest

from autobeta.metrics import udr, udr_spearman

REFERENCE = json.loads((Path(__file__).parents[1] / "reference/metrics.json").read_text("utf-8"))


@pytest.fixture
def runs(points, mixed):
    """Five sets of codes, from alike to unrelated, with 7 to 3 informative latents."""
    codes = points[0].copy()
    rng = np.random.default_rng(7)
    tables = [
        codes,
        codes[:, ::-1].copy(),
        mixed[0].copy(),
        codes + 0.5 * rng.normal(size=codes.shape).astype(np.float32),
        rng.normal(size=codes.shape),
    ]
    found = []
    for i, table in enumerate(tables):
        logvars = np.tile(np.where(np.arange(10) < 7 - i, -3.0, 0.0), (len(codes), 1))
        table[:, 7 - i :] *= 0.01
        found.append((table, logvars))
    return found


@pytest.mark.parametrize(("rank", "name"), [(udr, "lasso"), (udr_spearman, "spearman")])
def test_ranking_equals_disentanglement_libs(rank, name, runs):
    assert rank(runs) == pytest.approx(REFERENCE["udr"][name], abs=1e-6)


@pytest.mark.parametrize("rank", [udr, udr_spearman])
def test_order_and_sign_of_latents_and_order_of_runs_do_not_matter(rank, runs):
    before = rank(runs)
    changed = [(-codes[:, ::-1], logvars[:, ::-1]) for codes, logvars in runs[::-1]]
    # lasso goes through the latents in their order and stops within its tolerance
    assert rank(changed)[::-1] == pytest.approx(before, abs=1e-3)


@pytest.mark.parametrize("rank", [udr, udr_spearman])
def test_runs_that_differ_by_order_and_sign_agree_fully(rank):
    z = np.random.default_rng(0).normal(size=(2000, 4))
    logvars = np.full(z.shape, -4.0)
    value = rank([(z, logvars), (-z[:, ::-1], logvars), (z[:, [2, 0, 1, 3]], logvars)])
    # lasso shrinks each weight by its penalty of 0.1; others correlate by chance
    shrink = 0.9 if rank is udr else 1.0
    assert value == pytest.approx([shrink] * 3, abs=0.1)
    entangled = z @ np.linalg.qr(np.random.default_rng(1).normal(size=(4, 4)))[0]
    mixed = rank([(z, logvars), (entangled, logvars), (z, logvars)])
    assert mixed[1] < 0.75 * mixed[0]


def test_a_run_without_informative_latents_scores_zero():
    z = np.random.default_rng(0).normal(size=(500, 3))
    dead = 0.01 * z, np.zeros(z.shape)
    live = z, np.full(z.shape, -4.0)
    assert udr([live, dead, live])[1] == 0


def test_runs_may_differ_in_the_number_of_latents():
    z = np.random.default_rng(0).normal(size=(500, 3))
    narrow = np.full((500, 5), -4.0)
    noise = np.random.default_rng(1).normal(size=(500, 2))
    values = udr([(z, narrow[:, :3]), (np.hstack([noise, z]), narrow)])
    assert values[0] == values[1] > 0


def test_bad_runs_are_refused():
    z = np.zeros((10, 2))
    with pytest.raises(ValueError, match=r"`runs` must be at least 2; got 1\. UDR compares"):
        udr([(z, z)])
    with pytest.raises(ValueError, match=r"codes of the same points; got \[10, 9\] points"):
        udr([(z, z), (z[1:], z[1:])])
    with pytest.raises(ValueError, match="`logvars` must have the shape of `codes`"):
        udr([(z, z[:, :1]), (z, z)])


@pytest.mark.usefixtures("unchecked")
def test_runs_are_a_list():
    with pytest.raises(
        TypeError, match=r"`runs` must be a list; got a generator. Give list\(runs\)"
    ):
        udr(run for run in [])
