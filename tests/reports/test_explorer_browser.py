"""The page of `autobeta explore` in a browser, driven through its DevTools protocol."""

import base64
import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence

from autobeta import registry
from autobeta.models import VAE
from autobeta.reports import load_runs, write_report
from autobeta.reports.explorer import ExploredRun, explorer_page, write_explorer
from autobeta.run.codes import to_pixels
from autobeta.run.explore import page_precision
from autobeta.run.layers import page_layers, page_link

pytestmark = pytest.mark.browser

LATENTS = 4


KL, ACTIVE = np.array([0.01, 12.0, 2.0, 5.0]), np.array([False, True, True, True])
SPREAD = {"logistic": 4.0, "continuous_bernoulli": 20.0, "linear": 0.5}  # of a decoder's outputs


def network_of(name, likelihood, shape, num_latents):
    """A random network whose images have sharp edges, and are cut off at 0 and 1."""
    module = registry.load("models/networks", name)
    parts = module.encoder(shape, num_latents), module.decoder(shape, num_latents)
    model = VAE(*parts, registry.load("models/likelihoods", likelihood).build()).eval()
    last = [layer for layer in model.decoder if hasattr(layer, "weight")][-1]
    with torch.no_grad():
        outputs = model.decoder(torch.randn(64, num_latents))
        spread = SPREAD[page_link(model.likelihood)]
        last.weight.mul_(spread / outputs.std())
        outputs = model.decoder(torch.randn(64, num_latents))
        last.bias.sub_(outputs.mean()).add_(0.5 if spread < 1 else 0.0)
    return model


def explored(
    record, model, shape, *, images=12, factors=("scale", "posX"), seed=0, latents=LATENTS
):
    rng = np.random.default_rng(seed)
    codes = rng.normal(size=(images, latents)).astype(np.float32)
    return ExploredRun(
        record=record,
        image_shape=shape,
        layers=page_layers(model.decoder),
        link=page_link(model.likelihood),
        precision=page_precision(model, codes),
        kl=KL[:latents],
        active=ACTIVE[:latents],
        reach=np.abs(codes).max(axis=0),
        shares=np.array([[0.0, 0.02], [0.1, 0.8], [0.3, 0.0], [0.6, 0.2]])[:latents],
        factor_names=factors,
        originals=rng.integers(0, 256, (images, *shape), np.uint8),
        codes=codes,
    )


@pytest.fixture
def make_page(make_run, tmp_path):
    """Write a page of random networks, one for each name; gives what was written as well."""

    def make(*names, network="burgess", likelihood="bernoulli", shape=(64, 64, 1), **options):
        records = load_runs([make_run(name) for name in names or ("run",)])
        models = [network_of(network, likelihood, shape, LATENTS) for _ in records]
        pairs = zip(records, models, strict=True)
        found = [explored(record, model, shape, **options) for record, model in pairs]
        return write_explorer(found, tmp_path / "page.html"), found, models

    return make


def drawn_by(model, z):
    """What torch makes of a code, RGB; near 1/2 float32 is too short for some means."""
    with torch.no_grad():
        outputs = model.decoder(torch.from_numpy(np.asarray([z], np.float32)))
        image = to_pixels(model.likelihood.mean_image(outputs.double()))[0]
    return np.broadcast_to(image, (*image.shape[:2], 3))


def difference(a, b):
    return np.abs(a.astype(int) - b.astype(int)).max()


@pytest.mark.parametrize(
    ("network", "likelihood", "shape"),
    [
        ("burgess", "bernoulli", (64, 64, 1)),
        ("burgess", "gaussian", (64, 64, 3)),
        ("burgess", "learnedsigma", (32, 32, 3)),
        ("conv64", "continuousbernoulli", (64, 64, 3)),
        ("conv64", "bernoulli", (128, 128, 1)),
        ("mlp", "bernoulli", (24, 40, 3)),
    ],
)
def test_pixels_are_those_of_torch(browser, make_page, network, likelihood, shape):
    page, (run,), (model,) = make_page(network=network, likelihood=likelihood, shape=shape)
    browser.open(page)
    rng, worst, contrast = np.random.default_rng(1), 0, 0
    for z in [*run.codes[:4], *rng.normal(size=(8, LATENTS)), 3 * np.ones(LATENTS)]:
        browser.ask(f"draw(runs[0], {[float(v) for v in z]})")
        expected = drawn_by(model, z)
        worst = max(worst, difference(browser.pixels(), expected))
        contrast = max(contrast, int(np.ptp(expected)))
    times = browser.ask(
        "Array.from({length: 100}, () => {"
        "draw(runs[0], runs[0].z.map(() => 4 * Math.random() - 2)); return frameTime; })"
    )
    figures = f"median {np.median(times):.1f} ms a frame, least {min(times):.1f} ms"
    print(f"{network} {shape} {run.precision}: {worst} of 255 off, {figures}")
    assert contrast > 200
    assert worst <= 2
    assert browser.complaints == []


def test_an_explorer_inside_a_report_draws_what_torch_does(browser, make_run, tmp_path):
    (record,) = load_runs([make_run("run")])
    shape = (64, 64, 1)
    model = network_of("burgess", "bernoulli", shape, LATENTS)
    run = explored(record, model, shape)
    out = tmp_path / "report.html"
    browser.open(write_report([record.path], out, explorer=explorer_page([run])))
    browser.click("details:has(iframe) summary")
    inner = "document.querySelector('iframe').contentDocument"
    canvas = f"{inner}?.querySelector('.picture canvas')"
    browser.until(f"{canvas} && {inner}.readyState === 'complete'")
    browser.drawn()
    uri = browser.ask(f"{canvas}.toDataURL('image/png')")
    file = io.BytesIO(base64.b64decode(uri.partition(",")[2]))
    shown = np.asarray(Image.open(file).convert("RGB"))
    assert difference(shown, drawn_by(model, run.codes[0])) <= 2
    names = browser.ask(f"[...{inner}.querySelectorAll('.bar button')].map((b) => b.textContent)")
    assert "Save PNG" in names
    assert "Copy link" not in names  # it has no address of its own
    back = "getComputedStyle({}.body).backgroundColor"
    for _ in range(2):
        assert browser.ask(back.format(inner)) == browser.ask(back.format("document"))
        browser.click(".theme")
    assert browser.complaints == []


def state_of(browser):
    return browser.ask("[runs.map((run) => run.z), location.hash]")


def test_a_drag_moves_the_image_while_it_lasts(browser, make_page):
    page, (run,), (model,) = make_page()
    browser.open(page)
    first = [float(v) for v in run.codes[0]]
    assert difference(browser.pixels(), drawn_by(model, first)) <= 2, "it begins with an image"
    left, top, width, height = browser.place("#r0z1")
    seen = []
    browser.mouse("Pressed", left + width / 2, top + height / 2)
    for part in (0.6, 0.7, 0.8, 0.9):
        browser.mouse("Moved", left + part * width, top + height / 2)
        browser.drawn()
        (z,), _ = state_of(browser)
        assert difference(browser.pixels(), drawn_by(model, z)) <= 2
        assert (
            browser.ask("document.querySelector('output[for=r0z1]').textContent") == f"{z[1]:.2f}"
        )
        seen.append(z[1])
    browser.mouse("Released", left + 0.9 * width, top + height / 2)
    assert seen == sorted(seen)
    assert seen[0] < seen[-1] == pytest.approx(0.8 * 3, abs=0.3)
    assert z[:1] + z[2:] == pytest.approx(first[:1] + first[2:], abs=1e-3)


def test_sliders_are_sorted_by_kl_and_dead_ones_folded_away(browser, make_page):
    page, _, _ = make_page()
    browser.open(page)
    labels = "[...document.querySelectorAll('.latent label')].map((label) => label.textContent)"
    assert browser.ask(labels) == ["z1", "z3", "z2", "z0"]
    folded = browser.ask(
        "[...document.querySelectorAll('.latents > details')].map((d) => d.innerText)"
    )
    assert folded == ["1 dead latent"]
    facts = "[...document.querySelectorAll('.latent small')].map((facts) => facts.innerText)"
    first, second, *_ = browser.ask(facts)
    assert first.split("\n") == ["posX 80 %, scale 10 %", "12.00 nats"]
    assert second.split("\n") == ["scale 60 %, posX 20 %", "5.00 nats"]


def test_keys_move_sliders_and_do_what_the_buttons_do(browser, make_page):
    page, _, _ = make_page()
    browser.open(page)
    (start,), hash_of_start = state_of(browser)
    browser.ask("document.querySelector('#r0z3').focus()")
    browser.press("ArrowRight", 39)
    browser.press("ArrowRight", 39)
    (moved,), _ = state_of(browser)
    assert moved[3] == pytest.approx(start[3] + 0.02, abs=0.006)
    browser.press("z", 90, control=True)
    assert state_of(browser)[1] == hash_of_start, "two presses soon after another are one step"
    browser.press("y", 89)
    assert state_of(browser)[0][0] == pytest.approx(moved, abs=1e-3)
    browser.press("m", 77)
    assert state_of(browser)[0] == [[0, 0, 0, 0]]
    browser.press("r", 82)
    (drawn,), _ = state_of(browser)
    assert 0 < np.abs(drawn).max() < 6
    for _ in range(9):
        browser.press("u", 85)
    assert state_of(browser)[1] == hash_of_start
    assert browser.ask("undoButton.disabled && !redoButton.disabled")


def test_arrows_go_from_image_to_image_and_return_takes_one(browser, make_page):
    page, (run,), _ = make_page()
    browser.open(page)
    browser.ask("strips[0].buttons[0].focus()")
    for _ in range(2):
        browser.press("ArrowRight", 39)
    assert browser.ask("document.activeElement.getAttribute('aria-label')") == "Image 3"
    assert browser.ask("document.querySelectorAll('.images [tabindex=\"0\"]').length") == 1
    browser.ask("document.activeElement.click()")
    assert state_of(browser)[0][0] == pytest.approx(run.codes[2].tolist(), abs=1e-3)


def test_a_path_leads_from_image_to_image(browser, make_page):
    page, (run,), (model,) = make_page()
    browser.open(page)
    assert browser.ask("strips[0].slider.disabled")
    browser.click(".images button:nth-child(3)")
    browser.click(".path .end input")
    browser.click(".images button:nth-child(8)")
    assert state_of(browser)[0][0] == pytest.approx(run.codes[7].tolist(), abs=1e-3)
    browser.drag("#path0", [0.99, 0.7, 0.25])
    part = browser.ask("strips[0].part")
    assert 0.15 < part < 0.35
    expected = (1 - part) * run.codes[2] + part * run.codes[7]
    assert state_of(browser)[0][0] == pytest.approx(expected.tolist(), abs=1e-3)
    assert difference(browser.pixels(), drawn_by(model, expected.tolist())) <= 2


def test_a_link_holds_the_state(browser, make_page):
    page, _, _ = make_page("a", "b")
    browser.open(page)
    browser.click(".images button:nth-child(5)")
    browser.drag("#r1z2", [0.5, 0.8])
    codes, link = state_of(browser)
    before = browser.pixels(0), browser.pixels(1)
    browser.click(".bar button:nth-child(5)")
    browser.until("/link|address/.test(document.querySelector('.status').textContent)")
    browser.open(page)
    assert state_of(browser)[1] != link
    browser.open(page, state=link)
    found, again = state_of(browser)
    assert again == link
    assert np.allclose(found, codes, atol=1e-3)
    for run in range(2):
        assert difference(browser.pixels(run), before[run]) <= 1
    assert (
        browser.ask("document.querySelector('.images .start').getAttribute('aria-label')")
        == "Image 5"
    )


def test_a_link_holds_the_latent_that_an_animation_follows(browser, make_page):
    page, _, _ = make_page()
    browser.open(page)
    browser.drag("#r0z2", [0.5, 0.8])
    _, link = state_of(browser)
    browser.open(page)
    assert browser.ask("runs[0].chosen") == 1
    browser.open(page, state=link)
    assert browser.ask("runs[0].chosen") == 2


def test_an_address_that_was_emptied_holds_the_state_again(browser, make_page):
    page, _, _ = make_page()
    browser.open(page)
    browser.click(".images button:nth-child(5)")
    before = state_of(browser)
    browser.ask("location.hash = ''")
    browser.until("location.hash.length > 1")
    assert state_of(browser) == before


def test_a_code_of_one_number_starts_from_its_image(browser, make_run, tmp_path):
    (record,) = load_runs([make_run("run")])
    model = network_of("burgess", "bernoulli", (64, 64, 1), 1)
    run = explored(record, model, (64, 64, 1), latents=1)
    browser.open(write_explorer([run], tmp_path / "page.html"))
    (z,), _ = state_of(browser)
    assert z == pytest.approx(run.codes[0].tolist(), abs=1e-3)


@pytest.mark.parametrize(
    "state",
    ["#z0=1,2", "#z0=a,b,c,d&p0=99,-1,7", "#z0=1,2,3,Infinity", "#<img src=x>", "#p0=,,NaN"],
)
def test_a_damaged_link_leaves_what_it_does_not_name(browser, make_page, state):
    page, (run,), _ = make_page()
    browser.open(page, state=state)
    assert state_of(browser)[0][0] == pytest.approx(run.codes[0].tolist(), abs=1e-3)
    assert browser.complaints == []


def test_pictures_are_saved_as_png_and_gif(browser, make_page):
    page, (run, _), models = make_page("a", "b", shape=(64, 64, 3), likelihood="gaussian")
    browser.open(page)
    browser.click(".bar button:nth-child(6)")
    name, picture = browser.saved("png")
    assert (name, picture.size) == ("runs.png", (2 * 256 + 8, 256))
    shown = np.asarray(picture.convert("RGB"))[::4, ::4]
    for place, model in enumerate(models):
        expected = drawn_by(model, run.codes[0])
        assert difference(shown[:, 66 * place : 66 * place + 64], expected) <= 2
    browser.drag("#r0z3", [0.5, 0.6])
    before = browser.pixels()
    browser.press("g", 71)
    name, picture = browser.saved("gif")
    frames = [np.asarray(f.convert("RGB")) for f in ImageSequence.Iterator(picture)]
    assert (name, len(frames), picture.info["loop"]) == ("runs.gif", 2 * 24 - 2, 0)
    (z, other), _ = state_of(browser)
    for place, value in ((0, -2), (23, 2)):
        expected = drawn_by(models[0], [*z[:3], value])
        off = np.abs(frames[place][::4, ::4][:, :64].astype(int) - expected)
        assert off.mean() < 8, "256 colours are near those of the image"
        expected = drawn_by(models[1], [other[0], value, *other[2:]])
        assert np.abs(frames[place][::4, ::4][:, 66:].astype(int) - expected).mean() < 8
    assert difference(browser.pixels(), before) == 0


def test_a_grey_animation_along_a_path_is_exact(browser, make_page):
    page, (run,), (model,) = make_page("grey run")
    browser.open(page, state="#p0=1,4,0")
    browser.click(".bar button:nth-child(7)")
    name, picture = browser.saved("gif")
    frames = [np.asarray(f.convert("RGB"))[::4, ::4] for f in ImageSequence.Iterator(picture)]
    assert name == "grey-run.gif"
    for place in (0, 10, 23):
        part = place / 23
        expected = drawn_by(model, (1 - part) * run.codes[1] + part * run.codes[4])
        assert difference(frames[place], expected) <= 2
    assert difference(frames[24], frames[22]) == 0


LEAVE = {
    "draw": lambda browser: browser.click(".bar button:nth-child(1)"),
    "mean": lambda browser: browser.click(".bar button:nth-child(2)"),
    "slider": lambda browser: browser.drag("#r0z2", [0.5, 0.8]),
}


@pytest.mark.parametrize("way", LEAVE)
def test_a_code_that_left_its_path_is_animated_along_its_latent(browser, make_page, way):
    page, (run,), (model,) = make_page()
    browser.open(page, state="#p0=1,4,0.5")
    assert browser.ask("strips[0].output.textContent") == "50 %"
    LEAVE[way](browser)
    assert browser.ask("strips[0].output.textContent") == ""
    code, latent = np.array(state_of(browser)[0][0]), browser.ask("runs[0].chosen")
    browser.click(".bar button:nth-child(7)")
    _, picture = browser.saved("gif")
    first = next(ImageSequence.Iterator(picture)).convert("RGB")
    code[latent] = -2
    assert difference(np.asarray(first)[::4, ::4], drawn_by(model, code)) <= 2
    link = state_of(browser)[1]
    browser.open(page, state=link)
    assert browser.ask("strips[0].part") is None
    browser.drag("#path0", [0.1, 0.5])  # and back on it
    part = browser.ask("strips[0].part")
    expected = (1 - part) * run.codes[1] + part * run.codes[4]
    assert state_of(browser)[0][0] == pytest.approx(expected.tolist(), abs=1e-3)


def test_runs_of_one_data_set_share_its_images_and_others_have_their_own(
    browser, make_run, tmp_path
):
    records = load_runs([make_run(name) for name in "abc"])
    model = network_of("burgess", "bernoulli", (64, 64, 1), LATENTS)
    runs = [explored(record, model, (64, 64, 1), seed=record.name == "c") for record in records]
    runs[1] = replace(runs[1], codes=runs[1].codes[::-1].copy())
    browser.open(write_explorer(runs, tmp_path / "page.html"))
    assert browser.ask("strips.map((strip) => strip.runs.map((run) => run.name))") == [
        ["a", "b"],
        ["c"],
    ]
    browser.click(".strip .images button:nth-child(3)")
    codes, _ = state_of(browser)
    for found, expected in zip(
        codes, (runs[0].codes[2], runs[1].codes[2], runs[2].codes[0]), strict=True
    ):
        assert found == pytest.approx(expected.tolist(), abs=1e-3)


HOSTILE = "<img src=x onerror=alert(1)>"


def test_hostile_names_are_shown_as_text(browser, make_run, tmp_path):
    ending = "</script><script>window.harmed = true</script><b>"
    folders = [make_run(name, data=ending, settings={ending: HOSTILE}) for name in (HOSTILE, "b")]
    model = network_of("burgess", "bernoulli", (64, 64, 1), LATENTS)
    factors = (HOSTILE, ending)
    runs = [explored(r, model, (64, 64, 1), factors=factors) for r in load_runs(folders)]
    for shown in (runs, runs[:1]):
        # without the policy, which would hide that a name is read as HTML
        page = write_explorer(shown, tmp_path / "page.html")
        text = page.read_text("utf-8")
        bare = text.replace('http-equiv="Content-Security-Policy"', 'name="none"')
        assert bare != text
        page.write_text(bare, "utf-8")
        browser.open(page)
        assert browser.ask("window.harmed") is None
        assert browser.ask("[...document.images].every((image) => image.src.startsWith('data:'))")
        assert browser.ask("document.querySelectorAll('script').length") == 2
        assert browser.ask("document.querySelectorAll('b').length") == 0
        body = browser.ask("document.body.innerText")
        assert HOSTILE in body
        assert ending in body
        assert browser.complaints == []


def test_the_page_fetches_nothing_and_its_policy_lets_nothing_in(browser, make_page):
    page, _, _ = make_page()
    browser.open(page)
    browser.ask(
        "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"harmed = true\">')"
    )
    browser.drawn()
    assert browser.ask("window.harmed") is None
    assert any("Content Security Policy" in str(said) for said in browser.complaints)
    loaded = browser.ask("performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert all(name.startswith(("data:", "file:")) for name in loaded)


def test_a_finger_drags_on_a_phone(browser, make_page):
    page, _, (model,) = make_page()
    browser.open(page, width=390, height=844)
    browser.send("Emulation.setTouchEmulationEnabled", enabled=True)
    left, top, width, height = browser.place("#r0z1")
    for kind, part in (("Start", 0.5), ("Move", 0.6), ("Move", 0.75), ("End", None)):
        at = [] if part is None else [{"x": left + part * width, "y": top + height / 2}]
        browser.send("Input.dispatchTouchEvent", type=f"touch{kind}", touchPoints=at)
        browser.drawn()
    browser.send("Emulation.setTouchEmulationEnabled", enabled=False)
    (z,), link = state_of(browser)
    assert z[1] == pytest.approx(0.5 * 3, abs=0.4)
    assert difference(browser.pixels(), drawn_by(model, z)) <= 2
    assert f",{z[1]:.2f}".rstrip("0") in link
    box = "runs[0].canvas.getBoundingClientRect()"
    top, height = browser.ask(f"[{box}.top, {box}.height]")
    assert 0 <= top < 844 - height, "the image stays in view beside the slider"


@pytest.mark.parametrize("names", [("a run",), ("x" * 90, "b", "c")])
def test_nothing_scrolls_sideways_on_a_phone(browser, make_page, names):
    page, _, _ = make_page(*names, factors=("y" * 70, "posX"))
    browser.open(page, width=390, height=844)
    browser.ask("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    assert browser.ask("innerWidth") == 390
    assert browser.ask("document.documentElement.scrollWidth") <= 390
    wide = "[...document.querySelectorAll('*')].filter((e) => e.scrollWidth > innerWidth).length"
    assert browser.ask(wide) == 0


def test_the_dark_mode_of_the_system_is_followed(browser, make_page):
    page, _, _ = make_page()
    lightness = "getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g).map(Number)"
    browser.open(page)
    assert min(browser.ask(lightness)) > 200
    browser.open(page, dark=True)
    assert max(browser.ask(lightness)) < 60


def test_every_control_has_a_name(browser, make_page):
    page, _, _ = make_page("a", "b")
    browser.open(page)
    nodes = browser.send("Accessibility.getFullAXTree")["nodes"]
    roles = {"slider", "button", "radio", "image"}
    named = [
        (n["role"]["value"], n["name"]["value"])
        for n in nodes
        if not n["ignored"] and n["role"]["value"] in roles
    ]
    assert {role for role, _ in named} == roles
    assert [pair for pair in named if not pair[1]] == []
