import re

import numpy as np
import pytest

from autobeta.reports._bands import STRETCHES, band, hull
from autobeta.reports._html import slug
from autobeta.reports._study import load_study, score_names
from autobeta.reports._style import COLOURS
from autobeta.reports._summaries import budget
from autobeta.reports.study_figures import legend_names, study_figures, study_looks
from autobeta.reports.study_page import write_study_report
from autobeta.run import folder as runs


def test_a_band_reaches_from_the_lowest_to_the_highest_value_of_any_seed():
    steps = np.arange(1.0, 1001)
    spike = np.where(steps == 500, 9.0, 1.0)
    found = band([(steps, spike), (steps, np.full(1000, 3.0))])
    assert len(found.steps) == STRETCHES
    assert found.low.min() == 1.0
    assert found.high.max() == 9.0
    assert found.steps[-1] == 1000
    np.testing.assert_allclose(found.middle[0], 2.0)


def test_a_seed_that_ends_early_does_not_end_the_band():
    steps = np.arange(1.0, 11)
    found = band([(steps, steps), (steps[:4], steps[:4])])
    np.testing.assert_allclose(found.middle, steps)


def test_a_hull_holds_its_points_and_only_corners():
    rng = np.random.default_rng(0)
    points = [tuple(p) for p in rng.normal(size=(50, 2)).tolist()]
    corners = np.array(hull(points))
    edges = np.roll(corners, -1, axis=0) - corners
    for point in points:
        to = np.array(point) - corners
        assert (edges[:, 0] * to[:, 1] - edges[:, 1] * to[:, 0] > -1e-12).all()


@pytest.mark.parametrize(
    "points", [[(1.0, 1.0)], [(1.0, 1.0), (1.0, 1.0)], [(0.0, 0.0), (1.0, 1.0)]]
)
def test_few_points_are_their_own_hull(points):
    assert hull(points) == sorted(set(points))


def test_points_on_a_line_have_its_ends():
    assert hull([(0.0, 0.0), (1.0, 1.0), (2.0, 2.0)]) == [(0, 0), (2, 2)]


def test_figures_have_the_numbers_that_they_show(make_study):
    record = load_study(make_study(methods=("vae", "dynamicvae")).folder)
    found = {figure.name: figure for figure in study_figures(record, "toy", ["mig[bins=20]"])}
    assert list(found) == [
        "toy-rate-distortion", "toy-rate-distortion-bce", "toy-kl", "toy-beta", "toy-mig-bins-20",
    ]  # fmt: skip
    kl = found["toy-kl"].numbers
    assert kl[0] == ["group", "step", "median", "lowest", "highest", "set point"]
    assert {row[5] for row in kl[1:] if row[0] == "dynamicvae"} == {18.0}
    assert all(np.isnan(row[5]) for row in kl[1:] if row[0] == "vae")
    scores = [row[2] for row in found["toy-mig-bins-20"].numbers[1:4]]
    assert scores == pytest.approx([0.2, 0.21, 0.22])


def test_a_damaged_line_of_a_log_costs_only_itself(make_study):
    study = make_study(methods=("vae",), seeds=[0])
    (name,) = study.runs
    path = study.run(name) / runs.LOG
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([*lines[:3], b"{broken", *lines[4:]]))
    record = load_study(study.folder)
    with pytest.warns(UserWarning, match="damaged in line 4"):
        kl = next(f for f in study_figures(record, "toy", []) if f.name == "toy-kl")
    assert len(kl.numbers) == len(lines) - 1  # the heading, and all other lines


def test_few_groups_have_a_colour_each(make_study):
    record = load_study(make_study(methods=("vae", "lvae", "dynamicvae"), seeds=[0]).folder)
    looks = study_looks(record.groups)
    assert [look.colour for look in looks.values()] == [*COLOURS[:3]]


def test_a_legend_of_many_groups_names_methods(make_study):
    betas = [1 + 0.1 * i for i in range(12)]
    study = make_study(methods=("vae", "betavae"), seeds=[0], method={"betavae": {"beta": betas}})
    names = legend_names(load_study(study.folder).groups)
    assert [name for name in names.values() if name] == ["vae", "betavae"]
    assert "betavae, beta=1.1" in names


def test_a_name_of_a_file_has_no_path_in_it():
    assert slug("../photos, variant=a/b") == "photos-variant-a-b"
    assert slug("///") == "data"


@pytest.mark.whole
def test_data_of_like_names_have_figures_and_tables_of_their_own(make_study, tmp_path):
    names = ["顔", "猫", "data-2", "a" * 90 + "b", "a" * 90 + "c"]
    for name in names:
        (tmp_path / name).mkdir()
    study = make_study(data=[str(tmp_path / name) for name in names], methods=["vae"])
    record = load_study(study.folder)
    keys = ["mig[bins=20]", "mig(bins=20)"]
    for row in record.table:
        row[keys[1]] = row[keys[0]]
    found = [figure.name for name in names for figure in study_figures(record, name, keys)]
    assert len(set(found)) == len(found) == 6 * len(names)
    assert {"data-kl", "data-2-kl", "data-2-2-kl", "data-mig-bins-20-2"} <= {*found}
    page = write_study_report(study.folder, tmp_path / "r.html").read_text("utf-8")
    saved = re.findall(r'download="([^"]+)"', page)
    assert len(set(saved)) == len(saved)


def test_where_patience_ended_a_run_is_no_score_and_sets_its_budget(make_study):
    study = make_study(methods=["vae"], seeds="0-1")
    stopped = study.run(next(iter(study.runs)))
    config = runs.read_json(stopped / runs.CONFIG)
    runs.write_json(stopped / runs.CONFIG, config | {"stopped_at": 20})
    metrics = runs.read_json(stopped / runs.METRICS)
    runs.write_json(stopped / runs.METRICS, metrics | {"step": 20})
    record = load_study(study.folder)
    assert score_names(record.table) == ["mig[bins=20]"]
    (row,) = budget(record).cells
    assert [cell.text for cell in row[2:5]] == ["30", "64", "1,920"]


def test_groups_have_names_of_their_own_beside_their_scores(make_study):
    settings = {"betavae": {"beta": [1, 4, 16], "model": {"num_latents": [8, 10]}}}
    record = load_study(make_study(methods=("betavae",), method=settings).folder)
    *_, strip = study_figures(record, "toy", ["mig[bins=20]"])
    names = [label.get_text() for label in strip.figure.axes[0].get_yticklabels()]
    assert len(set(names)) == len(names) == 6
    assert all(f"beta={b}" in " ".join(names) for b in (1, 4, 16))
