"""The site as a visitor has it: built once, then read as HTML."""

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from filelock import FileLock

import autobeta

pytestmark = pytest.mark.whole

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
PACKAGES = ("control", "data", "methods", "metrics", "models", "objectives", "reports")
PACKAGES += ("training", "weighting")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}
NAMED = ("canonical", "next", "prev", "alternate")  # links that load nothing


class Page(HTMLParser):
    """What a page has that others may point to, where it leads, and what it loads."""

    def __init__(self, path):
        super().__init__()
        self.ids, self.links, self.loads, self.math = set(), [], [], 0
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.ids |= {given.get("id"), given.get("name")}
        self.math += tag == "math"
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        if given.get(LOADED.get(tag)) and given.get("rel") not in NAMED:
            self.loads.append(given[LOADED[tag]])


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """The folder of the site, and what its builder said; built once for all workers."""
    for module in ("material", "mkdocstrings", "latex2mathml"):
        pytest.importorskip(module)
    folder = tmp_path_factory.getbasetemp()
    folder = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
    said = folder / "site.log"
    with FileLock(folder / "site.lock"):
        if not said.exists():
            command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir"]
            done = subprocess.run(
                [*command, folder / "site"],
                cwd=ROOT,
                env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
                capture_output=True,
                text=True,
                timeout=300,
            )
            said.write_text("" if done.returncode == 0 else done.stderr)
    return folder / "site", said.read_text()


@pytest.fixture(scope="session")
def site(built):
    return {path.relative_to(built[0]).as_posix(): Page(path) for path in built[0].rglob("*.html")}


def test_the_site_builds_without_a_warning(built):
    assert built[1] == ""
    assert (built[0] / "index.html").exists()


def test_nothing_is_loaded_from_elsewhere(built, site):
    for name, page in site.items():
        away = [url for url in page.loads if urlsplit(url).scheme not in ("", "data")]
        assert not [*away, *(url for url in page.loads if url.startswith("//"))], name
        assert "mermaid" not in page.ids, "its program would come from elsewhere"
    for path in built[0].rglob("*.css"):
        found = re.findall(r"url\(\s*[\"']?((?:https?:)?//[^)]+)\)", path.read_text("utf-8"))
        assert not found, path


def test_every_link_leads_to_a_page_and_a_place_on_it(site, built):
    for name, page in site.items():
        if name == "404.html":  # of a server, with addresses from its root
            continue
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme in ("http", "https", "mailto"):
                continue
            assert not link.startswith("/"), f"{link} on {name} needs a server"
            path = (
                (built[0] / name).parent / unquote(parts.path) if parts.path else built[0] / name
            )
            path = path.resolve()
            assert path.exists(), f"{link} on {name} leads nowhere"
            place = unquote(parts.fragment)
            other = site.get(path.relative_to(built[0].resolve()).as_posix())
            assert not place or (other and place in other.ids), f"{link} on {name}: no such place"


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_into_the_pages_lead_to_a_place(name, site):
    text = (ROOT / name).read_text("utf-8")
    for page, place in re.findall(r"\]\(docs/([\w/-]+)\.md(?:#([^)]+))?\)", text):
        assert f"{page}.html" in site, page
        assert not place or place in site[f"{page}.html"].ids, f"{page}.md#{place}"


def test_messages_of_the_program_name_pages_that_are_there(site):
    found = set()
    for path in (ROOT / "src").rglob("*.*"):
        if path.suffix in (".py", ".toml", ".js"):
            text = path.read_text("utf-8")
            names = re.findall(r"docs/([\w/-]+)\.md(?:#([\w-]+))?", text)
            names += [(page, "") for page in re.findall(r"`autobeta docs ([\w/-]+)`", text)]
            found |= {(path.name, *name) for name in names}
    assert found
    for source, page, place in found:
        assert f"{page}.html" in site, f"{source} tells to see docs/{page}.md"
        assert not place or place in site[f"{page}.html"].ids, f"{source}: {page}.md#{place}"


def test_no_page_links_to_itself():
    for path in PAGES:
        links = re.findall(r"\]\(([^)#:]+\.md)\)", path.read_text("utf-8"))
        assert path not in [(path.parent / link).resolve() for link in links], path


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(DOCS).as_posix())
def test_formulas_are_typeset(path, site):
    text = path.read_text("utf-8")
    blocks = re.findall(r"^```math\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    inline = re.findall(r"\$`[^`\n]+`\$", text)
    page = site[path.relative_to(DOCS).with_suffix(".html").as_posix()]
    assert page.math == len(blocks) + len(inline)


def test_formulas_have_no_command_that_is_not_known(built):
    for path in built[0].rglob("*.html"):
        text = path.read_text("utf-8")
        assert "xFORMULAx" not in text, path
        for formula in re.findall(r"<math.*?</math>", text, re.DOTALL):
            assert not re.search(r"\\|<m[io]>&(amp;)?<", formula), (path, formula)


def test_the_search_knows_every_page(built):
    index = json.loads((built[0] / "search" / "search_index.json").read_text("utf-8"))
    known = {entry["location"].split("#")[0] or "index.html" for entry in index["docs"]}
    assert {path.relative_to(DOCS).with_suffix(".html").as_posix() for path in PAGES} <= known


def test_the_reference_has_every_public_name(site):
    ids = set().union(*(page.ids for name, page in site.items() if name.startswith("api/")))
    ends = {name.rsplit(".", 1)[-1] for name in ids if name}
    assert set(autobeta.__all__) <= ends
    for package in PACKAGES:
        module = importlib.import_module(f"autobeta.{package}")
        names = [name for name in module.__all__ if callable(getattr(module, name))]
        assert set(names) <= ends, package


@pytest.mark.browser
def test_the_search_answers_on_a_page_opened_from_a_file(built):
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip("needs chromium")
    options = ("--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=8000")
    address = (built[0] / "index.html").as_uri() + "?q=anti-windup"
    done = subprocess.run(
        [browser, *options, "--dump-dom", address], capture_output=True, text=True, timeout=120
    )
    assert "matching document" in done.stdout
    assert "controlvae.html" in done.stdout
