"""Encode a sample of the data once, measure losses and metrics, decode traversals."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from autobeta import runs
from autobeta.data import FactorDataset
from autobeta.metrics import check_metrics, image_quality, score
from autobeta.models import VAE
from autobeta.types import Representation

SAMPLE_SEED = 20200916
"""Seed of the evaluation sample: the same points for every run of a data set."""

ACTIVE_VARIANCE = 0.01
"""A latent is active if its posterior mean varies by more than this over the data."""

SSIM_IMAGES = 1000
"""Structural similarity is the mean over at most this many images of the sample."""

_CHUNK = 256

Index = Int[np.ndarray, " points"]
Pictures = UInt8[np.ndarray, "n height width channels"]


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """Settings of an evaluation."""

    num_points: int = 10_000
    """Images in the sample of each part of the data; all, where there are fewer."""
    metrics: tuple[str, ...] | None = None
    """Names of metrics, or of variants such as "dci[gbt]"; None takes the default suite."""
    seed: int = 0
    """Seed of the metrics."""
    n_jobs: int = 1
    """Processes or threads for metrics that can use several."""
    num_pictures: int = 16
    """Reconstructions, and samples from the prior, that are kept as images."""

    def __post_init__(self) -> None:
        check_metrics(self.metrics or ())  # now, not after hours of training


def sample_index(dataset: FactorDataset, split: str, num_points: int) -> Index:
    """The evaluation sample of a part of a data set: sorted, the same for every run."""
    part = dataset.splits[split]
    if len(part) <= num_points:
        return np.asarray(part)
    chosen = np.random.default_rng(SAMPLE_SEED).choice(len(part), num_points, replace=False)
    return np.asarray(part)[np.sort(chosen)]


def image_batches(
    dataset: FactorDataset, index: Index, device: torch.device
) -> Iterator[Float[Tensor, "batch channels height width"]]:
    """Images at `index` in order, in chunks, float32 in [0, 1]."""
    for start in range(0, len(index), _CHUNK):
        pixels = torch.from_numpy(dataset.images(index[start : start + _CHUNK])).to(device)
        yield pixels.permute(0, 3, 1, 2).float() / 255


def device_of(model: torch.nn.Module) -> torch.device:
    """The device of a module's first parameter."""
    return next(model.parameters()).device


@torch.no_grad()
def encode_dataset(model: VAE, dataset: FactorDataset, index: Index) -> Representation:
    """Posterior means and log-variances of the images at `index`.

    Args:
        model: The network; it is put into `eval()`.
        dataset: Where the images come from.
        index: Positions in the data set.
    """
    model.eval()
    posteriors = [model.encoder(x) for x in image_batches(dataset, index, device_of(model))]
    factors = None if dataset.factor_values is None else dataset.factor_values(index)
    return Representation(
        codes=torch.cat([p.mean for p in posteriors]).cpu().numpy(),
        logvars=torch.cat([p.logvar for p in posteriors]).cpu().numpy(),
        index=index,
        factors=factors,
    )


def kl_per_latent(representation: Representation) -> Float[np.ndarray, " latents"]:
    """Mean KL of each latent over the sample, nats."""
    codes, logvars = representation.codes, representation.logvars
    kl = 0.5 * (codes**2 + np.exp(logvars) - 1 - logvars)
    return kl.mean(axis=0, dtype=np.float64)


def active_latents(representation: Representation) -> np.ndarray:
    """Which latents are active: their posterior mean varies over the data.

    Source:
        Burda et al., Importance Weighted Autoencoders, 2016, https://arxiv.org/abs/1509.00519
    """
    return representation.codes.var(axis=0) > ACTIVE_VARIANCE


@torch.no_grad()
def losses(
    model: VAE, dataset: FactorDataset, representation: Representation
) -> dict[str, float | int]:
    """Reconstruction, KL and image quality over a sample.

    `reconstruction` takes one posterior sample with noise of a fixed seed, the others decode the
    posterior mean. `bce` is the cross-entropy of the mean image, a distortion that likelihoods
    have in common; nats of different likelihoods don't compare.

    Returns:
        "reconstruction", "kl", "elbo" in nats per image; "mse" per pixel; "bce" in nats per image;
        "psnr" in dB, mean over images; "ssim", of at most 1,000 images; "active_latents".
    """
    model.eval()
    device = device_of(model)
    noise = torch.Generator().manual_seed(SAMPLE_SEED)
    codes, logvars = representation.codes, representation.logvars
    sums = torch.zeros(4, dtype=torch.float64)
    every = -(-len(codes) // SSIM_IMAGES)
    pairs: list[tuple[np.ndarray, np.ndarray]] = []
    start = 0
    for x in image_batches(dataset, representation.index, device):
        mean = torch.from_numpy(codes[start : start + len(x)])
        std = torch.exp(0.5 * torch.from_numpy(logvars[start : start + len(x)]))
        shown = slice(-start % every, None, every)
        start += len(x)
        z = mean + std * torch.randn(mean.shape, generator=noise)
        nll = model.likelihood.nll(model.decoder(z.to(device)).float(), x)
        outputs = model.decoder(mean.to(device)).float()
        image = model.likelihood.mean_image(outputs)
        mse = (image - x).square().mean(dim=(1, 2, 3))
        pairs.append((_as_array(x[shown]), _as_array(image[shown])))
        bce = F.binary_cross_entropy_with_logits(outputs, x, reduction="none").sum(dim=(1, 2, 3))
        psnr = -10 * torch.log10(mse.clamp(min=1e-10))
        sums += torch.stack([v.double().sum().cpu() for v in (nll, mse, bce, psnr)])
    reconstruction, mse, bce, psnr = (sums / start).tolist()
    kl = float(kl_per_latent(representation).sum())
    originals, images = (np.concatenate(side) for side in zip(*pairs, strict=True))
    return {
        "reconstruction": reconstruction,
        "kl": kl,
        "elbo": -(reconstruction + kl),
        "mse": mse,
        "bce": bce,
        "psnr": psnr,
        "ssim": image_quality(originals, images.clip(0, 1)).ssim,
        "active_latents": int(active_latents(representation).sum()),
    }


def _as_array(
    images: Float[Tensor, "n channels height width"],
) -> Float[np.ndarray, "n height width channels"]:
    return images.permute(0, 2, 3, 1).cpu().numpy()


def to_pixels(images: Float[Tensor, "n channels height width"]) -> Pictures:
    """Images in [0, 1] to uint8 with channels last."""
    pixels = (images * 255).round().clamp(0, 255).to(torch.uint8)
    return pixels.permute(0, 2, 3, 1).contiguous().cpu().numpy()


@torch.no_grad()
def reconstruct(model: VAE, dataset: FactorDataset, index: Index) -> dict[str, Pictures]:
    """Originals and the decoded posterior means of the images at `index`."""
    model.eval()
    chunks = image_batches(dataset, index, device_of(model))
    decoded = [to_pixels(model.decode(model.encoder(x).mean)) for x in chunks]
    return {"originals": dataset.images(index), "reconstructions": np.concatenate(decoded)}


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

    Args:
        model: The network.
        representation: Says which latents are active, and their KL.
        base: Values of the fixed latents; the prior's mean, 0, if not given.
        num_values: Values per latent.
        span: The latent goes from -span to span, in the prior's standard deviations.
        num_samples: Samples of the prior.

    Returns:
        The arrays of `traversals.npz`: rows sorted by falling KL.
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
        "active": active_latents(representation)[order],
        "values": values,
        "samples": to_pixels(model.decode(samples.to(device))),
    }


def evaluate(
    model: VAE, dataset: FactorDataset, folder: Path, config: EvaluationConfig | None = None
) -> dict[str, Any]:
    """Evaluate a trained model and write the results into its run folder.

    Args:
        model: The network; it is put into `eval()`.
        dataset: What it was trained on.
        folder: Run folder; representation, reconstructions, traversals and metrics go there.
            Metrics found there stay, if they are of the same points, model and seed.
        config: Settings.

    Returns:
        What `metrics.json` holds.
    """
    config = config or EvaluationConfig()
    parts = {
        split: encode_dataset(model, dataset, sample_index(dataset, split, config.num_points))
        for split in dataset.splits
    }
    train = parts["train"]
    result = {
        "num_points": len(train.codes),
        "seed": config.seed,
        "evaluation": {split: losses(model, dataset, part) for split, part in parts.items()},
        "kl_per_latent": kl_per_latent(train).tolist(),
        "metrics": score_parts(parts, config),
    }
    result["metrics"] = _kept_metrics(folder, result) | result["metrics"]
    shown = parts.get("test", train).index
    every = max(1, len(shown) // config.num_pictures)
    runs.write_npz(folder / runs.REPRESENTATION, representation_arrays(parts))
    pictures = reconstruct(model, dataset, shown[::every][: config.num_pictures])
    runs.write_npz(folder / runs.RECONSTRUCTIONS, pictures)
    runs.write_npz(folder / runs.TRAVERSALS, traverse(model, train))
    runs.write_json(folder / runs.METRICS, result)
    return result


def _kept_metrics(folder: Path, result: dict[str, Any]) -> dict[str, Any]:
    """Metrics of an earlier evaluation on the same points with the same seed."""
    if not (folder / runs.METRICS).exists():
        return {}
    earlier = runs.read_json(folder / runs.METRICS)
    same = all(earlier[key] == result[key] for key in ("num_points", "seed", "kl_per_latent"))
    return dict(earlier["metrics"]) if same else {}


def score_parts(
    parts: dict[str, Representation], config: EvaluationConfig
) -> dict[str, float | dict[str, float]]:
    """Metrics of the training part, predictors tested on the held-out part where there is one."""
    train, test = parts["train"], parts.get("test")
    held_out = None if test is None or test.factors is None else (test.codes, test.factors)
    found = score(
        train.codes,
        train.factors,
        logvars=train.logvars,
        test=held_out,
        metrics=config.metrics,
        n_jobs=config.n_jobs,
        seed=config.seed,
    )
    return {name: value for name, value in found.items() if _is_finite(value)}


def _is_finite(value: float | dict[str, float]) -> bool:
    values = value.values() if isinstance(value, dict) else [value]
    return all(math.isfinite(v) for v in values)


def representation_arrays(parts: dict[str, Representation]) -> dict[str, np.ndarray]:
    """The arrays of `representation.npz`."""
    arrays = {}
    for split, part in parts.items():
        suffix = "" if split == "train" else f"_{split}"
        arrays[f"codes{suffix}"] = part.codes
        arrays[f"logvars{suffix}"] = part.logvars
        arrays[f"index{suffix}"] = part.index
        if part.factors is not None:
            arrays[f"factors{suffix}"] = part.factors
    return arrays
