import csv
import io

import pytest

from autobeta.reports import load_runs
from autobeta.reports._formats import MarkedCell, MarkedTable, _columns, to_csv, to_html
from autobeta.reports._marks import row_marks
from autobeta.reports.tables import (
    HELD_OUT,
    Spread,
    _spread,
    beside,
    run_rows,
    seed_groups,
    seed_rows,
    table,
    transposed,
)


def _evaluated(losses, *, mig=0.25, **changes):
    return {"evaluation": {"train": losses(**changes)}, "metrics": {"mig[bins=20]": mig}}


def _texts(table):
    return [[cell.text for cell in row] for row in table.cells]


def _table(headings, rows):
    return MarkedTable(headings, [[MarkedCell(text) for text in row] for row in rows])


def test_a_row_has_the_numbers_of_the_run_folder(make_run):
    (row,) = run_rows(load_runs([make_run(seed=7)]))
    assert (row["run"], row["method"], row["data"]) == ("run", "vae", "toy")
    assert (row["steps"], row["seed"], row["active_latents"]) == (40, 7, 3)
    assert (row["reconstruction"], row["kl"], row["mse"]) == (101.0, 19.0, 0.0125)
    assert (row["psnr"], row["bce"]) == (19.03, 88.5)
    assert row["beta"] == 1 + 1 / 40
    assert row["mig[bins=20]"] == 0.25
    assert row["dci[trees] disentanglement"] == 0.5


def test_the_equivalent_beta_is_shown_only_where_it_differs(make_run, log_rows):
    rows = log_rows()
    rows[-1]["equivalent_beta"] = 3.0
    same, differs = run_rows(load_runs([make_run("a"), make_run("b", log=rows)]))
    assert same["equivalent_beta"] is None
    assert differs["equivalent_beta"] == 3.0


def test_held_out_numbers_stand_beside(make_run, losses):
    evaluation = {"train": losses(kl=10.0), "test": losses(kl=11.5)}
    rows = run_rows(load_runs([make_run(metrics={"evaluation": evaluation})]))
    assert rows[0]["kl" + HELD_OUT] == 11.5
    joined = beside(table(rows))
    assert _texts(joined)[0][joined.headings.index("KL (nats)")] == "10.00\u00a0/ 11.50"
    assert not any(HELD_OUT in heading for heading in joined.headings)


def test_a_missing_value_is_blank_and_not_zero(make_run):
    rows = run_rows(load_runs([make_run("a"), make_run("b", metrics=None, log=None)]))
    shown = table(rows)
    assert rows[1]["kl"] is None
    assert _texts(shown)[1][shown.headings.index("KL (nats)")] == ""
    assert _texts(shown)[1][shown.headings.index("mig[bins=20] ↑")] == ""


def test_seeds_are_aggregated_to_mean_and_sample_deviation(make_run, losses):
    values = {0: 10.0, 1: 12.0, 2: 17.0}
    folders = [
        make_run(f"s{seed}", seed=seed, metrics=_evaluated(losses, kl=kl))
        for seed, kl in values.items()
    ]
    (row,) = seed_rows(load_runs(folders))
    # mean 13; squared deviations 9 + 1 + 16 = 26, over n - 1 = 2
    assert row["seeds"] == 3
    assert row["kl"].mean == pytest.approx(13.0)
    assert row["kl"].std == pytest.approx(13**0.5)
    assert row["kl"].n == 3


def test_runs_that_differ_by_more_than_the_seed_are_not_averaged(make_run):
    folders = [make_run("a"), make_run("b", seed=1, settings={"beta": 4.0})]
    rows = seed_rows(load_runs(folders))
    assert len(rows) == 2
    assert rows[0]["kl"] == Spread(19.0, None, 1)


def test_a_number_that_some_seeds_lack_says_over_how_many_it_is(make_run, losses):
    folders = [
        make_run("a", metrics=_evaluated(losses, mig=0.2)),
        make_run("b", seed=1, metrics=_evaluated(losses, mig=0.4)),
        make_run("c", seed=2, metrics=None),
    ]
    shown = table(seed_rows(load_runs(folders)))
    # deviation of 0.2 and 0.4: sqrt(0.02) = 0.141
    cell = _texts(shown)[0][shown.headings.index("mig[bins=20] ↑")]
    # t of one degree of freedom: 12.706 times 0.1
    assert cell == "0.300\u00a0±\u00a00.141 [-0.971,\u00a01.571] (n=2)"


def test_the_deviation_has_as_many_decimals_as_the_mean():
    rows = [{"label": "a", "seeds": 2, "mse": Spread(0.00312, 0.0000352, 2, (0.0028, 0.00344))}]
    (row,) = _texts(table(rows))
    assert row == ["a", "2", "0.00312\u00a0±\u00a00.00004 [0.00280,\u00a00.00344]"]
    rows = [{"label": "a", "seeds": 2, "beta": Spread(1.5e-7, 2e-8, 2, (-3e-8, 3.3e-7))}]
    assert _texts(table(rows))[0][2].startswith("1.5e-07\u00a0±\u00a02.0e-08 [-3.0e-08,\u00a0")


def test_html_escapes_and_labels_every_cell():
    text = to_html(_table(["run", "x<y"], [["<b>", "1 & 2"]])._replace(caption="<i>"))
    assert '<th scope="row">&lt;b&gt;</th><td data-label="x&lt;y">1 &amp; 2</td>' in text
    assert "<b>" not in text
    assert "<i>" not in text


def test_a_transposed_table_has_the_first_column_as_headings():
    turned = transposed(
        _table(["label", "mig", "sap"], [["a", "1", "2"], ["b", "3", "4"]]), "score"
    )
    wanted = _table(["score", "a", "b"], [["mig", "1", "3"], ["sap", "2", "4"]])
    assert turned == wanted._replace(turned=True)


def test_no_name_in_a_csv_is_a_formula():
    names = ['=HYPERLINK("http://x")', "@x", "+1", "-a", "a=b"]
    numbers = [-2.5, 3, float("nan")]
    [row] = csv.reader(io.StringIO(to_csv([[*names, *numbers]]).decode()))
    assert row == [*(f"'{name}" for name in names[:4]), "a=b", "-2.5", "3", ""]


def test_the_csv_of_a_turned_table_names_scores_without_arrows():
    turned = transposed(_table(["label", "mig ↑"], [["a", "1"], ["b", "3"]]), "score")
    assert _csv(turned) == [["score", "a", "b"], ["mig", "1", "3"]]


def test_a_run_that_is_not_finished_is_never_averaged_with_others(make_run):
    folders = [make_run("a"), make_run("b", seed=1), make_run("c", seed=2, finished=False)]
    rows = seed_rows(load_runs(folders))
    assert [(row["label"], row["seeds"]) for row in rows] == [("vae", 2), ("vae, unfinished", 1)]


def test_the_interval_is_that_of_student():
    """Of 1, 2 and 3: mean 2, deviation 1, t of two degrees of freedom 4.303."""
    mean, std, n, (low, high) = _spread([1, 3, None, 2])
    assert (mean, std, n) == pytest.approx((2, 1, 3))
    assert (low, high) == pytest.approx((2 - 4.30265 / 3**0.5, 2 + 4.30265 / 3**0.5), abs=1e-4)
    assert _spread([2.0]) == Spread(2.0, None, 1, None)
    assert _spread([None]) is None


def test_a_huge_number_does_not_fill_the_page():
    rows = [{"run": "a", "seed": 2**62 + 1, "kl": 1e99, "mse": 1e-99, "mig": -3e50}]
    assert _texts(table(rows)) == [["a", "4611686018427387905", "1e+99", "1.00e-99", "-3e+50"]]


def test_runs_evaluated_at_other_steps_are_never_averaged(make_run):
    """The third was evaluated after 20 of its 40 steps; the first by a version that wrote none."""
    steps = [{}, {"step": 40}, {"step": 20}]
    folders = [make_run(f"s{n}", seed=n, metrics=step) for n, step in enumerate(steps)]
    rows = seed_rows(load_runs(folders))
    assert [(row["steps"], row["seeds"]) for row in rows] == [(40, 2), (20, 1)]


def _csv(table):
    return list(csv.reader(io.StringIO(to_csv(_columns(table)).decode())))


def test_the_numbers_of_a_table_are_a_csv_without_rounding(make_run, losses):
    mse = {0: 0.012345678901234567, 1: 0.02}
    folders = [
        make_run(
            f"s{seed}",
            seed=seed,
            metrics={"evaluation": {"train": losses(mse=value), "test": losses(mse=2 * value)}},
        )
        for seed, value in mse.items()
    ]
    runs = load_runs(folders)
    names, first, _ = _csv(beside(table(run_rows(runs))))
    row = dict(zip(names, first, strict=True))
    assert float(row["MSE (per pixel)"]) == mse[0]
    assert float(row["MSE (per pixel), held-out"]) == 2 * mse[0]
    names, only = _csv(beside(table(seed_rows(runs))))
    row = dict(zip(names, only, strict=True))
    assert float(row["MSE (per pixel)"]) == (mse[0] + mse[1]) / 2
    assert float(row["MSE (per pixel), std"]) == pytest.approx((mse[1] - mse[0]) / 2**0.5)
    assert (
        float(row["MSE (per pixel), held-out, low"])
        < 0.03
        < float(row["MSE (per pixel), held-out, high"])
    )
    assert row["MSE (per pixel), n"] == "2"


def test_what_is_no_number_is_text_in_a_csv_and_sorts_last():
    cells = [MarkedCell("a, b"), MarkedCell("never", float("inf")), MarkedCell("")]
    shown = MarkedTable(["run", "settling (steps)", "mig ↑"], [cells])
    assert _csv(shown) == [["run", "settling (steps)", "mig"], ["a, b", "never", ""]]
    assert 'data-value="Infinity">never<' in to_html(shown)


def _marked(runs):
    """Marks of the MIG and the reconstruction by label."""
    groups = seed_groups(runs)
    keys = ("mig[bins=20]", "reconstruction")
    return {
        group[0].label: [found.get(key) for key in keys]
        for group, found in zip(groups, row_marks(groups), strict=True)
    }


def test_the_best_of_a_column_is_marked_with_what_is_not_told_from_it(make_run, losses):
    mig = {"vae": [0.10, 0.11, 0.10], "lvae": [0.50, 0.52, 0.54], "betavae": [0.30, 0.55, 0.52]}
    folders = [
        make_run(f"{method}{seed}", method=method, seed=seed, metrics=_evaluated(losses, mig=v))
        for method, values in mig.items()
        for seed, v in enumerate(values)
    ]
    runs = load_runs(folders)
    found = _marked(runs)
    assert {label: marks[0] for label, marks in found.items()} == {
        "vae": (),
        "lvae": ("best",),
        "betavae": ("second", "like"),
    }
    assert "<b>" in to_html(
        table(seed_rows(load_runs(folders)), row_marks(seed_groups(load_runs(folders))))
    )


def test_of_single_runs_only_the_best_is_marked(make_run, losses):
    folders = [
        make_run(
            method, method=method, metrics=_evaluated(losses, mig=mig, reconstruction=100 - mig)
        )
        for method, mig in {"vae": 0.1, "lvae": 0.5, "betavae": 0.3}.items()
    ]
    found = _marked(load_runs(folders))
    assert found == {"vae": [None, None], "lvae": [("best",), ("best",)], "betavae": [None, None]}


def test_runs_that_do_not_compare_have_no_marks(make_run, losses):
    """Other data, other numbers of images, no end of the training; nats of other likelihoods."""
    low, high = (
        _evaluated(losses, mig=mig, reconstruction=100 - mig) | {"num_points": 100}
        for mig in (0.1, 0.5)
    )
    one = make_run("one", metrics=low)
    others = {
        "data": make_run("data", method="lvae", data="dsprites", metrics=high),
        "images": make_run("images", method="lvae", metrics=high | {"num_points": 200}),
        "open": make_run("open", method="lvae", metrics=high, finished=False),
    }
    for other in others.values():
        assert [*_marked(load_runs([one, other])).values()] == [[None, None]] * 2
    sigma = make_run("sigma", method="sigmavae", metrics=high)
    assert [*_marked(load_runs([one, sigma])).values()] == [[None, None], [("best",), None]]


def test_copies_and_repeats_of_a_seed_are_no_further_seeds(make_run):
    folders = [make_run("a"), make_run("copy"), make_run("b", seed=1), make_run("again")]
    loaded = load_runs(folders)
    rows = seed_rows(loaded)
    assert [(row["label"], row["seeds"]) for row in rows] == [
        ("vae", 2),
        ("vae, repeated", 1),
        ("vae, repeated", 1),
    ]
    assert [[run.name for run in group] for group in seed_groups(loaded)] == [
        ["a", "b"],
        ["copy"],
        ["again"],
    ]


def test_a_best_value_of_zero_has_its_mark(make_run, losses):
    folders = [
        make_run(method, method=method, metrics=_evaluated(losses, mig=0.1, reconstruction=r))
        for method, r in {"vae": 0.0, "lvae": 5.0}.items()
    ]
    loaded = load_runs(folders)
    found = to_html(table(run_rows(loaded), row_marks([[run] for run in loaded])))
    assert "<b>0.00</b>" in found
