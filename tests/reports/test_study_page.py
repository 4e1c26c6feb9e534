import base64
import csv
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from autobeta import cli
from autobeta.reports import write_study_figures, write_study_report
from autobeta.run import folder as runs

LONG = {"vae": [0.1, 0.11, 0.1], "dynamicvae": [0.5, 0.52, 0.54]}


def _text(study, out):
    return write_study_report(study.folder, out).read_text("utf-8")


class _Checker(HTMLParser):
    """Every opened element is closed in order; texts beside images, scopes of headings."""

    VOID = ("meta", "img", "br")

    def __init__(self):
        super().__init__()
        self.open, self.images, self.headings = [], [], []

    def handle_starttag(self, tag, attrs):
        if tag == "img":
            self.images.append(dict(attrs))
        if tag == "th":
            self.headings.append(dict(attrs).get("scope"))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_a_study_has_tables_figures_images_ranks_and_its_budget(make_study, tmp_path):
    study = make_study(
        methods=[*LONG], scores=lambda m, s: {"mig[bins=20]": LONG[m][s], "sap": 0.1}
    )
    text = _text(study, tmp_path / "r.html")
    for said in (
        "A study: a study of 6 runs", "Own numbers.", "Scores", "Losses", "negative ELBO (nats) ↓",
        "Rate and distortion (MSE (per pixel))", "KL over training", "β over training",
        "Best run: ", "Median run: ", "Worst run: ", "How KL followed its set point",
        "Against the first method", "Interquartile means", "Choosing a run without labels",
        "Ranks over all scores", "What it took", "torch", "any seed against any other",
    ):  # fmt: skip
        assert said in text, said
    assert "What is missing" not in text
    assert "Scaled" not in text
    assert "by mig[bins=20] ↑" in text


def test_the_page_is_well_formed_and_can_be_read_without_seeing_or_scripts(make_study, tmp_path):
    text = _text(make_study(methods=[*LONG]), tmp_path / "r.html")
    page = _Checker()
    page.feed(text)
    assert page.open == []
    assert page.images
    assert all(len(image["alt"]) > 20 for image in page.images)
    assert set(page.headings) == {"col", "row"}
    assert text.count("<script>") == 1
    assert not re.search("https?:", re.sub(r'"data:[^"]*"', "", text))


def test_numbers_under_a_figure_are_those_of_the_runs(make_study, tmp_path):
    text = _text(make_study(methods=["vae"]), tmp_path / "r.html")
    pattern = r'download="toy-rate-distortion.csv" href="data:text/csv;base64,([^"]+)"'
    content = base64.b64decode(re.search(pattern, text)[1]).decode()
    rows = list(csv.reader(content.splitlines()))
    assert rows[0] == ["group", "seed", "kl", "mse"]
    assert rows[1] == ["vae", "0", "19.0", "0.0125"]
    assert len(rows) == 4


def test_a_scaled_preset_says_so_on_top_and_under_every_table(make_study, tmp_path):
    text = _text(make_study(methods=[*LONG], scale=0.1, preset="cpu-small"), tmp_path / "r.html")
    said = "Preset cpu-small. Scaled: every run has 0.1 times the steps"
    assert text.index(said) < text.index("<table")
    after = text.split("</table>")[1:]
    assert len(after) > 5
    assert all(part.startswith(f'</div>\n<p class="notice">{said}') for part in after)


def test_everything_from_files_is_escaped(make_study, tmp_path):
    evil = "<img onerror=alert(1)>\x1b"
    study = make_study(title=evil, scores=lambda m, s: {evil: 0.1 * s}, preset=evil)
    first = next(iter(study.runs))
    study.write_attempt(first, state="failed", reason=evil)
    text = _text(study, tmp_path / "r.html")
    assert "<img onerror" not in text
    assert "\x1b" not in text
    assert text.count("&lt;img onerror=alert(1)&gt;") > 4


def test_failed_unfinished_and_damaged_runs_are_named_and_nothing_else_is_lost(
    make_study, tmp_path, log_rows
):
    study = make_study(methods=["vae"], seeds="0-4")
    failed, begun, waiting, damaged, _ = study.runs
    (study.run(failed) / runs.METRICS).unlink()
    study.write_attempt(failed, state="failed", reason="DivergedError: the loss is NaN")
    (study.run(begun) / runs.METRICS).unlink()
    runs.write_jsonl(study.run(begun) / runs.LOG, log_rows(steps=9))
    study.write_attempt(begun, state="stopped", reason="")
    shutil.rmtree(study.run(waiting))
    (study.run(damaged) / runs.METRICS).write_text("{")
    text = _text(study, tmp_path / "r.html")
    assert f"<b>{failed}</b>: Failed: DivergedError: the loss is NaN" in text
    assert re.search(rf"<b>[^<]*{begun}[^<]*</b>: Not finished", text)
    assert re.search(rf"<b>[^<]*{waiting}[^<]*</b>: Not finished", text)
    assert re.search(rf"{damaged}</b>:.*Left out, as far as this goes: ValueError", text)
    assert "1 of 5" in text
    assert "KL over training" in text
    assert "(n=1)" in text


def test_a_study_without_a_single_run_is_reported(make_study, tmp_path):
    study = make_study(methods=["vae"])
    shutil.rmtree(study.runs_folder)
    text = _text(study, tmp_path / "r.html")
    assert "Not finished: it is waiting." in text
    assert "<figure>" not in text


def test_a_run_without_pictures_is_said_to_have_none(make_study, tmp_path):
    study = make_study(methods=["vae"], seeds=[0])
    (name,) = study.runs
    (study.run(name) / runs.TRAVERSALS).write_bytes(b"no archive")
    text = _text(study, tmp_path / "r.html")
    assert f"Best run: {name}, mig[bins=20] ↑ 0.200: it has no traversals." in text
    assert "`traversals.npz` is damaged" in text


def test_one_seed_is_shown_as_one(make_study, tmp_path):
    text = _text(make_study(methods=[*LONG], seeds=[0]), tmp_path / "r.html")
    assert "0.200 (n=1)" in text
    tables = re.findall(r"<tbody>.*?</tbody>", text, re.DOTALL)
    assert not any("<b>" in table or "≈" in table for table in tables)


@pytest.mark.whole
def test_the_same_folders_give_the_same_bytes_in_another_process(make_study, tmp_path):
    study = make_study(methods=["vae"])
    here = write_study_report(study.folder, tmp_path / "a.html").read_bytes()
    code = (
        "import sys; from pathlib import Path; from autobeta.reports import write_study_report\n"
        "write_study_report(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "assert 'torch' not in sys.modules"
    )
    command = [sys.executable, "-c", code, study.folder, tmp_path / "b.html"]
    subprocess.run(command, check=True)
    assert (tmp_path / "b.html").read_bytes() == here


@pytest.mark.whole
def test_figures_are_files_named_by_what_they_show(make_study, tmp_path):
    study = make_study(methods=["vae"])
    formats = ("pdf", "svg", "png")
    first = write_study_figures(study.folder, tmp_path / "a", formats=formats)
    names = {path.name for path in first}
    for name in ("toy-rate-distortion", "toy-kl", "toy-beta", "toy-mig-bins-20"):
        assert {f"{name}.{ending}" for ending in (*formats, "csv")} <= names
    again = write_study_figures(study.folder, tmp_path / "b", formats=formats)
    assert [a.read_bytes() for a in first] == [b.read_bytes() for b in again]
    assert (tmp_path / "a" / "toy-kl.pdf").read_bytes().startswith(b"%PDF")


def test_wrong_formats_and_places_are_refused(make_study, tmp_path):
    study = make_study(methods=["vae"], seeds=[0])
    with pytest.raises(ValueError, match="`formats` must be of pdf, svg, png; got 'gif'"):
        write_study_figures(study.folder, tmp_path / "a", formats=["gif"])
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="`out` must be a folder; got the file"):
        write_study_figures(study.folder, tmp_path / "file")
    with pytest.raises(ValueError, match="`out` must be a file; got the folder"):
        write_study_report(study.folder, tmp_path)


def test_the_command_reports_on_a_study_or_on_runs(make_study, make_run, tmp_path, capsys):
    study, run = make_study(methods=["vae"], seeds=[0]), make_run()
    out = str(tmp_path / "r.html")
    assert cli.main(["report", str(study.folder), "--out", out]) == 0
    assert "a study of 1 runs" in (tmp_path / "r.html").read_text("utf-8")
    assert cli.main(["report", str(run), "--out", out]) == 0
    assert "Report on run" in (tmp_path / "r.html").read_text("utf-8")
    figures = ["report", str(study.folder), "--figures", str(tmp_path / "f"), "--format", "png"]
    assert cli.main(figures) == 0
    assert (tmp_path / "f" / "toy-kl.png").is_file()
    capsys.readouterr()
    for args, said in (
        ([str(study.folder)], "`out` must be given, or `figures`"),
        ([str(study.folder), str(run), "--out", out], "`runs` must be run folders, or one study"),
        ([str(run), "--figures", str(tmp_path / "f")], "`figures` must be of a study"),
        ([str(study.folder), "--out", out, "--explorer", "inline"], "`explorer` must be of run"),
        ([str(study.folder), "--figures", out, "--watch", "1"], "`watch` must come with `out`"),
    ):
        assert cli.main(["report", *args]) == 1
        assert said in capsys.readouterr().err


def test_the_command_writes_a_table_of_chosen_metrics(make_study, tmp_path, capsys):
    study = make_study(methods=["vae"])
    out = str(tmp_path / "t.md")
    assert cli.main(["study", "table", str(study.folder), "--metrics", "mig", "--out", out]) == 0
    assert "mig" in (tmp_path / "t.md").read_text("utf-8")
