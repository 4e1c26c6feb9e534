"""Write a page to look at trained models; what it needs of each run is gathered here."""

import copy
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from autobeta import registry
from autobeta.data import FactorDataset, as_batch
from autobeta.errors import pasted
from autobeta.metrics import information_shares
from autobeta.models import VAE
from autobeta.reports import RunRecord, load_runs
from autobeta.reports.explorer import ExploredRun, write_explorer
from autobeta.run import folder as files
from autobeta.run.codes import SAMPLE_SEED, Pictures, device_of, kl_per_latent, sample_points
from autobeta.run.layers import page_layers, page_link
from autobeta.run.load import Run, load_run
from autobeta.run.objects import Images
from autobeta.run.traverse import evaluated_sample, first_sample
from autobeta.types import Representation

NUM_IMAGES = 48
"""Images that a page offers at most."""
_BINS = 20  # of codes, as `mig` has them
_HALF_LEVEL = 0.5 / 255  # of a pixel, which rounding the weights may move it by


def explore(
    runs: Sequence[Run | Path | str], out: Path | str, *, data: Images | Path | str | None = None
) -> Path:
    """Write one page with sliders and decoders of some runs, of which it needs nothing further.

    Args:
        runs: Trained runs, or their folders.
        out: The HTML file to write.
        data: The runs' own images, or where they lie now: then the page offers `NUM_IMAGES` of
            them. Left out, an evaluated run offers those that its evaluation kept, and any other
            opens its data.

    Returns:
        `out`.

    Raises:
        ValueError: If a decoder or a likelihood is not one that the page can compute, images are
            neither grey nor RGB, or there is no run.
        FileNotFoundError: If a folder holds no run, or nothing of its network yet.
    """
    return write_explorer(explored_runs(runs, data=data), Path(out))


def explored_runs(
    runs: Sequence[Run | Path | str],
    *,
    data: Images | Path | str | None = None,
    skip: bool = False,
) -> list[ExploredRun]:
    """What `explore` writes, for a page of one's own; arguments and errors are those.

    With `skip` what holds no run, or one that no page can show, is left out, with a warning in
    place of the error.
    """
    loaded: dict[Path, Run] = {}
    for given in runs:
        with _left_out(given, skip):
            run = given if isinstance(given, Run) else load_run(given)
            loaded.setdefault(run.folder.resolve(), run)
    pictures: dict[str, Pictures] = {}
    found = []
    for record in load_runs([*loaded]) if loaded or not skip else []:
        with _left_out(record.path, skip):
            found.append(_explored(loaded[record.path], record, pictures, data))
    return found


@contextmanager
def _left_out(run: Run | Path | str, skip: bool) -> Iterator[None]:
    try:
        yield
    except (ValueError, OSError) as error:
        if not skip:
            raise
        named = run.folder if isinstance(run, Run) else run
        warnings.warn(f"{named} is left out of the explorer: {error}", stacklevel=4)


def _explored(
    run: Run, record: RunRecord, pictures: dict[str, Pictures], data: Images | Path | str | None
) -> ExploredRun:
    """What the page has of a run.

    Args:
        run: The run.
        record: What its folder tells of it.
        pictures: Images on the page by the fingerprint of their data; the run's are added.
        data: Where its images lie.
    """
    if run.image_shape[2] not in (1, 3):
        raise ValueError(
            f"`runs` must have images with 1 or 3 channels; got {run.image_shape[2]} in "
            f"{run.folder}. A page can't show others."
        )
    layers, link = page_layers(run.model.decoder), page_link(run.model.likelihood)
    sample = evaluated_sample(run)
    kept = sample is not None and (run.results / files.RECONSTRUCTIONS).is_file()
    dataset = run.open(data) if data is not None or not kept else None
    if sample is None:
        assert dataset is not None
        sample = first_sample(run, dataset)
    fingerprint = files.read_config(run.folder)["data"].get("fingerprint") or str(run.folder)
    if fingerprint not in pictures:
        pictures[fingerprint] = _originals(run, dataset)
    originals = pictures[fingerprint]
    codes = _codes(run.model, originals)
    shares, names = _shares(run, sample, dataset)
    return ExploredRun(
        record=record,
        image_shape=run.image_shape,
        layers=layers,
        link=link,
        precision=page_precision(run.model, codes),
        kl=kl_per_latent(sample),
        active=sample.active,
        reach=np.abs(np.concatenate([sample.codes, codes])).max(axis=0),
        shares=shares,
        factor_names=names,
        originals=originals,
        codes=codes,
    )


def _originals(run: Run, dataset: FactorDataset | None) -> Pictures:
    """Images from the data: held-out ones if there are any, or those of the evaluation."""
    if dataset is not None:
        split = "test" if "test" in dataset.splits else "train"
        return dataset.images(sample_points(dataset, split, NUM_IMAGES))
    path = run.results / files.RECONSTRUCTIONS
    way_out = f"Run `{pasted('autobeta', 'evaluate', run.folder, *['--best'] * run.best)}`."
    found: Pictures = files.read_npz(path, "originals", way_out=way_out)["originals"]
    if found.dtype != np.uint8 or found.shape[1:] != run.image_shape:
        raise ValueError(
            f"`{path}` must have originals of shape {run.image_shape}, uint8; got "
            f"{found.shape[1:]}, {found.dtype}. {way_out}"
        )
    return found[:NUM_IMAGES]


@torch.no_grad()
def _codes(model: VAE, images: Pictures) -> Float[np.ndarray, "n latents"]:
    x = as_batch(torch.from_numpy(images).to(device_of(model)))
    return model.encode(x).mean.cpu().numpy()


def _shares(
    run: Run, sample: Representation, dataset: FactorDataset | None
) -> tuple[Float[np.ndarray, "latents factors"], list[str]]:
    """What each latent tells of each factor, and the factors' names, or their numbers."""
    if sample.factors is None:
        return np.zeros((sample.codes.shape[1], 0)), []
    shares = np.hstack([_told(sample.codes, factor) for factor in sample.factors.T[..., None]])
    names: list[str] = []
    if dataset is not None and dataset.factor_space is not None:
        names = [*dataset.factor_space.names]
    elif run.config.data in registry.available("data"):
        facts = registry.describe("data", run.config.data).get("FACTORS")
        names = [*facts] if isinstance(facts, dict | tuple) else []
    count = shares.shape[1]
    return shares, names if len(names) == count else [f"factor {k}" for k in range(count)]


def _told(codes: np.ndarray, factor: np.ndarray) -> Float[np.ndarray, "latents 1"]:
    """What each latent tells of a factor; 0 where the sample is too small for its values."""
    try:
        return information_shares(codes, factor, bins=min(_BINS, len(codes)))
    except ValueError:
        return np.zeros((codes.shape[1], 1))


@torch.no_grad()
def page_precision(
    model: VAE, codes: Float[np.ndarray, "n latents"]
) -> Literal["float16", "float32"]:
    """The shortest type of weights that moves no pixel by more than half a level of 255.

    It is judged on images at some codes and on as many draws of the prior.
    """
    noise = torch.Generator().manual_seed(SAMPLE_SEED)
    z = torch.cat([torch.from_numpy(codes), torch.randn(codes.shape, generator=noise)])
    rounded = copy.deepcopy(model)
    for parameter in rounded.decoder.parameters():
        parameter.copy_(parameter.half().float())
    moved = (_exact(rounded, z) - _exact(model, z)).abs().max()
    return "float16" if moved <= _HALF_LEVEL else "float32"


def _exact(model: VAE, z: Float[Tensor, "batch latent"]) -> Float[Tensor, "batch ..."]:
    """Mean images, the last step in float64: float32 is too short for some means near 1/2."""
    outputs = model.decoder(z.to(device_of(model))).float()
    return model.likelihood.mean_image(outputs.cpu().double())
