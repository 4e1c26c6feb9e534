import base64
import html
import io
import json
import os
import re
import subprocess
import sys
import threading
from hashlib import sha256
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from autobeta.reports import write_report
from autobeta.run import folder as runs


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


def test_the_page_fetches_nothing_and_runs_one_script(make_run, tmp_path):
    text = _text([make_run()], tmp_path / "report.html")
    for forbidden in ("http://", "https://", "<link", "@import", "url(", "fetch(", "innerHTML"):
        assert forbidden not in text
    assert all(source.startswith("data:image/") for source in re.findall(r'src="([^"]+)"', text))
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)[1]
    script, style = (base64.b64encode(sha256(t.encode()).digest()) for t in (script, style))
    assert policy == (
        f"default-src 'none'; img-src data: blob:; style-src 'sha256-{style.decode()}'; "
        f"script-src 'sha256-{script.decode()}'"
    )


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
    assert '<progress max="40" value="9"></progress>' in text
    assert "step 9 of 40 (22%): KL 11.37 nats, β 1.11" in text
    assert "KL over training" in text
    assert "What is missing" not in text
    assert "Traversals" not in text


def test_a_run_that_has_only_just_begun_is_reported(make_run, tmp_path):
    folder = make_run(log=None, metrics=None, pictures=False, finished=False)
    text = _text([folder], tmp_path / "report.html")
    assert "step 0 of 40 (0%): nothing is logged yet" in text
    assert "KL over training" not in text


@pytest.mark.whole
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


@pytest.mark.usefixtures("unchecked")
def test_paths_may_be_texts(make_run, tmp_path):
    run, out = make_run(), tmp_path / "report.html"
    assert write_report([str(run)], str(out)) == out
    assert out.read_bytes() == write_report([run], tmp_path / "other.html").read_bytes()


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


def test_what_is_no_run_is_skipped_and_named(make_run, tmp_path):
    """`autobeta report DIR/*`, where DIR has other files too."""
    run = make_run("dir/run")
    others = [run.parent / name for name in ("report.html", "train.log", "empty")]
    others[0].write_text("<html>")
    others[1].write_text("step 1")
    others[2].mkdir()
    with pytest.warns(UserWarning, match="it has no config.json") as caught:
        text = _text([run, *others], tmp_path / "report.html")
    assert len(caught) == 3
    assert "<b>report.html, train.log, empty</b>: Left out: it has no config.json." in text
    assert "<h1>Report on run</h1>" in text


def test_runs_evaluated_on_other_numbers_of_images_are_never_averaged(make_run, tmp_path):
    folders = [make_run(f"s{n}", seed=n) for n in range(3)]
    small = make_run("small", seed=3, metrics={"num_points": 20, "metrics": {"mig[bins=20]": 0.9}})
    bare = make_run("bare", seed=4, metrics=None)
    text = _text([*folders, small, bare], tmp_path / "report.html")
    scores = text.split("Disentanglement scores")[1].split("</table>")[0]
    assert ">0.250\u00a0±\u00a00.000 [0.250,\u00a00.250]<" in scores
    assert ">0.900<" in scores
    assert "evaluated on (images)" in scores
    assert [f">{n}<" in scores for n in (100, 20)] == [True, True]


def test_better_sides_and_the_elbo_are_shown(make_run, tmp_path):
    metrics = {"metrics": {"mig[bins=20]": 0.2, "gaussian_total_correlation": 0.1, "mine": 0.3}}
    text = _text([make_run(metrics=metrics)], tmp_path / "report.html")
    for heading in (
        "reconstruction (nats) ↓", "KL (nats)", "ELBO (nats) ↑", "MSE (per pixel) ↓",
        "PSNR (dB) ↑", "BCE (nats) ↓", "mig[bins=20] ↑", "gaussian_total_correlation ↓", "mine",
    ):  # fmt: skip
        assert f">{heading}</th>" in text
    assert 'data-label="ELBO (nats) ↑" data-value="-120.0">-120.00<' in text


def test_the_held_out_split_has_its_own_number_of_images(make_run, tmp_path, losses):
    both = {"evaluation": {"train": losses(), "test": losses()}, "num_points_test": 50}
    text = _text([make_run(metrics=both)], tmp_path / "report.html")
    assert 'data-label="evaluated on (images)" data-value="100">100\u00a0/ 50<' in text


def test_images_say_what_they_show_and_not_their_title(make_run, tmp_path):
    text = _text([make_run("a"), make_run("b", method="lvae")], tmp_path / "report.html")
    pictures = re.findall(r'alt="([^"]+)"><figcaption><b>([^<]+)\.</b>', text)
    assert len(pictures) == 4 + 2 * 4
    assert all(said not in title and title not in said for said, title in pictures)
    assert len({said for said, title in pictures if title == "Traversals"}) == 2


def test_a_sentence_about_several_runs_stands_once(make_run, tmp_path, log_rows):
    behind = [{**row, "kl_average": 17.0} for row in log_rows(target=20.0)]
    folders = [make_run(name, seed=s, log=behind, metrics=None) for s, name in enumerate("ab")]
    text = _text(folders, tmp_path / "report.html")
    assert text.count("It was not evaluated") == 1
    assert "<b>a, b</b>: It was not evaluated" in text
    assert text.count("KL lags by up to") == 1
    assert "<b>a, b</b>: KL lags by up to" in text
    assert "`" not in re.sub(r"<(style|script)>.*?</\1>", "", text, flags=re.DOTALL)
    assert "<code>rising</code>" in text


def test_a_set_point_that_is_never_reached_is_said_in_words(make_run, tmp_path, log_rows):
    rows = [
        {**row, "kl_average": 10.0, "target": 20.0 if row["step"] < 20 else 22.0}
        for row in log_rows(target=20.0)
    ]
    text = _text([make_run(log=rows)], tmp_path / "report.html")
    assert 'data-label="settling (steps)" data-value="Infinity">never<' in text
    assert not re.search(r"\b(inf|nan)\b", re.sub(r'(src|href)="[^"]*"', "", text))


def _rows_at(log_rows, beta):
    return [{**row, "beta": beta, "kl_average": 17.0} for row in log_rows(target=20.0)]


@pytest.mark.parametrize(
    ("method", "settings", "beta", "share"),
    [
        ("annealedvae", {}, 0.0, None),  # its weight is no controller's
        ("dynamicvae", {}, 0.1, "100.0%"),  # its own lower bound is the default, 0.1
        ("dynamicvae", {}, 0.2, "0.0%"),
        ("dynamicvae", {"beta_min": 0.2}, 0.2, "100.0%"),
        ("dynamicvae", {"beta_max": 5.0}, 5.0, "100.0%"),  # as `control`; another way to mend
    ],
)
def test_only_a_controllers_own_bounds_are_counted(
    make_run, tmp_path, log_rows, method, settings, beta, share
):
    upper = settings.get("beta_max") == beta
    given = {"control": {"beta_min": 0.1, **settings}} if upper else {"settings": settings}
    folder = make_run(method=method, log=_rows_at(log_rows, beta), **given)
    text = _text([folder], tmp_path / "report.html")
    table = text.split("How well KL followed its set point")[1].split("</table>")[0]
    found = re.findall(r'data-label="β at a bound"[^>]*>([^<]*)<', table)
    assert found == ([share] if share else [])
    said = "its upper bound" if upper else "its lower bound"
    assert (f"beta was at {said}" in text) == (share == "100.0%")


def test_an_odd_name_breaks_neither_page_nor_figures(make_run, tmp_path):
    names = ["a\x1b[2Jb\x07", "\u202egnp.x", os.fsdecode(b"caf\xe9"), "π run", "--", "<&>"]
    folders = [make_run(f"dir/{name}", seed=s, method="lvae") for s, name in enumerate(names)]
    folders.append(make_run("same", settings={"text": "x\x00\x08y"}))
    text = _text(folders, tmp_path / "report.html")
    assert "a\\x1b[2Jb\\x07" in text
    assert "caf\\udce9" in text
    assert "π run" in text
    assert "x\\x00\\x08y" in text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e]", text)
    for drawn in re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', text):
        ElementTree.fromstring(base64.b64decode(drawn))


def test_a_link_is_written_through(make_run, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    out, place = tmp_path / "link.html", tmp_path / "elsewhere" / "page.html"
    out.symlink_to(place)
    for _ in range(2):  # at first there is nothing at its end
        write_report([make_run() if not place.exists() else tmp_path / "run"], out)
        assert out.is_symlink()
        assert place.read_text("utf-8").startswith("<!DOCTYPE html>")


def test_a_pipe_is_written_into(make_run, tmp_path):
    out = tmp_path / "pipe"
    os.mkfifo(out)
    read = []
    reader = threading.Thread(target=lambda: read.append(out.read_bytes()), daemon=True)
    reader.start()
    write_report([make_run()], out)
    reader.join(timeout=10)
    assert out.is_fifo()
    assert read[0].startswith(b"<!DOCTYPE html>")


def test_settings_show_of_a_path_only_its_last_name(make_run, tmp_path):
    text = _text([make_run(data="/home/me/photos")], tmp_path / "report.html")
    assert "<dt>data.name</dt><dd>photos</dd>" in text
    assert "/home/me" not in text


@pytest.mark.whole
def test_a_report_on_many_runs_stays_small(make_run, tmp_path):
    """Noise is what compresses worst; images of 64 pixels, 10 latents, 9 values."""
    rng = np.random.default_rng(0)
    smooth = np.linspace(60, 190, 64)[:, None] + np.linspace(-40, 40, 64)[None]
    noisy = smooth[..., None] + rng.normal(0, 4, (10, 9, 64, 64, 3))
    images = noisy.clip(0, 255).astype(np.uint8)
    folders = []
    for seed in range(3):
        folders.append(make_run(f"s{seed}", seed=seed))
        pair = {"originals": images[0], "reconstructions": images[1]}
        runs.write_npz(folders[-1] / runs.RECONSTRUCTIONS, pair)
        rows = {"latents": np.arange(10), "kl": np.arange(10.0), "active": np.ones(10, bool)}
        values = {"values": np.linspace(-2, 2, 9), "samples": images[2]}
        runs.write_npz(folders[-1] / runs.TRAVERSALS, {"images": images, **rows, **values})
    one, three = (len(_text(folders[:n], tmp_path / "report.html")) for n in (1, 3))
    assert (three - one) / 2 < 100_000


def test_the_contents_link_to_every_heading_once(make_run, tmp_path):
    names = ["<b>&", "same name", "same-name", "Numbers"]
    text = _text([make_run(name, seed=n) for n, name in enumerate(names)], tmp_path / "r.html")
    links = re.findall(r'<a href="#([^"]+)" title="[^"]+">([^<]+)</a>', text)
    targets = re.findall(r'<h[23] id="([^"]+)">([^<]+)</h', text)
    assert links == targets
    assert len({link for link, _ in links}) == len(links) == 3 + len(names)
    assert ("b", "&lt;b&gt;&amp;") in links


def test_a_traversal_has_the_places_of_its_images(make_run, tmp_path):
    text = _text([make_run()], tmp_path / "report.html")
    (facts,) = re.findall(r'data-strip="([^"]+)"', text)
    strip = json.loads(html.unescape(facts))
    assert strip["labels"] == ["z1  12.00 nats", "z3  4.99 nats", "z2  2.00 nats", "z0  dead"]
    assert strip["values"] == [-2, -1, 0, 1, 2]
    (uri,) = re.findall(r'data-strip="[^"]+"><img src="data:image/webp;base64,([^"]+)"', text)
    picture = Image.open(io.BytesIO(base64.b64decode(uri)))
    assert picture.width == strip["left"] + 5 * (strip["width"] + strip["gap"]) - strip["gap"]
    pixels = np.asarray(picture.convert("L"))
    edge = pixels[20, strip["left"] - 6 : strip["left"] + 6].astype(int)
    assert edge[:4].min() > 200
    assert edge[-4:].max() < 90


def test_a_page_that_is_renewed_says_how_often_without_a_script_too(make_run, tmp_path):
    out = write_report([make_run()], tmp_path / "report.html", renew=2.5)
    text = out.read_text("utf-8")
    assert '<html lang="en" data-renew="2.5">' in text
    assert '<noscript><meta http-equiv="refresh" content="2.5"></noscript>' in text
    assert "data-renew=" not in _text([tmp_path / "run"], out)
    assert 'http-equiv="refresh"' not in _text([tmp_path / "run"], out)


def test_an_explorer_is_linked_or_inside(make_run, tmp_path):
    out, run = tmp_path / "report.html", make_run()
    linked = write_report([run], out, explorer='a "b".html').read_text("utf-8")
    assert '<a href="a &quot;b&quot;.html">Explorer</a>' in linked
    page = "<!DOCTYPE html>\n<meta content=\"script-src 'sha256-abc='\"><style>'sha256-no'</style>"
    inside = write_report([run], out, explorer=page).read_text("utf-8")
    (found,) = re.findall(r'srcdoc="([^"]+)"', inside)
    assert html.unescape(found) == page
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', inside)[1]
    assert policy.count("'sha256-abc='") == 2
    assert "sha256-no" not in policy
