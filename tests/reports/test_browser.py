import re
import shutil
import subprocess

import pytest

from autobeta.reports import write_report, write_study_report

PHONE = 390
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run",
    "--allow-file-access-from-files", "--virtual-time-budget=5000",
)  # fmt: skip

# A headless window is at least 500 pixels wide, so the page is measured inside a frame.
WRAPPER = """<!DOCTYPE html><body style="margin:0">
<iframe src="report.html" style="width:{width}px;height:2000px;border:0"></iframe>
<output></output><script>
document.querySelector("iframe").onload = (event) => {{
  const page = event.target.contentWindow;
  page.document.querySelectorAll("details").forEach((details) => {{ details.open = true; }});
  const root = page.document.documentElement;
  const inner = [...page.document.querySelectorAll("*")].filter((e) => e.scrollWidth > page.innerWidth);
  const blank = [...page.document.images].filter((image) => !image.naturalWidth);
  document.querySelector("output").textContent =
    `scroll=${{root.scrollWidth}} inner=${{page.innerWidth}} wide=${{inner.length}} blank=${{blank.length}}`;
}};
</script>"""  # noqa: E501


def _measure(folder, width):
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip("needs chromium")
    wrapper = folder / "wrapper.html"
    wrapper.write_text(WRAPPER.format(width=width))
    command = [browser, *OPTIONS, f"--user-data-dir={folder / 'profile'}", "--dump-dom"]
    done = subprocess.run(
        [*command, wrapper.as_uri()], capture_output=True, text=True, check=True, timeout=120
    )
    found = re.search(r"scroll=(\d+) inner=(\d+) wide=(\d+) blank=(\d+)", done.stdout)
    assert found, done.stdout
    return map(int, found.groups())


@pytest.mark.browser
def test_nothing_scrolls_sideways_on_a_phone(make_run, tmp_path, log_rows):
    long_name = "dynamicvae-" + "x" * 80
    folders = [
        make_run(long_name, log=log_rows(target=18.0), settings={"k" * 60: ["v" * 90] * 9}),
        make_run("b", method="lvae"),
        make_run("c", method="lvae", seed=1),
        make_run("d", metrics=None, pictures=False, finished=False),
    ]
    write_report(folders, tmp_path / "report.html")
    scroll, inner, wide, blank = _measure(tmp_path, PHONE)
    assert inner == PHONE
    assert scroll <= inner
    assert wide == 0
    assert blank == 0


@pytest.mark.browser
def test_nothing_of_a_study_scrolls_sideways_on_a_phone(make_study, tmp_path):
    scores = {f"mig[bins={n}]": 0.1 for n in range(9)} | {"x" * 70: 0.5}
    study = make_study(
        methods=("vae", "dynamicvae"), scores=lambda m, s: scores, scale=0.1, title="T" * 90
    )
    write_study_report(study.folder, tmp_path / "report.html")
    scroll, inner, wide, blank = _measure(tmp_path, PHONE)
    assert (inner, wide, blank) == (PHONE, 0, 0)
    assert scroll <= inner
