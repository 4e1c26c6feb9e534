"""Small run folders with known numbers."""

import numpy as np
import pytest

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
