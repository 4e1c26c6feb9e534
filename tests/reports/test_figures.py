import base64
import io

import numpy as np
import pytest
from matplotlib.colors import to_hex

from autobeta.reports import load_runs
from autobeta.reports._style import COLOURS, GREY, MARKERS, looks, svg_uri
from autobeta.reports.figures import (
    beta_over_steps,
    kl_over_steps,
    latent_kl,
    rate_distortion,
    scores_over_steps,
)
from autobeta.run import folder as runs


def _legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_the_kl_curve_is_the_logged_one_and_the_target_is_dashed(make_run, log_rows):
    rows = log_rows(target=18.0)
    (axis,) = kl_over_steps(load_runs([make_run(log=rows)])).axes
    kl, target = axis.lines
    np.testing.assert_array_equal(kl.get_xdata(), [row["step"] for row in rows])
    np.testing.assert_array_equal(kl.get_ydata(), [row["kl_average"] for row in rows])
    np.testing.assert_array_equal(target.get_ydata(), [18.0] * len(rows))
    assert (kl.get_linestyle(), target.get_linestyle()) == ("-", "--")


def test_a_run_without_a_target_has_no_target_line(make_run):
    (axis,) = kl_over_steps(load_runs([make_run()])).axes
    assert len(axis.lines) == 1
    assert axis.get_legend() is None


def test_the_kl_of_the_step_is_drawn_where_no_average_is_logged(make_run, log_rows):
    rows = log_rows()
    for row in rows:
        del row["kl_average"]
    (axis,) = kl_over_steps(load_runs([make_run(log=rows)])).axes
    np.testing.assert_array_equal(axis.lines[0].get_ydata(), [row["terms"]["kl"] for row in rows])


def test_seeds_share_a_panel_and_methods_do_not(make_run):
    folders = [make_run("a"), make_run("b", seed=1), make_run("c", method="lvae")]
    figure = kl_over_steps(load_runs(folders))
    assert [axis.get_title("left") for axis in figure.axes] == ["vae (2 seeds)", "lvae"]
    assert [len(axis.lines) for axis in figure.axes] == [2, 1]
    assert figure.axes[-1].get_xlabel() == "training (steps)"


def test_beta_is_logged_on_a_logarithmic_axis(make_run, log_rows):
    rows = log_rows(beta=4.0)
    (axis,) = beta_over_steps(load_runs([make_run(log=rows)])).axes
    assert axis.get_yscale() == "log"
    np.testing.assert_array_equal(axis.lines[0].get_xdata(), [row["step"] for row in rows])
    np.testing.assert_array_equal(axis.lines[0].get_ydata(), [row["beta"] for row in rows])


def test_the_equivalent_beta_has_a_panel_only_where_it_differs(make_run, log_rows):
    rows = log_rows()
    for row in rows:
        row["equivalent_beta"] = 7.0
    figure = beta_over_steps(load_runs([make_run("a"), make_run("b", method="geco", log=rows)]))
    below = figure.axes[1]
    assert below.get_ylabel() == "equivalent β"
    np.testing.assert_array_equal(below.lines[1].get_ydata(), [7.0] * len(rows))
    assert _legend(figure) == ["vae", "geco"]


def test_a_negative_beta_does_not_vanish_from_the_axis(make_run, log_rows):
    rows = log_rows()
    rows[3]["beta"] = -1000.0
    (axis, _) = beta_over_steps(load_runs([make_run(log=rows)])).axes
    assert axis.get_yscale() == "symlog"


def test_a_beta_of_zero_throughout_is_drawn(make_run, log_rows):
    figure = beta_over_steps(load_runs([make_run(log=log_rows(beta=0.0))]))
    assert svg_uri(figure).startswith("data:image/svg+xml;base64,")


def test_each_run_is_a_point_of_the_rate_distortion_plane(make_run, losses):
    folders = [
        make_run(f"s{s}", seed=s, metrics={"evaluation": {"train": losses(kl=s, mse=s / 10)}})
        for s in (1, 2)
    ]
    (axis,) = rate_distortion(load_runs(folders)).axes
    np.testing.assert_array_equal(axis.lines[0].get_xdata(), [1, 2])
    np.testing.assert_array_equal(axis.lines[0].get_ydata(), [0.1, 0.2])


def test_the_held_out_part_is_taken_only_where_all_runs_have_one(make_run, losses):
    both = {"evaluation": {"train": losses(bce=1.0), "test": losses(bce=2.0)}}
    loaded = load_runs([make_run("a", metrics=both), make_run("b", method="lvae")])
    (alone,) = rate_distortion(loaded[:1], distortion="bce").axes
    (together,) = rate_distortion(loaded, distortion="bce").axes
    assert list(alone.lines[0].get_ydata()) == [2.0]
    assert alone.get_title("left") == "toy, held-out split"
    assert list(together.lines[0].get_ydata()) == [1.0]


def test_the_legend_names_the_methods_of_all_panels(make_run):
    folders = [make_run("a"), make_run("b", method="lvae", data="scenes3d")]
    figure = rate_distortion(load_runs(folders))
    assert len(figure.axes) == 2
    assert _legend(figure) == ["vae on toy", "lvae on scenes3d"]


def test_latents_are_sorted_by_kl_and_dead_ones_are_marked(make_run):
    (axis,) = latent_kl(load_runs([make_run()])).axes
    assert [bar.get_height() for bar in axis.patches] == [12.0, 4.99, 2.0, 0.01]
    assert [label.get_text() for label in axis.get_xticklabels()] == ["1", "3", "2", "0"]
    assert [to_hex(bar.get_facecolor()) for bar in axis.patches] == [
        *[COLOURS[0].lower()] * 3,
        GREY.lower(),
    ]
    assert [text.get_text() for text in axis.texts] == ["dead"]


def test_the_kl_per_latent_comes_from_the_log_where_nothing_is_evaluated(make_run, log_rows):
    rows = log_rows()
    rows[-1]["kl_per_latent"] = [1.0, 3.0]
    folder = make_run(log=rows, metrics=None, pictures=False)
    (axis,) = latent_kl(load_runs([folder])).axes
    assert [bar.get_height() for bar in axis.patches] == [3.0, 1.0]


def test_a_method_has_one_colour_in_every_figure(make_run):
    loaded = load_runs(
        [
            make_run("a", method="vae"),
            make_run("b", method="betavae"),
            make_run("c", method="lvae"),
        ]
    )
    expected = dict(zip(["betavae", "lvae", "vae"], COLOURS, strict=False))
    curves = [axis.lines[0].get_color() for axis in kl_over_steps(loaded).axes]
    points = [line.get_color() for line in rate_distortion(loaded).axes[0].lines]
    bars = latent_kl(loaded[:1], among=loaded).axes[0].patches
    assert curves == points == [expected[run.method] for run in loaded]
    assert to_hex(bars[0].get_facecolor()) == expected["vae"].lower()


def test_no_two_of_many_groups_look_the_same(make_run):
    names = [f"m{n}" for n in range(12)]
    loaded = load_runs([make_run(name, method=name) for name in names])
    assert len(set(looks(loaded).values())) == 12
    assert looks(loaded)["m0"].marker == MARKERS[0]


def test_a_figure_with_nothing_to_show_is_an_error(make_run):
    bare = load_runs([make_run(log=None, metrics=None, pictures=False)])
    for draw, what in (
        (kl_over_steps, "logged step"),
        (beta_over_steps, "logged `beta`"),
        (rate_distortion, "evaluated `mse`"),
        (latent_kl, "KL per latent"),
    ):
        with pytest.raises(ValueError, match=f"`runs` must hold a run with a {what}; got none"):
            draw(bare)


def test_an_unknown_distortion_is_an_error(make_run):
    with pytest.raises(ValueError, match=r"`distortion` must be one of \['bce', 'mse'\]"):
        rate_distortion(load_runs([make_run()]), distortion="ssim")


def test_a_dollar_sign_in_a_name_is_drawn_as_it_is(make_run):
    figure = latent_kl(load_runs([make_run("a$b_$")]))
    assert svg_uri(figure).startswith("data:image/svg+xml;base64,")
    assert figure.axes[0].get_title("left") == "a$b_$"


def test_drawing_leaves_the_settings_of_matplotlib_as_they_were(make_run):
    import matplotlib

    before = dict(matplotlib.rcParams)
    loaded = load_runs([make_run()])
    with matplotlib.rc_context({"font.size": 31, "axes.labelsize": 30}):
        assert kl_over_steps(loaded).axes[0].yaxis.label.get_size() == 10
    assert dict(matplotlib.rcParams) == before
    assert (loaded[0].path / runs.CONFIG).exists()


def test_a_long_name_is_shortened_in_figures_only(make_run):
    name = "first-" + "x" * 90 + "-last"
    (run,) = load_runs([make_run(name)])
    title = latent_kl([run], width=4.0).axes[0].get_title("left")
    assert run.name == name
    assert len(title) == 40
    assert title.startswith("first-xx")
    assert title.endswith("xx-last")


def test_a_pdf_has_truetype_fonts_whatever_the_users_settings_are(make_run):
    file = io.BytesIO()
    kl_over_steps(load_runs([make_run()])).savefig(file, format="pdf")
    assert b"/TrueType" in file.getvalue() or b"/CIDFontType2" in file.getvalue()
    assert b"/Type3" not in file.getvalue()


def test_a_small_difference_looks_small_on_the_plane(make_run, losses):
    folders = [
        make_run(f"s{s}", seed=s, metrics={"evaluation": {"train": losses(kl=kl, mse=mse)}})
        for s, (kl, mse) in enumerate([(20.0, 0.0100), (20.2, 0.0103)])
    ]
    (axis,) = rate_distortion(load_runs(folders)).axes
    low, high = axis.get_ylim()
    assert low < 0.0100 < 0.0103 < high
    assert (0.0103 - 0.0100) / (high - low) < 0.1
    low, high = axis.get_xlim()
    assert (20.2 - 20.0) / (high - low) < 0.1


def test_far_points_keep_their_room(make_run, losses):
    folders = [
        make_run(f"s{s}", seed=s, metrics={"evaluation": {"train": losses(mse=mse)}})
        for s, mse in enumerate([0.001, 0.1])
    ]
    (axis,) = rate_distortion(load_runs(folders)).axes
    low, high = axis.get_ylim()
    assert high - low == pytest.approx(1.24 * 0.099)


def test_curves_of_many_runs_have_fewer_points_each(make_run, log_rows, monkeypatch):
    monkeypatch.setattr("autobeta.reports.figures.MOST_POINTS", 300)
    folders = [make_run(f"s{s}", seed=s, log=log_rows(steps=400)) for s in range(2)]
    (axis,) = kl_over_steps(load_runs(folders)).axes
    assert [len(line.get_xdata()) <= 150 for line in axis.lines] == [True, True]


def test_a_name_in_any_script_is_drawn_without_a_word(make_run):
    figure = latent_kl(load_runs([make_run("实验")]))
    assert "实验" in base64.b64decode(svg_uri(figure).partition(",")[2]).decode()


def test_of_many_latents_those_of_the_largest_kl_are_drawn(make_run):
    folder = make_run(pictures=False, metrics={"kl_per_latent": [*np.arange(50.0), None]})
    (axis,) = latent_kl(load_runs([folder])).axes
    assert [bar.get_height() for bar in axis.patches] == list(np.arange(49.0, 17.0, -1))


def _scored(*lines):
    return [{"step": step, "evaluation": {}, "metrics": found} for step, found in lines]


def test_scores_by_step_end_with_those_of_the_trained_network(make_run):
    early = _scored((10, {"mig[bins=20]": 0.1}), (20, {"mig[bins=20]": 0.3, "sap": None}))
    first, second = make_run("a"), make_run("b", method="lvae")
    runs.write_jsonl(first / runs.EVALUATIONS, early)
    (axis,) = scores_over_steps(load_runs([first, second])).axes
    assert axis.get_title("left") == "mig[bins=20]"
    (line,) = axis.lines
    np.testing.assert_array_equal(line.get_xdata(), [10, 20, 40])
    np.testing.assert_array_equal(line.get_ydata(), [0.1, 0.3, 0.25])  # 0.25: of metrics.json


def test_each_score_by_step_has_a_panel_up_to_eight(make_run):
    folder = make_run()
    many = {f"score{n}": 0.1 * n for n in range(9)} | {"dci[x]": {"completeness": 0.2}}
    runs.write_jsonl(
        folder / runs.EVALUATIONS, _scored((10, {"dci[x]": many.pop("dci[x]")} | many))
    )
    titles = [axis.get_title("left") for axis in scores_over_steps(load_runs([folder])).axes]
    assert titles == ["dci[x] completeness", *(f"score{n}" for n in range(7))]


def test_scores_by_step_need_an_evaluation_on_the_way(make_run):
    folder = make_run()
    with pytest.raises(ValueError, match="evaluation before the end"):
        scores_over_steps(load_runs([folder]))
    runs.write_jsonl(folder / runs.EVALUATIONS, _scored((10, {})))
    with pytest.raises(ValueError, match="`runs` must hold at least one score by step; got none"):
        scores_over_steps(load_runs([folder]))
