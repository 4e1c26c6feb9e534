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
    exec(compile(script_of(page), str(page), "exec"), {"__name__": "example"})


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
