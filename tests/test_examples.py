"""The Python blocks of README.md and docs/, and the quickstart, run as they stand, on toy data."""

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def script_of(page):
    """A page's Python blocks as one script; all else becomes blank, so line numbers stay."""
    language, lines = None, []
    for line in page.read_text("utf-8").splitlines():
        fence = line.startswith("```")
        lines.append(line if language == "python" and not fence else "")
        if fence:
            language = (line[3:] or "text") if language is None else None
    return "\n".join(lines)


PAGES = [
    page
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    if script_of(page).strip()
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_blocks_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUTOBETA_DATA", str(tmp_path / "data"))
    names = {"__name__": "example"}
    exec(compile(script_of(page), str(page), "exec"), names)
    modules = [str(getattr(value, "__module__", value)) for value in names.values()]
    assert any("autobeta" in module for module in modules), "the page shows nothing of autobeta"


def test_quickstart_writes_a_report_and_does_nothing_twice(tmp_path, capsys):
    main = runpy.run_path(str(ROOT / "examples" / "quickstart.py"))["main"]
    arguments = ["--data", "toy", "--steps", "3", "--num-points", "150", "--out", str(tmp_path)]
    report = tmp_path / "report.html"
    for _ in range(2):
        assert main(arguments) == 0
        assert capsys.readouterr().out.splitlines()[-1] == str(report)
    assert report.read_text("utf-8").startswith("<!DOCTYPE html>")
    for method in ("vae", "dynamicvae", "lvae"):
        timing = tmp_path / f"{method}-toy-3" / "timing.jsonl"
        assert len(timing.read_text().splitlines()) == 3


LOOPS = {"plain": ("steps", 60), "lightning": ("epochs", 8), "accelerate": ("steps", 60)}


@pytest.mark.filterwarnings("ignore")  # of the other libraries, about each other
@pytest.mark.parametrize("name", LOOPS)
def test_loops_of_others_hold_the_controller_and_resume(name, tmp_path, monkeypatch):
    if name != "plain":
        pytest.importorskip(name)
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    monkeypatch.chdir(tmp_path)
    main = runpy.run_path(str(ROOT / "examples" / f"{name}_loop.py"))["main"]
    length, whole = LOOPS[name]
    betas = main(tmp_path / "whole", **{length: whole})
    first = main(tmp_path / "parts", **{length: whole // 2})
    second = main(tmp_path / "parts", **{length: whole})
    assert first + second == betas
    assert len(second) == len(first) > 20
    assert betas[-1] < betas[0] < 50  # KL is below its target, so beta falls
