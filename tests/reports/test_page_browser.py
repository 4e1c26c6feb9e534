"""Reports in a browser: what can be sorted, moved, enlarged and saved, and how they look."""

import base64
import csv
import io
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from autobeta.reports import write_report, write_study_report
from autobeta.run import folder as runs

pytestmark = pytest.mark.browser

MSE = {"a": 0.012345678901234567, "b": 0.2, "c": 0.03}
TABLE = "[...document.querySelectorAll('table')].find((t) => t.textContent.includes('MSE'))"
ORDER = f"[...{TABLE}.tBodies[0].rows].map((row) => row.cells[0].textContent)"
SORTED = f"[...{TABLE}.querySelectorAll('thead th')].map((h) => h.ariaSort).filter(Boolean)"


@pytest.fixture
def page(make_run, tmp_path, losses):
    """A report on three runs, of which the last has no MSE, and one more that is not finished."""
    folders = []
    for name, mse in MSE.items():
        evaluation = {"train": losses(mse=mse if name != "c" else None)}
        metrics = {"evaluation": evaluation, "metrics": {"mig[bins=20]": mse}}
        method = "vae" if name != "b" else "lvae"
        folders.append(make_run(name, method=method, metrics=metrics, settings={"x": name}))
    folders.append(make_run("open", metrics=None, pictures=False, finished=False))
    return write_report(folders, tmp_path / "report.html")


def click(browser, found):
    """Click on what an expression gives."""
    browser.ask(f"{{ const found = {found}; found.id ||= 'found'; window.clicked = found.id; }}")
    browser.click(f"#{browser.ask('clicked')}")
    browser.ask("document.querySelector('#found')?.removeAttribute('id')")


def heading(text):
    buttons = f"[...{TABLE}.querySelectorAll('thead button')]"
    return f"{buttons}.find((button) => button.textContent.startsWith('{text}'))"


def test_a_heading_sorts_by_value_best_first_and_blanks_last(browser, page):
    browser.open(page)
    start = browser.ask(ORDER)
    assert start == ["a", "b", "c", "open"]
    click(browser, heading("MSE"))
    assert browser.ask(ORDER) == ["a", "b", "c", "open"]
    assert browser.ask(SORTED) == ["ascending"]
    click(browser, heading("MSE"))
    assert browser.ask(ORDER)[:2] == ["b", "a"]
    assert browser.ask(SORTED) == ["descending"]
    click(browser, heading("MSE"))
    assert browser.ask(ORDER) == start
    assert browser.ask(SORTED) == []
    assert browser.complaints == []


def test_headings_sort_by_the_keyboard(browser, page):
    browser.open(page)
    browser.ask(f"{heading('run')}.focus()")
    for expected in (["a", "b", "c", "open"], ["open", "c", "b", "a"]):
        browser.send("Input.dispatchKeyEvent", type="keyDown", key="Enter", text="\r")
        browser.send("Input.dispatchKeyEvent", type="keyUp", key="Enter")
        browser.drawn()
        assert browser.ask(ORDER) == expected


def test_a_score_sorts_the_methods_where_these_are_columns(browser, make_run, tmp_path, losses):
    found = {"vae": (0.2, 3.0), "lvae": (0.5, 1.0), "betavae": (None, 2.0)}
    for method, (mig, correlation) in found.items():
        scores = {"mig[bins=20]": mig, "gaussian_total_correlation": correlation}
        scores |= {"sap": 0.1, "modularity[bins=20]": 0.1}
        metrics = {"evaluation": {"train": losses()}, "metrics": scores}
        make_run(method, method=method, metrics=metrics)
    page = write_report([tmp_path / name for name in found], tmp_path / "report.html")
    browser.open(page)
    table = "document.querySelector('table.turned')"
    columns = f"[...{table}.tHead.rows[0].cells].slice(1).map((cell) => cell.textContent)"
    numbers = f"[...{table}.rows].slice(1).map((row) => [...row.cells].map((c) => c.textContent))"
    start, before = browser.ask(columns), browser.ask(numbers)
    assert len(start) == 3

    def by(score):
        rows = f"[...{table}.querySelectorAll('tbody th button')]"
        click(browser, f"{rows}.find((row) => row.textContent.startsWith('{score}'))")
        return [name.split()[0] for name in browser.ask(columns)]

    assert by("mig") == ["lvae", "vae", "betavae"]  # best first, and what has none last
    assert by("gaussian_total_correlation") == ["lvae", "betavae", "vae"]  # lower is better
    told = [*zip(*browser.ask(numbers), strict=True)]  # a column keeps its numbers
    assert {*zip(browser.ask(columns), told[1:], strict=True)} == {
        *zip(start, [*zip(*before, strict=True)][1:], strict=True)
    }
    for _ in range(2):
        by("gaussian_total_correlation")
    assert browser.ask(columns) == start
    assert browser.complaints == []


def test_the_numbers_of_a_table_are_saved_unrounded(browser, page):
    browser.open(page)
    click(browser, f"{TABLE}.querySelector('caption a')")
    name, content = browser.file("csv")
    assert name == "runs.csv"
    rows = [*csv.DictReader(io.StringIO(content.decode()))]
    found = {row["run"]: row["MSE (per pixel)"] for row in rows}
    assert found == {"a": repr(MSE["a"]), "b": "0.2", "c": "", "open": ""}


def canvas(browser):
    """Pixels of the first strip's image, as grey."""
    uri = browser.ask("document.querySelector('.sliders canvas').toDataURL('image/png')")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).convert("L"))


def test_each_slider_of_a_traversal_shows_the_image_at_its_place(browser, page):
    browser.open(page)
    sliders = "[...document.querySelector('.sliders').querySelectorAll('input')]"
    labels = browser.ask(f"{sliders}.map((slider) => slider.ariaLabel)")
    assert labels == ["z1  12.00 nats", "z3  4.99 nats", "z2  2.00 nats", "z0  dead"]
    for row, column in ((0, 0), (1, 3), (2, 4)):
        browser.ask(
            f"{{ const slider = {sliders}[{row}]; slider.value = {column};"
            "slider.dispatchEvent(new Event('input')); }"
        )
        browser.drawn()
        shown = canvas(browser)
        assert shown.shape == (64, 64)
        top = (5 * row + column) % 12  # of the white square in the image, see the fixture
        brightest = np.flatnonzero(shown[:, 16:32].mean(axis=1) > 150)
        assert abs(brightest[0] - 4 * top) <= 1
        assert abs(brightest[-1] - (4 * top + 15)) <= 1
    assert browser.ask("document.querySelector('.sliders output').textContent") == "z2 = 2.00"
    browser.ask(f"{sliders}[1].focus()")
    browser.press("ArrowLeft", 37)
    assert browser.ask("document.querySelector('.sliders output').textContent") == "z3 = 0.00"
    assert browser.complaints == []


def test_a_figure_is_enlarged_and_closed_by_a_key(browser, page):
    browser.open(page)
    width = browser.ask("document.querySelector('figure img').clientWidth")
    browser.click("figure .enlarge")
    assert browser.ask("document.querySelector('dialog').open")
    assert browser.ask("document.querySelector('dialog img').clientWidth") > 1.5 * width
    same = "document.querySelector('dialog img').src === document.querySelector('figure img').src"
    assert browser.ask(same)
    browser.press("Escape", 27)
    assert not browser.ask("document.querySelector('dialog').open")


def test_figures_are_saved_as_files(browser, page):
    browser.open(page)
    browser.click("figure.drawn .save")
    name, content = browser.file("svg")
    assert name == "kl.svg"
    assert ElementTree.fromstring(content).tag.endswith("svg")
    browser.click("figure:not(.drawn) .enlarge")
    browser.click("dialog .save")
    name, picture = browser.saved("webp")
    assert name == "a-reconstructions.webp"
    assert picture.width > 500


BACK = "getComputedStyle(document.body).backgroundColor"
INK = "getComputedStyle(document.body).color"


def luminance(colour):
    parts = np.array([int(part) for part in colour[4:-1].split(",")]) / 255
    linear = np.where(parts <= 0.03928, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def test_dark_is_what_the_browser_prefers_until_it_is_chosen(browser, page):
    browser.open(page)
    assert luminance(browser.ask(BACK)) > 0.9
    browser.open(page, dark=True)
    back, ink = (luminance(browser.ask(colour)) for colour in (BACK, INK))
    assert (ink + 0.05) / (back + 0.05) > 7
    drawn = "getComputedStyle(document.querySelector('.drawn img')).filter"
    assert "invert" in browser.ask(drawn)
    browser.click(".theme")
    assert luminance(browser.ask(BACK)) > 0.9
    assert browser.ask(drawn) == "none"
    browser.open(page, dark=True)
    assert luminance(browser.ask(BACK)) > 0.9, "the choice is kept"
    browser.ask("localStorage.clear()")


def test_the_contents_stay_in_view_and_tell_where_one_is(browser, page):
    browser.open(page)
    browser.ask("document.querySelector('.contents a[href=\"#Numbers\"]').click()")
    browser.drawn()
    current = "document.querySelector('.contents [aria-current]').textContent"
    browser.until(f"{current} === 'Numbers'")
    assert browser.ask("scrollY") > 500
    assert browser.ask("document.querySelector('.contents').getBoundingClientRect().top") >= 0
    links = browser.ask(
        "[...document.querySelectorAll('.contents a')].map((a) => a.hash.slice(1))"
    )
    assert links == [*dict.fromkeys(links)]
    assert browser.ask(f"{links}.every((id) => document.getElementById(id))")


def test_on_a_phone_the_contents_fold_and_a_list_sorts(browser, page):
    browser.open(page, width=390, height=844)
    contents = "document.querySelector('.contents details')"
    assert not browser.ask(f"{contents}.open")
    browser.ask("document.querySelector('#Numbers').scrollIntoView()")
    browser.drawn()
    assert browser.ask(f"{contents}.getBoundingClientRect().top") >= 0
    browser.click(".contents summary")
    assert browser.ask(f"{contents}.open")
    browser.click('.contents a[href="#Numbers"]')
    browser.until(f"!{contents}.open")
    first = browser.ask(ORDER)
    browser.ask(
        f"{{ const sort = {TABLE}.previousSibling; sort.id = 'sort';"
        "const choice = sort.querySelector('select');"
        "choice.selectedIndex = 0; choice.dispatchEvent(new Event('change')); }"
    )
    browser.ask("document.querySelector('#sort').scrollIntoView({ block: 'center' })")
    assert browser.ask(ORDER) == ["a", "b", "c", "open"]
    browser.click("#sort button")
    assert browser.ask(ORDER) == ["open", "c", "b", "a"]
    assert browser.ask("document.querySelector('#sort select').selectedIndex") == 0
    browser.click("#sort button")
    assert browser.ask(ORDER) == first
    assert browser.ask("document.querySelector('#sort select').selectedIndex") == -1
    assert browser.ask("document.documentElement.scrollWidth") <= 390


def test_print_is_light_whole_and_without_controls(browser, page):
    browser.open(page, dark=True)
    browser.send("Emulation.setEmulatedMedia", media="print")
    for selector in (".contents", ".theme", ".save", ".sliders", ".sort"):
        assert browser.ask(f"getComputedStyle(document.querySelector('{selector}')).display") == (
            "none"
        ), selector
    assert luminance(browser.ask(BACK)) > 0.9
    browser.send("Emulation.setEmulatedMedia", media="")
    browser.ask("dispatchEvent(new Event('beforeprint'))")
    folded = "[...document.querySelectorAll('main details:not([open])')]"
    assert browser.ask(f"{folded}.filter((d) => d.querySelector('table')).length") == 0
    browser.ask("dispatchEvent(new Event('afterprint'))")
    pages = browser.send("Page.printToPDF", preferCSSPageSize=True)["data"]
    assert base64.b64decode(pages).startswith(b"%PDF")


def test_without_a_script_all_is_there(browser, page):
    browser.send("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.send("Page.navigate", url=page.as_uri())
        browser.until(f"location.href === '{page.as_uri()}' && document.readyState === 'complete'")
        assert browser.ask("document.querySelector('.contents details').open")
        assert browser.ask("[...document.images].every((image) => image.naturalWidth)")
        assert browser.ask("document.querySelectorAll('.sliders, dialog, .theme').length") == 0
        assert "0.0123" in browser.ask("document.body.innerText")
    finally:
        browser.send("Emulation.setScriptExecutionDisabled", value=False)


def test_a_page_that_is_written_again_loads_itself_and_stays_where_it_was(
    browser, make_run, tmp_path, log_rows
):
    folders = [make_run(name, method=m) for name, m in (("a", "vae"), ("b", "lvae"))]
    folders.append(
        make_run("c", log=log_rows(steps=9), metrics=None, pictures=False, finished=False)
    )
    out = write_report(folders, tmp_path / "report.html", renew=0.3)
    browser.open(out)
    assert "step 9 of 40" in browser.ask("document.querySelector('.open').textContent")
    click(browser, heading("run"))
    click(browser, heading("run"))
    browser.ask("document.querySelector('#b').scrollIntoView(); scrollBy(0, 50)")
    browser.ask("document.querySelectorAll('figure .enlarge')[5].click()")
    browser.ask("window.former = true")
    runs.write_jsonl(folders[2] / runs.LOG, log_rows(steps=20))
    write_report(folders, out, renew=0.3)
    browser.ask("new Promise((done) => setTimeout(done, 1000))")
    assert browser.ask("window.former"), "an enlarged figure is not taken away"
    browser.ask("document.querySelector('dialog').close()")
    browser.until("!window.former && document.readyState === 'complete'")
    browser.until("document.querySelector('.open').textContent.includes('step 20 of 40')")
    browser.until("Math.abs(document.querySelector('#b').getBoundingClientRect().top + 50) < 3")
    assert browser.ask(ORDER) == ["c", "b", "a"]
    assert browser.complaints == []


def test_a_study_has_the_same_page(browser, make_study, tmp_path):
    browser.open(write_study_report(make_study().folder, tmp_path / "report.html"))
    assert browser.ask("document.querySelectorAll('.contents a').length") > 5
    assert browser.ask("document.querySelectorAll('.sliders canvas').length") == 3
    browser.click("thead button")
    assert browser.ask("document.querySelector('th[aria-sort]').textContent") == "method"
    browser.click("figcaption a[download$='.csv']")
    assert browser.file("csv")[1].startswith(b"group,")
    assert browser.complaints == []
