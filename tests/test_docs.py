"""The tables and pages that name every method, metric and data set, compared with the code."""

import csv
import dataclasses
import re
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
    """Title to text: of each page about a method, or of each section of the folder's page."""
    if folder == "methods":
        pages = (ROOT / "docs" / "methods").glob("*.md")
        return dict(page.read_text("utf-8").removeprefix("# ").split("\n", 1) for page in pages)
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
def test_a_methods_page_has_what_a_reader_looks_for(name):
    page, module = sections("methods")[name], registry.load("methods", name)
    assert addresses(str(registry.describe("methods", name)["SOURCE"])) <= addresses(page)
    assert "## When to use it" in page
    assert "## How it differs from the paper" in page or module.SOURCE.startswith("Ours")
    curves = page.split("## Learning curves")[1]
    assert re.search(r"!\[[^\]]+\]\(\.\./images/[^)]+\)", curves)
    assert "```sh\nautobeta " in curves


@pytest.mark.parametrize("name", registry.available("methods"))
def test_page_has_a_methods_settings_with_their_defaults(name):
    module, section = registry.load("methods", name), sections("methods")[name]
    defaults = {setting: row.split("|")[2].strip(" `") for setting, row in rows(section).items()}
    assert defaults == {f.name: str(f.default) for f in dataclasses.fields(module.Config)}
    for preset in module.PRESETS:
        assert f"`{preset}`" in section


COLUMNS = ("bce", "kl", "equivalent_beta", "mig[bins=20]")
COLUMNS += ("dci[lightgbm] disentanglement", "factorvae")


def scores_of(method, data, beta=None):
    """Numbers of seed 0 in a study's table, as the gallery writes them."""
    for table in (ROOT / "reproductions" / "claims").glob(f"{data}-*.csv"):
        for row in csv.DictReader(table.read_text("utf-8").splitlines()):
            setting = row.get("method.beta") or row.get("method_config.beta")
            other = beta and float(setting or 0) != float(beta)
            if (row["method"], row["seed"], row["state"]) == (method, "0", "done") and not other:
                forms = (",.1f", ".1f", ".3g", ".3f", ".3f", ".3f")
                cells = zip(COLUMNS, forms, strict=True)
                return " | ".join(format(float(row[name]), form) for name, form in cells)
    return None


def test_the_gallerys_scores_are_those_of_the_studies():
    page = (ROOT / "docs" / "gallery.md").read_text("utf-8")
    runs = re.split(r"^### ", page, flags=re.MULTILINE)[1:]
    for run in runs:
        found = re.search(r"autobeta train (\w+)(?: --method.beta (\S+))?.* --data (\w+)", run)
        method, beta, data = found.groups()
        assert f"| {scores_of(method, data, beta)} |" in run, (method, data)
        assert (ROOT / "docs" / re.search(r"\((images/gallery/[^)]+)\)", run)[1]).exists()
    assert 8 <= len(runs) <= 12


@pytest.mark.parametrize(
    "page",
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")],
    ids=lambda page: page.relative_to(ROOT).as_posix(),
)
def test_links_to_files_lead_somewhere(page):
    for target in re.findall(r"(?<!!)\[[^\]]*\]\(([^)#\s]+)", page.read_text("utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target
            # the site is made of docs/ alone: a link out of it breaks the strict build
            inside = (page.parent / target).resolve().is_relative_to(ROOT / "docs")
            assert page.parent == ROOT or inside, target
