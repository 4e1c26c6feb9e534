"""Images through a network's encoder: the sample that is taken, and its representation."""

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from autobeta.data import FactorDataset, as_batch
from autobeta.models import VAE
from autobeta.training.machine import keep_freed_memory
from autobeta.types import Representation

SAMPLE_SEED = 20200916
"""Seed of the evaluation sample: the same points for every run of a data set."""

_CHUNK = 256

Points = Int[np.ndarray, " points"]
Pictures = UInt8[np.ndarray, "n height width channels"]


def sample_points(dataset: FactorDataset, split: str, num_points: int) -> Points:
    """The evaluation sample of a split of a data set: sorted, the same for every run."""
    part = np.asarray(dataset.splits[split])
    if len(part) <= num_points:
        return part
    chosen = np.random.default_rng(SAMPLE_SEED).choice(len(part), num_points, replace=False)
    return part[np.sort(chosen)]


def image_batches(
    dataset: FactorDataset, index: Points, device: torch.device
) -> Iterator[Float[Tensor, "batch channels height width"]]:
    """Images at `index` in order, in chunks, float32 in [0, 1]."""
    keep_freed_memory()
    for start in range(0, len(index), _CHUNK):
        yield as_batch(torch.from_numpy(dataset.images(index[start : start + _CHUNK])).to(device))


def to_pixels(images: Float[Tensor, "n channels height width"]) -> Pictures:
    """Images in [0, 1] to uint8 with channels last."""
    pixels = (images * 255).round().clamp(0, 255).to(torch.uint8)
    return pixels.permute(0, 2, 3, 1).contiguous().cpu().numpy()


def device_of(model: torch.nn.Module) -> torch.device:
    """The device of a module's first parameter; the CPU's without any."""
    return next((p.device for p in model.parameters()), torch.device("cpu"))


@torch.no_grad()
def encode_dataset(model: VAE, dataset: FactorDataset, index: Points) -> Representation:
    """Posterior means and log-variances of the images at `index`, by the network in `eval()`."""
    model.eval()
    posteriors = [model.encode(x) for x in image_batches(dataset, index, device_of(model))]
    factors = None if dataset.factor_values is None else dataset.factor_values(index)
    return Representation(
        codes=torch.cat([p.mean for p in posteriors]).cpu().numpy(),
        logvars=torch.cat([p.logvar for p in posteriors]).cpu().numpy(),
        index=index,
        factors=factors,
    )


def kl_per_latent(representation: Representation) -> Float[np.ndarray, " latents"]:
    """Mean KL of each latent over the sample, nats."""
    return representation.kl.mean(axis=0, dtype=np.float64)


def representation_arrays(splits: Mapping[str, Representation]) -> dict[str, np.ndarray]:
    """The arrays of `representation.npz`; those of "train" bear no suffix."""
    arrays = {}
    for split, found in splits.items():
        suffix = "" if split == "train" else f"_{split}"
        arrays[f"codes{suffix}"] = found.codes
        arrays[f"logvars{suffix}"] = found.logvars
        arrays[f"index{suffix}"] = found.index
        if found.factors is not None:
            arrays[f"factors{suffix}"] = found.factors
    return arrays
