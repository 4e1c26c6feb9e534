"""Decode along each latent, the others fixed; and decode samples of the prior."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from autobeta.data import FactorDataset, as_batch, read_image
from autobeta.models import VAE
from autobeta.run import folder as files
from autobeta.run.codes import (
    SAMPLE_SEED,
    device_of,
    encode_dataset,
    kl_per_latent,
    sample_points,
    to_pixels,
)
from autobeta.run.load import Run, load_run
from autobeta.run.objects import Images
from autobeta.types import Representation

_SAMPLE = 1000  # images from which KL and activity are taken where a run was not evaluated


@torch.no_grad()
def traverse(
    model: VAE,
    representation: Representation,
    *,
    base: Float[np.ndarray, " latents"] | None = None,
    num_values: int = 9,
    span: float = 2.0,
    num_samples: int = 32,
) -> dict[str, np.ndarray]:
    """Decode along each latent, the others fixed; and decode samples of the prior.

    The latent goes from -span to span, in the prior's standard deviations; the others stay at
    `base`, or at the prior's mean, 0.

    Returns:
        The arrays of `traversals.npz`: rows sorted by falling KL, as `representation` has it.
    """
    model.eval()
    device = device_of(model)
    kl = kl_per_latent(representation)
    order = np.argsort(-kl, kind="stable")
    values = np.linspace(-span, span, num_values, dtype=np.float32)
    start = np.zeros(len(kl), np.float32) if base is None else base
    rows = []
    for latent in order:
        z = np.tile(start.astype(np.float32), (num_values, 1))
        z[:, latent] = values
        rows.append(to_pixels(model.decode(torch.from_numpy(z).to(device))))
    noise = torch.Generator().manual_seed(SAMPLE_SEED)
    samples = torch.randn(num_samples, len(kl), generator=noise)
    return {
        "images": np.stack(rows),
        "latents": order,
        "kl": kl[order],
        "active": representation.active[order],
        "values": values,
        "samples": to_pixels(model.decode(samples.to(device))),
    }


def draw_traversals(
    run: Run | Path | str,
    folder: Path,
    *,
    images: Sequence[Path] = (),
    num_values: int = 11,
    span: float = 2.0,
    data: Images | Path | str | None = None,
) -> list[Path]:
    """Write traversals as a PNG grid and a GIF each, and samples from the prior as a PNG.

    An evaluated run needs none of its images for it.

    Args:
        run: A trained run, or its folder.
        folder: Where the pictures go.
        images: Image files whose codes the traversals start from; the prior's mean without any.
        num_values: Values per latent, at least 2.
        span: Range of each latent to both sides, in the prior's standard deviations, positive.
        data: Where the images of a run that was not evaluated lie now.

    Returns:
        The files written.

    Raises:
        ValueError: If a number breaks its rule, or a file is no image.
    """
    from autobeta.reports import save_montage, save_traversal_gif, save_traversal_grid

    run = run if isinstance(run, Run) else load_run(run)
    if not 2 <= num_values <= 1000:
        raise ValueError(f"`num_values` must be in [2, 1000]; got {num_values}. 11 is usual.")
    if not 0 < span < 1000:
        raise ValueError(f"`span` must be in (0, 1000); got {span}. 2 is usual.")
    sample = _sample(run, data)
    bases: dict[str, np.ndarray | None] = {}
    for i, path in enumerate(images):
        pixels = read_image(path, run.image_size, run.image_shape[2])
        if pixels.shape != run.image_shape:
            raise ValueError(
                f"`image` must have the shape {run.image_shape}, as in the training; got "
                f"{pixels.shape} in {path}. Scale it."
            )
        bases[f"traversal-{i}-{path.stem[:50]}"] = _code(run, pixels)
    written: list[Path] = []
    for name, base in (bases or {"traversal": None}).items():
        rows = traverse(run.model, sample, base=base, num_values=num_values, span=span)
        for save, suffix in ((save_traversal_grid, "png"), (save_traversal_gif, "gif")):
            path = folder / f"{name}.{suffix}"
            kl, active = rows["kl"], rows["active"]
            save(path, rows["images"], latents=rows["latents"], kl=kl, active=active)
            written.append(path)
    save_montage(folder / "samples.png", rows["samples"])
    return [*written, folder / "samples.png"]


@torch.no_grad()
def _code(run: Run, pixels: np.ndarray) -> Float[np.ndarray, " latents"]:
    """Posterior mean of one image, uint8 of shape (height, width, channels)."""
    x = torch.from_numpy(pixels[None]).to(device_of(run.model))
    return run.model.encode(as_batch(x)).mean[0].cpu().numpy()


def evaluated_sample(run: Run) -> Representation | None:
    """Codes of the run's evaluation; None if there is none, or it is of another step."""
    evaluated = files.read_metrics(run.results / files.METRICS)
    if not evaluated or evaluated.get("step", run.step) != run.step:
        return None
    arrays = files.read_representation(run.results)
    names = ("codes", "logvars", "index", "factors")
    return Representation(**{name: arrays[name] for name in names if name in arrays})


def first_sample(run: Run, dataset: FactorDataset) -> Representation:
    """Codes of a few images, from which KL and activity are taken where nothing else has them."""
    return encode_dataset(run.model, dataset, sample_points(dataset, "train", _SAMPLE))


def _sample(run: Run, data: Images | Path | str | None) -> Representation:
    """Codes that say which latents are active: the evaluation's, if it is of this network."""
    if data is None and (found := evaluated_sample(run)) is not None:
        return found
    return first_sample(run, run.open(data))
