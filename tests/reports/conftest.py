"""Small run folders with known numbers, and a browser for pages made of them."""

import base64
import fcntl
import io
import json
import os
import select
import shutil
import signal
import time

import numpy as np
import pytest
from PIL import Image

from autobeta.run import folder as runs
from autobeta.study.definition import define
from autobeta.study.folder import claim_study
from autobeta.study.grid import plan

NUM_LATENTS, NUM_VALUES, SIDE, STEPS = 4, 5, 16, 40


def _images(*shape):
    """Grey images, each with a white square at a place of its own."""
    images = np.full((int(np.prod(shape)), SIDE, SIDE, 1), 40, np.uint8)
    for number, image in enumerate(images):
        at = number % (SIDE - 4)
        image[at : at + 4, 4:8] = 255
    return images.reshape(*shape, SIDE, SIDE, 1)


def _log_rows(*, steps=STEPS, kl=20.0, beta=1.0, target=None):
    rows = []
    for step in range(1, steps + 1):
        now = kl * (1 - np.exp(-step / 10))
        row = {
            "step": step,
            "loss": 100.0 + now,
            "terms": {"reconstruction": 100.0, "kl": now},
            "weights": {"reconstruction": 1.0, "kl": beta},
            "beta": beta * (1 + 1 / step),
            "equivalent_beta": beta * (1 + 1 / step),
            "kl_per_latent": [now, 0.0, 0.0, 0.0],
            "kl_average": now - 0.5,
            "state": {},
        }
        rows.append(row | ({} if target is None else {"target": target}))
    return rows


def _losses(**changes):
    return {
        "reconstruction": 101.0,
        "kl": 19.0,
        "elbo": -120.0,
        "mse": 0.0125,
        "psnr": 19.03,
        "bce": 88.5,
        "active_latents": 3,
    } | changes


@pytest.fixture
def log_rows():
    return _log_rows


@pytest.fixture
def losses():
    return _losses


@pytest.fixture
def make_run(tmp_path):
    """Write a run folder; `log`, `metrics` and `pictures` may be left out with None or False."""

    def make(
        name="run", *, method="vae", data="toy", seed=0, settings=None, log=(), metrics=(),
        pictures=True, finished=True, control=None,
    ):  # fmt: skip
        folder = tmp_path / name
        folder.mkdir(parents=True)
        config = {
            "format": 2,
            "method": method,
            "method_config": settings or {},
            "control": control,
            "data": {"name": data, "image_size": SIDE},
            "model": {"architecture": "mlp", "num_latents": NUM_LATENTS},
            "train": {"steps": STEPS, "batch_size": 64, "lr": 1e-3, "seed": seed},
        }
        runs.write_json(folder / runs.CONFIG, config)
        runs.write_json(folder / runs.ENVIRONMENT, {"python": "3.11", "packages": {"torch": "2"}})
        if log is not None:
            runs.write_jsonl(folder / runs.LOG, log or _log_rows())
        if metrics is not None:
            found = {
                "num_points": 100,
                "seed": 0,
                "evaluation": {"train": _losses()},
                "kl_per_latent": [0.01, 12.0, 2.0, 4.99],
                "metrics": {"mig[bins=20]": 0.25, "dci[trees]": {"disentanglement": 0.5}},
            }
            runs.write_json(folder / runs.METRICS, found | dict(metrics))
        if pictures:
            pair = {"originals": _images(10), "reconstructions": _images(10) // 2}
            runs.write_npz(folder / runs.RECONSTRUCTIONS, pair)
            traversals = {
                "images": _images(NUM_LATENTS, NUM_VALUES),
                "latents": np.array([1, 3, 2, 0]),
                "kl": np.array([12.0, 4.99, 2.0, 0.01]),
                "active": np.array([True, True, True, False]),
                "values": np.linspace(-2, 2, NUM_VALUES),
                "samples": _images(9),
            }
            runs.write_npz(folder / runs.TRAVERSALS, traversals)
        if finished:
            (folder / runs.MODEL).write_bytes(b"")
        return folder

    return make


def _representation(rng, num_points=60):
    factors = rng.integers(0, 3, (num_points, 2))
    codes = np.hstack(
        [factors + rng.normal(0, 0.3, (num_points, 2)), rng.normal(size=(num_points, 2))]
    )
    logvars = np.full((num_points, NUM_LATENTS), -3.0)
    parts = {"codes": codes.astype(np.float32), "logvars": logvars.astype(np.float32)}
    return parts | {"index": np.arange(num_points), "factors": factors}


@pytest.fixture
def make_study(tmp_path, make_run):
    """Write a study whose runs are done; `scores` gives each run's from method and seed."""

    def make(
        *, methods=("vae", "lvae"), data=("toy",), seeds="0-2", scale=1.0, title="A study",
        method=None, scores=None, name="study", **about,
    ):  # fmt: skip
        document = {"title": title, "source": "Own numbers.", "methods": [*methods]}
        document |= {"data": [*data], "seeds": seeds, "train": {"steps": STEPS}}
        definition = define(document | {"method": method or {}})
        kept = {"scale": scale} if scale != 1 else {}
        study = claim_study(tmp_path / name, definition, plan(definition), about=kept | about)
        rng = np.random.default_rng(0)
        for run, config in study.runs.items():
            seed = config["train"]["seed"]
            given = scores or (lambda method, seed: {"mig[bins=20]": 0.2 + 0.01 * seed})
            metrics = {
                "step": STEPS,
                "num_points": 10_000,
                "seed": 0,
                "evaluation": {"train": _losses(kl=19.0 + seed, mse=0.0125 + 0.001 * seed)},
                "metrics": given(config["method"], seed),
            }
            controlled = config["method"] in ("dynamicvae", "controlvae")
            log = _log_rows(kl=20.0 + seed, target=18.0 if controlled else None)
            folder = make_run(f"{name}/runs/{run}", metrics=metrics, log=log)
            runs.write_json(folder / runs.CONFIG, config)
            runs.write_npz(folder / runs.REPRESENTATION, _representation(rng))
            study.write_attempt(run, state="done", reason="", evaluations=[study.asked])
        return study

    return make


BROWSERS = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run", "--hide-scrollbars",
    "--remote-debugging-pipe",
)  # fmt: skip
PATIENCE = 60  # seconds


class Chromium:
    """A headless browser that reads messages of the protocol from its file 3 and answers on 4."""

    def __init__(self, folder):
        program = next(filter(None, map(shutil.which, BROWSERS)), None)
        if program is None:
            pytest.skip("needs chromium")
        self.downloads = folder / "downloads"
        self.downloads.mkdir()
        pipes = [*os.pipe(), *os.pipe()]
        high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in pipes]
        for end in pipes:
            os.close(end)
        theirs, self._out, self._in, answers = high
        actions = [
            (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_DUP2, theirs, 3),
            (os.POSIX_SPAWN_DUP2, answers, 4),
        ]
        command = [program, *OPTIONS, f"--user-data-dir={folder / 'profile'}"]
        self._pid = os.posix_spawn(program, command, os.environ, file_actions=actions)
        os.close(theirs)
        os.close(answers)
        self._rest, self._number, self._session, self.complaints = b"", 0, {}, []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        found = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self._session = {"sessionId": found["sessionId"]}
        for domain in ("Page", "Runtime", "Log"):
            self.send(f"{domain}.enable")
        place = str(self.downloads)
        self.send("Browser.setDownloadBehavior", behavior="allow", downloadPath=place)

    def send(self, method, **params):
        self._number += 1
        to = {} if method.startswith("Browser.") else self._session
        message = {"id": self._number, "method": method, "params": params, **to}
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while (found := self._read()).get("id") != self._number:
            if found.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded"):
                self.complaints.append(found["params"])
        assert "error" not in found, (method, found)
        return found["result"]

    def _read(self):
        while b"\0" not in self._rest:
            assert select.select([self._in], [], [], PATIENCE)[0], "the browser does not answer"
            part = os.read(self._in, 1 << 20)
            assert part, "the browser has ended"
            self._rest += part
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def ask(self, expression):
        """The value of an expression in the page."""
        options = {"returnByValue": True, "awaitPromise": True, "userGesture": True}
        found = self.send("Runtime.evaluate", expression=expression, **options)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def until(self, expression):
        end = time.monotonic() + PATIENCE
        while not (found := self.ask(expression)):
            assert time.monotonic() < end, f"{expression} does not come true"
            time.sleep(0.02)
        return found

    def open(self, page, *, width=1280, height=900, dark=False, state=""):
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.send("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])
        self.send("Page.navigate", url="about:blank")
        self.complaints.clear()
        self.send("Page.navigate", url=page.as_uri() + state)
        self.until("location.href !== 'about:blank' && document.readyState === 'complete'")
        self.drawn()

    def drawn(self):
        """Wait for what the page does in its next frame."""
        self.ask("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")

    def pixels(self, run=0):
        """What the canvas of a run shows, RGB."""
        uri = self.ask(f"runs[{run}].canvas.toDataURL('image/png')")
        file = io.BytesIO(base64.b64decode(uri.partition(",")[2]))
        return np.asarray(Image.open(file).convert("RGB"))

    def place(self, selector):
        """Left, top, width and height of an element that is brought into view."""
        return self.ask(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            "e.scrollIntoView({block: 'center'}); const r = e.getBoundingClientRect();"
            "return [r.left, r.top, r.width, r.height]; })()"
        )

    def mouse(self, kind, x, y):
        held = {"button": "left", "buttons": 1, "clickCount": 1}
        self.send("Input.dispatchMouseEvent", type=f"mouse{kind}", x=x, y=y, **held)

    def click(self, selector):
        left, top, width, height = self.place(selector)
        for kind in ("Pressed", "Released"):
            self.mouse(kind, left + width / 2, top + height / 2)
        self.drawn()

    def drag(self, selector, parts):
        """Press at the first part of the width of an element and move over the others."""
        left, top, width, height = self.place(selector)
        y = top + height / 2
        self.mouse("Pressed", left + parts[0] * width, y)
        for part in parts[1:]:
            self.mouse("Moved", left + part * width, y)
            self.drawn()
        self.mouse("Released", left + parts[-1] * width, y)
        self.drawn()

    def press(self, key, code=0, control=False):
        options = {"key": key, "modifiers": 2 * control, "windowsVirtualKeyCode": code}
        for kind in ("rawKeyDown", "keyUp"):
            self.send("Input.dispatchKeyEvent", type=kind, **options)
        self.drawn()

    def file(self, ending):
        """Name and content of the only file that was saved with this ending, taken away."""
        end = time.monotonic() + PATIENCE
        while not (found := [*self.downloads.glob(f"*.{ending}")]):
            assert time.monotonic() < end, "nothing is saved"
            time.sleep(0.05)
        (file,) = found
        content = file.read_bytes()
        file.unlink()
        return file.name, content

    def saved(self, ending):
        """The only picture that was saved with this ending, taken away."""
        name, content = self.file(ending)
        return name, Image.open(io.BytesIO(content))

    def close(self):
        try:
            self.send("Browser.close")
        except AssertionError:
            os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        os.close(self._in)
        os.close(self._out)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    found = Chromium(tmp_path_factory.mktemp("browser"))
    yield found
    found.close()
