import re
import subprocess
import sys

import pytest

from autobeta import runs
from autobeta.reports import write_report


def _text(folders, out):
    return write_report(folders, out).read_text("utf-8")


def test_a_report_holds_figures_tables_images_and_settings(make_run, tmp_path, log_rows):
    folders = [
        make_run("a", log=log_rows(target=18.0)),
        make_run("b", seed=1),
        make_run("c", method="lvae"),
    ]
    text = _text(folders, tmp_path / "report.html")
    for title in (
        "KL over training", "β over training", "Rate and distortion (MSE)",
        "Rate and distortion (BCE)", "KL of each latent", "Reconstructions", "Traversals",
        "Prior samples", "All settings", "Versions and environment", "Every run",
    ):  # fmt: skip
        assert title in text
    assert "What is missing" not in text
    assert "mig[bins=20]" in text
    assert "<dt>train.batch_size</dt><dd>64</dd>" in text
    assert "<dt>packages.torch</dt><dd>2</dd>" in text


def test_the_page_fetches_and_executes_nothing(make_run, tmp_path):
    text = _text([make_run()], tmp_path / "report.html")
    for forbidden in ("http://", "https://", "<script", "<link", "@import", "url("):
        assert forbidden not in text
    assert all(source.startswith("data:image/") for source in re.findall(r'src="([^"]+)"', text))


def test_everything_that_comes_from_files_is_escaped(make_run, tmp_path):
    evil = "<img onerror=alert(1)>"
    folder = make_run("a&b", method=evil, data=evil, settings={evil: evil})
    metrics = runs.read_json(folder / runs.METRICS)
    runs.write_json(folder / runs.METRICS, metrics | {"metrics": {evil: 0.5}})
    runs.write_json(folder / runs.ENVIRONMENT, {evil: [evil]})
    text = _text([folder, make_run("c", metrics=None)], tmp_path / "report.html")
    assert "<img onerror" not in text
    assert "&lt;img onerror" in text
    assert "a&b" not in text
    assert "a&amp;b" in text


def test_a_missing_evaluation_is_named(make_run, tmp_path):
    text = _text([make_run("a"), make_run("b", metrics=None)], tmp_path / "report.html")
    assert "<b>b</b>: It was not evaluated" in text


def test_an_unfinished_run_is_reported_with_what_it_has(make_run, tmp_path, log_rows):
    folder = make_run(log=log_rows(steps=9), metrics=None, pictures=False, finished=False)
    text = _text([folder], tmp_path / "report.html")
    assert "Training has not finished: step 9 of 40 was logged last." in text
    assert "KL over training" in text
    assert "Traversals" not in text


def test_a_run_that_has_only_just_begun_is_reported(make_run, tmp_path):
    folder = make_run(log=None, metrics=None, pictures=False, finished=False)
    text = _text([folder], tmp_path / "report.html")
    assert "Training has not finished." in text
    assert "KL over training" not in text


def test_the_same_folders_give_the_same_bytes_in_another_process(make_run, tmp_path, log_rows):
    folders = [make_run("a", log=log_rows(target=18.0)), make_run("b", method="lvae")]
    here = write_report(folders, tmp_path / "here.html").read_bytes()
    code = (
        "import pathlib, sys; from autobeta.reports import write_report; "
        "write_report(*(lambda out, *runs: (runs, out))(*map(pathlib.Path, sys.argv[1:])))"
    )
    command = [sys.executable, "-c", code, tmp_path / "there.html", *folders]
    subprocess.run(command, check=True, timeout=120)
    assert (tmp_path / "there.html").read_bytes() == here


def test_the_page_names_no_path_of_the_machine(make_run, tmp_path):
    assert str(tmp_path) not in _text([make_run()], tmp_path / "report.html")


def test_a_former_report_is_replaced_in_one_go(make_run, tmp_path):
    out = tmp_path / "reports" / "report.html"
    out.parent.mkdir()
    out.write_text("old")
    assert write_report([make_run()], out) == out
    assert out.read_text("utf-8").startswith("<!DOCTYPE html>")
    assert [path.name for path in out.parent.iterdir()] == ["report.html"]


def test_a_folder_that_is_no_run_leaves_no_report(make_run, tmp_path):
    out = tmp_path / "report.html"
    with pytest.raises(FileNotFoundError, match=r"must be a run folder; it has no config\.json"):
        write_report([tmp_path], out)
    with pytest.raises(FileNotFoundError, match=r"there is nothing at `.*typo`"):
        write_report([make_run(), tmp_path / "typo"], out)
    assert not out.exists()


def test_a_folder_as_output_is_an_error(make_run, tmp_path):
    with pytest.raises(ValueError, match="`out` must be a file; got the folder"):
        write_report([make_run()], tmp_path)


def test_reports_are_made_without_torch_and_without_pyplot():
    code = (
        "import sys, autobeta.reports; "
        "assert not {'torch', 'matplotlib.pyplot', 'PIL.GifImagePlugin'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_controlled_runs_have_a_table_of_their_tracking_and_advice(make_run, tmp_path, log_rows):
    def lines(kl, **target):
        return [{**row, "kl_average": kl} for row in log_rows(**target)]

    runs = [
        make_run("held", log=lines(20.1, target=20.0)),
        make_run("lagging", log=lines(17.0, target=20.0)),
        make_run("free", log=lines(17.0)),
    ]
    page = write_report(runs, tmp_path / "report.html").read_text("utf-8")
    table = page.split("How well KL followed its set point")[1].split("</table>")[0]
    assert "held" in table
    assert "free" not in table
    assert "100.0%" in table.split("lagging")[0]
    assert "0.0%" in table.split("lagging")[1]
    assert "<b>lagging</b>: KL lags by up to 3.00 nats" in page
    assert "<b>held</b>: KL" not in page
    assert "How well KL followed" not in write_report(runs[2:], tmp_path / "b.html").read_text()
