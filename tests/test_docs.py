"""The tables and pages that name every method, metric and data set, compared with the code."""

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import pytest

from autobeta import registry
from autobeta.metrics import printed_name

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
FOLDERS = ("methods", "metrics", "data")


def rows(text):
    """First cell, without backticks, to the whole line, of each row that begins with code."""
    return {m[1]: m[0] for m in re.finditer(r"^\| `([^`]+)` \|.*$", text, re.MULTILINE)}


def table(folder):
    """Rows of the table in README.md between the folder's markers."""
    return rows(README.split(f"<!-- {folder} -->")[1].split(f"<!-- /{folder} -->")[0])


def sections(folder):
    """Title to text of each section of second level of a folder's page."""
    page = (ROOT / "docs" / f"{folder}.md").read_text("utf-8")
    parts = re.split(r"^## (.+)$", page, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def addresses(text):
    return set(re.findall(r"https?://[^\s);,]+", text))


@pytest.mark.parametrize("folder", FOLDERS)
def test_readme_lists_all_and_nothing_else(folder):
    names = registry.listed(folder)
    expected = {printed_name(name) if folder == "metrics" else name for name in names}
    assert set(table(folder)) == expected


@pytest.mark.parametrize("folder", FOLDERS)
def test_page_has_a_section_for_each(folder):
    assert set(sections(folder)) == set(registry.available(folder))


@pytest.mark.parametrize("name", registry.listed("methods"))
def test_readme_says_what_a_method_adapts_and_where_it_is_from(name):
    facts, row = registry.describe("methods", name), table("methods")[name]
    assert row.endswith(f"| {facts['ADAPTS']} |")
    assert addresses(str(facts["SOURCE"])) <= addresses(row)


@pytest.mark.parametrize("name", registry.available("metrics"))
def test_readme_states_a_metrics_range_and_source(name):
    facts, row = registry.describe("metrics", name), table("metrics")[printed_name(name)]
    low, high = facts["RANGE"]
    assert f"| {low:g} to {high:g} |" in row
    assert addresses(str(facts["SOURCE"])) <= addresses(row)


@pytest.mark.parametrize("name", registry.available("methods"))
def test_page_has_a_methods_settings_with_their_defaults(name):
    module, section = registry.load("methods", name), sections("methods")[name]
    defaults = {setting: row.split("|")[2].strip(" `") for setting, row in rows(section).items()}
    assert defaults == {f.name: str(f.default) for f in dataclasses.fields(module.Config)}
    for preset in module.PRESETS:
        assert f"`{preset}`" in section


@pytest.mark.parametrize(
    "page", [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")], ids=lambda page: page.name
)
def test_links_to_files_lead_somewhere(page):
    for target in re.findall(r"(?<!!)\[[^\]]*\]\(([^)#\s]+)", page.read_text("utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target
            # the site is made of docs/ alone: a link out of it breaks the strict build
            assert page.parent == ROOT or not target.startswith(".."), target


def test_the_site_builds_without_a_warning(tmp_path):
    pytest.importorskip("mkdocs")
    command = [
        sys.executable,
        "-m",
        "mkdocs",
        "build",
        "--strict",
        "--site-dir",
        tmp_path / "site",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site" / "index.html").exists()
