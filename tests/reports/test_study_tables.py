import csv
import re
import shutil
import subprocess

import pytest

from autobeta.reports import write_table
from autobeta.reports._formats import to_html
from autobeta.reports._marks import marks
from autobeta.reports._study import load_study
from autobeta.reports.study_tables import marked
from autobeta.run import folder as runs


def _scores(values):
    return lambda method, seed: {"mig[bins=20]": values[method][seed]}


THREE = {"vae": [0.1, 0.11, 0.1], "betavae": [0.5, 0.52, 0.54], "lvae": [0.55, 0.5, 0.53]}


def test_the_best_the_second_and_what_is_like_the_best_are_marked(make_study):
    study = make_study(methods=[*THREE], scores=_scores(THREE))
    table = marked(load_study(study.folder), "toy", ["mig[bins=20]"])
    found = {row[0].text: row[2].marks for row in table.cells}
    assert found == {"vae": (), "betavae": ("second", "like"), "lvae": ("best",)}
    assert table.headings == ["method", "n (seeds)", "mig[bins=20] ↑"]
    text = to_html(table)
    assert "<b>0.527" in text
    assert "<u>0.520" in text
    assert re.search(r"</u>\s≈</td>", text)


def test_a_lower_error_is_the_better_one():
    found = marks({"a": {0: 1.0, 1: 1.1}, "b": {0: 5.0, 1: 5.2}}, False)
    assert found["a"] == ("best",)
    assert "second" in found["b"]


def test_equal_means_share_their_mark_and_none_has_one_where_all_are_equal():
    ones = {0: 1.0, 1: 1.0}
    found = marks({"a": ones, "b": {0: 0.5, 1: 0.4}, "c": ones, "d": {0: 0.4, 1: 0.5}}, True)
    assert found["a"] == found["c"] == ("best",)
    assert found["b"][0] == found["d"][0] == "second"
    assert marks({"a": ones, "b": ones}, True) == {}


def test_runs_that_are_not_done_are_in_no_mean(make_study):
    study = make_study(methods=["vae"], scores=_scores(THREE))
    study.write_attempt(next(iter(study.runs)), state="failed", reason="before its evaluation")
    (row,) = marked(load_study(study.folder), "toy", ["mig[bins=20]"]).cells
    assert (row[1].text, row[2].value) == ("2 of 3", pytest.approx(0.105))


@pytest.mark.parametrize("change", [{"num_points": 20_000}, {"fingerprint": "b" * 16}])
def test_what_was_evaluated_on_other_images_is_a_group_of_its_own(make_study, change):
    study = make_study(methods=["vae"], scores=_scores(THREE))
    last = study.run(list(study.runs)[-1])
    if "fingerprint" in change:
        config = runs.read_json(last / runs.CONFIG)
        config["data"] |= change
        runs.write_json(last / runs.CONFIG, config)
    else:
        runs.write_json(last / runs.METRICS, runs.read_json(last / runs.METRICS) | change)
    table = marked(load_study(study.folder), "toy", ["mig[bins=20]"])
    assert [row[1].text for row in table.cells] == ["2", "1"]
    assert "evaluated on" in table.cells[1][0].text


def test_the_caption_tells_the_settings_that_methods_share_and_have(make_study):
    own = {"betavae": {"beta": 8, "train": {"lr": 1e-3}}}
    study = make_study(methods=["vae", "betavae"], method=own)
    caption = marked(load_study(study.folder), "toy", ["mse"]).caption
    assert "All: steps 40, batch_size 64, precision float32" in caption
    assert "; vae: lr 0.0005; betavae: lr 0.001, beta 8." in caption


def test_a_changed_preset_is_said_to_be_changed(make_study):
    study = make_study(preset="cpu-small", changed="methods, steps")
    notice = load_study(study.folder).notice
    assert notice == "Preset cpu-small, but with other methods, steps than it has."


def test_what_has_no_better_side_has_no_mark():
    assert marks({"a": {0: 1.0, 1: 1.1}, "b": {0: 5.0, 1: 5.2}}, None) == {}


def test_one_seed_has_no_interval_and_no_mark(make_study):
    study = make_study(methods=[*THREE], scores=_scores(THREE), seeds=[0])
    table = marked(load_study(study.folder), "toy", ["mig[bins=20]"])
    assert [row[2].text for row in table.cells] == ["0.100 (n=1)", "0.500 (n=1)", "0.550 (n=1)"]
    assert not any(cell.marks for row in table.cells for cell in row)


def test_seeds_that_are_not_shared_are_said_to_be_untested():
    found = marks({"a": {0: 1.0, 1: 1.1}, "b": {2: 0.5, 3: 0.4}}, True)
    assert found == {"a": ("best",), "b": ("second", "untested")}


def test_nats_of_unlike_likelihoods_are_not_marked(make_study):
    study = make_study(methods=("vae", "sigmavae"))
    for name in filter(lambda name: name.startswith("sigmavae"), study.runs):
        found = runs.read_json(study.run(name) / runs.METRICS)
        found["evaluation"]["train"]["mse"] *= 2
        runs.write_json(study.run(name) / runs.METRICS, found)
    table = marked(load_study(study.folder), "toy", ["reconstruction", "negative_elbo", "mse"])
    assert not any(cell.marks for row in table.cells for cell in row[2:4])
    assert any(row[4].marks for row in table.cells)
    assert "Nats of different likelihoods do not compare" in table.caption


def test_settings_that_differ_within_a_method_stand_in_its_label(make_study):
    study = make_study(methods=("vae", "betavae"), method={"betavae": {"beta": [1.0, 4.0]}})
    record = load_study(study.folder)
    assert [group.label for group in record.groups] == [
        "vae",
        "betavae, beta=1",
        "betavae, beta=4",
    ]


def test_what_carries_a_run_out_splits_no_group(make_study):
    study = make_study(methods=("vae",))
    first = next(iter(study.runs))
    config = runs.read_json(study.run(first) / runs.CONFIG)
    config["train"] |= {"device": "cuda:3", "log_every": 7, "threads": 9}
    config["data"].pop("variant")  # as a version before it wrote it
    runs.write_json(study.run(first) / runs.CONFIG, config)
    (group,) = load_study(study.folder).groups
    assert (group.label, len(group.finished)) == ("vae", 3)


def test_data_of_one_last_name_in_two_folders_stay_apart(make_study, tmp_path):
    for place in ("a", "b"):
        (tmp_path / place / "photos").mkdir(parents=True)
    data = [str(tmp_path / place / "photos") for place in ("a", "b")]
    record = load_study(make_study(methods=("vae",), data=data).folder)
    assert list(record.by_data) == ["photos (1)", "photos (2)"]


@pytest.mark.parametrize("ending", [".md", ".tex"])
def test_a_table_names_scale_and_marks(make_study, tmp_path, ending):
    study = make_study(methods=[*THREE], scores=_scores(THREE), scale=0.1, preset="cpu-small")
    text = write_table(study.folder, tmp_path / f"t{ending}", metrics=["mig"]).read_text("utf-8")
    assert "0.1 times the steps" in text
    assert "Preset cpu-small." in text.replace("\\", "")
    assert "MSE" not in text
    best = {".md": "**0.527", ".tex": r"\textbf{0.527"}[ending]
    second = {".md": "<u>0.520", ".tex": r"\underline{0.520"}[ending]
    assert best in text
    assert second in text
    assert text.count("95 ") == 1


def test_markdown_and_latex_escape_what_runs_are_called(make_study, tmp_path):
    evil = "a|b_$%&#<script>{x}\\"
    study = make_study(methods=("vae",), scores=lambda m, s: {evil: 0.5 + s})
    markdown = write_table(study.folder, tmp_path / "t.md").read_text("utf-8")
    assert r"a\|b\_$%&\#\<script\>{x}\\" in markdown
    latex = write_table(study.folder, tmp_path / "t.tex").read_text("utf-8")
    assert r"a\textbar{}b\_\$\%\&\#\textless{}script\textgreater{}\{x\}" in latex


def test_latex_is_a_table_that_compiles(make_study, tmp_path):
    study = make_study(methods=[*THREE], scores=_scores(THREE))
    text = write_table(study.folder, tmp_path / "t.tex").read_text("utf-8")
    columns = re.search(r"\\begin\{tabular\}\{l(r+)\}", text)[1]
    rows = [line for line in text.splitlines() if line.endswith("\\\\")]
    assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {len(columns)}
    assert text.count("\\toprule") == text.count("\\bottomrule") == 1
    compiler = shutil.which("tectonic") or shutil.which("pdflatex")
    if compiler:
        head = "\\documentclass{article}\\usepackage{booktabs}\\begin{document}\n"
        (tmp_path / "d.tex").write_text(f"{head}{text}\\end{{document}}\n", "utf-8")
        subprocess.run([compiler, "d.tex"], cwd=tmp_path, check=True, capture_output=True)


def test_a_metric_is_known_by_its_beginning(make_study, tmp_path):
    scores = {"mig[bins=20]": 0.1, "dci[trees]": {"disentanglement": 0.2, "completeness": 0.3}}
    study = make_study(methods=("vae",), scores=lambda m, s: scores)
    text = write_table(study.folder, tmp_path / "t.md", metrics=["dci", "mse"]).read_text("utf-8")
    head = text.splitlines()[2].replace("\\", "")
    assert "dci[trees] disentanglement ↑ | dci[trees] completeness ↑ | MSE" in head
    assert "mig" not in head
    with pytest.raises(ValueError, match=r"`metrics` must be ones that the study has, .*'mgi'.*"):
        write_table(study.folder, tmp_path / "t.md", metrics=["mgi"])
    with pytest.raises(ValueError, match="Did you mean 'mig'"):
        write_table(study.folder, tmp_path / "t.md", metrics=["mgi"])


def test_a_csv_keeps_the_asked_scores_and_losses_and_all_facts(make_study, tmp_path):
    scores = {"mig[bins=20]": 0.1, "sap": 0.2}
    study = make_study(methods=("vae",), scores=lambda m, s: scores)
    out = write_table(study.folder, tmp_path / "t.csv", metrics=["sap", "mse", "negative_elbo"])
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert len(rows) == 3
    assert {"run", "seed", "beta", "sap", "mse", "elbo"} <= set(rows[0])
    assert not {"mig[bins=20]", "psnr", "kl", "bce", "reconstruction"} & set(rows[0])


def test_parquet_is_read_back(make_study, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    study = make_study(methods=("vae",))
    table = parquet.read_table(write_table(study.folder, tmp_path / "t.parquet"))
    assert table.column("seed").to_pylist() == [0, 1, 2]


def test_another_ending_is_refused(make_study, tmp_path):
    with pytest.raises(
        ValueError, match=r"`out` must end in .csv, .parquet, .md, .tex; got t.xls"
    ):
        write_table(make_study(methods=("vae",)).folder, tmp_path / "t.xls")


def test_a_table_at_a_step_has_the_runs_as_they_were_then(make_study, tmp_path):
    study = make_study(seeds="0-1", methods=["vae"])
    for seed, name in enumerate(study.runs):
        early = [
            {"step": step, "num_points": 50, "evaluation": {"train": {"mse": 1.0 / step}}}
            | {"metrics": {"mig[bins=20]": 0.01 * step + seed}}
            for step in (10, 20)
        ]
        runs.write_jsonl(study.run(name) / runs.EVALUATIONS, early)
    out = write_table(study.folder, tmp_path / "t.csv", at=20)
    rows = [*csv.DictReader(out.read_text().splitlines())]
    assert [float(row["mig[bins=20]"]) for row in rows] == pytest.approx([0.2, 1.2])
    assert [float(row["mse"]) for row in rows] == [0.05, 0.05]
    assert {(row["evaluated_step"], row["evaluated_images"]) for row in rows} == {("20", "50")}
    written = [write_table(study.folder, tmp_path / f"{at}.csv", at=at) for at in (40, None)]
    last, end = ([*csv.DictReader(out.read_text().splitlines())] for out in written)
    assert last == [row | {"at": "40"} for row in end]
    text = write_table(study.folder, tmp_path / "t.md", at=10).read_text()
    assert "| vae | 2 |" in text
    assert "As the runs were after 10 steps." in text
    assert "evaluated on" not in text
    with pytest.raises(ValueError, match=r"evaluated, 10, 20, 40; got 15\. For others train"):
        write_table(study.folder, tmp_path / "t.csv", at=15)


def test_a_run_that_is_not_finished_is_in_the_table_of_a_step_that_it_has(make_study, tmp_path):
    study = make_study(seeds="0-1", methods=["vae"])
    going_on, other = map(study.run, study.runs)
    line = {"num_points": 50, "evaluation": {}, "metrics": {"mig[bins=20]": 0.1}}
    for folder in (going_on, other):
        runs.write_jsonl(folder / runs.EVALUATIONS, [{"step": 20, **line}])
    (going_on / runs.METRICS).unlink()
    with (other / runs.EVALUATIONS).open("a") as file:
        file.write('"damaged"\n')
    assert "| vae | 2 |" in write_table(study.folder, tmp_path / "t.md", at=20).read_text()
    early, late = load_study(study.folder, 40).table
    assert early["reason"].endswith("it was not evaluated after 40 steps")
    assert "mig[bins=20]" not in early or early["mig[bins=20]"] is None
    assert (late["at"], late["reason"]) == (40, None)
    assert "`evaluations.jsonl` is damaged" in load_study(study.folder, 30).table[1]["reason"]


def test_runs_that_were_evaluated_on_other_images_at_a_step_are_told_apart(make_study, tmp_path):
    study = make_study(seeds="0-1")
    for name in study.runs:
        points = 50 if name.startswith("vae") else 70
        line = {"step": 20, "num_points": points, "evaluation": {"train": {"mse": 0.1}}}
        runs.write_jsonl(study.run(name) / runs.EVALUATIONS, [line | {"metrics": {}}])
    text = write_table(study.folder, tmp_path / "t.md", at=20).read_text()
    assert "| vae, evaluated on 50 images" in text
    assert "evaluated on 70 images" in text


def test_a_table_at_a_step_has_beta_and_hours_of_then(make_study):
    [name] = (study := make_study(seeds="0", methods=["vae"])).runs
    log = runs.read_log(study.run(name))
    at = log[len(log) // 2]["step"]
    first = log[0]["step"] - 1  # nothing was logged yet
    lines = [{"step": step, "num_points": 50, "metrics": {}} for step in (first, at)]
    runs.write_jsonl(study.run(name) / runs.EVALUATIONS, lines)
    for row in log:
        row["beta"] = float(row["step"])
    runs.write_jsonl(study.run(name) / runs.LOG, log)
    [row] = load_study(study.folder, at).table
    assert row["beta"] == row["evaluated_step"] == at
    [early] = load_study(study.folder, first).table
    assert (early.get("beta"), early["reason"]) == (None, None)
    [none] = load_study(study.folder, at + 1).table
    assert none.get("beta") is none.get("hours") is None
