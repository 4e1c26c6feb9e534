"""Evaluate a run: losses, metrics, reconstructions and traversals of a sample of its data."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from autobeta.data import FactorDataset
from autobeta.metrics import SSIM_PIXELS, image_quality, left_out
from autobeta.models import VAE
from autobeta.run import folder as files
from autobeta.run.codes import (
    SAMPLE_SEED,
    Pictures,
    Points,
    device_of,
    encode_dataset,
    image_batches,
    kl_per_latent,
    representation_arrays,
    sample_points,
    to_pixels,
)
from autobeta.run.load import Run, best_network, load_run, newest
from autobeta.run.objects import Images
from autobeta.run.scores import check_asked, score_splits
from autobeta.run.traverse import traverse
from autobeta.settings import EvaluationConfig
from autobeta.types import Representation

SSIM_IMAGES = 1000
"""Structural similarity is the mean over at most this many images of the sample."""


def evaluate_model(
    model: VAE, dataset: FactorDataset, folder: Path, config: EvaluationConfig, *, step: int
) -> dict[str, Any]:
    """Evaluate a network and write the results into its run folder.

    An evaluation of more images that is there already stays: then nothing is written. Metrics of
    an earlier evaluation of the same images stay beside the new ones.

    Returns:
        What `metrics.json` holds, or would hold, of a network that has had `step` updates.

    Raises:
        ValueError: If a metric asked for by name can't be computed.
    """
    splits = encode_splits(model, dataset, config.num_points)
    train = splits["train"]
    result: dict[str, Any] = {
        "step": step,
        "num_points": len(train.codes),
        **{f"num_points_{k}": len(part.codes) for k, part in splits.items() if k != "train"},
        "seed": config.metrics_seed,
        "num_pictures": config.num_pictures,
        "evaluation": {split: losses(model, dataset, part) for split, part in splits.items()},
        "kl_per_latent": kl_per_latent(train).tolist(),
        "metrics": score_splits(splits, config),
        "asked": None if config.metrics is None else list(config.metrics),
        "left_out": left_out() if config.metrics is None and train.factors is not None else {},
    }
    earlier = files.read_metrics(folder / files.METRICS)
    same_network = earlier.get("step", step) == step
    larger = (earlier.get("num_points") or 0) > result["num_points"]
    if same_network and larger and files.is_whole_evaluation(folder, earlier):
        warnings.warn(
            f"the evaluation of {earlier['num_points']} images in {folder} is kept; that of "
            f"{result['num_points']} is not written.",
            stacklevel=2,
        )
        return result
    if same_network and _is_alike(earlier, result):
        result |= _joined(earlier, result)
    elif dropped := sorted({*(earlier.get("metrics") or ())} - {*result["metrics"]}):
        warnings.warn(
            f"the scores {', '.join(dropped)} in {folder} are dropped: they are of another "
            "network, sample or seed than the new ones. Ask for them by --metrics to have them "
            "again.",
            stacklevel=2,
        )
    shown = splits.get("test", train).index
    every = max(1, len(shown) // config.num_pictures)
    pictures = reconstruct(model, dataset, shown[::every][: config.num_pictures])
    arrays = {
        files.RECONSTRUCTIONS: pictures,
        files.TRAVERSALS: traverse(model, train),
        files.REPRESENTATION: representation_arrays(splits),
    }
    written = {folder / name: files.npz_bytes(found) for name, found in arrays.items()}
    result["representation"] = files.checksum(written[folder / files.REPRESENTATION])
    files.write_together(written | {folder / files.METRICS: files.json_bytes(result)})
    return result


def encode_splits(
    model: VAE, dataset: FactorDataset, num_points: int
) -> dict[str, Representation]:
    """Codes of the evaluation sample of each split, but of that which validation looks at."""
    return {
        split: encode_dataset(model, dataset, sample_points(dataset, split, num_points))
        for split in dataset.splits
        if split != "validation"  # what was chosen by it, it can't judge
    }


def _is_alike(earlier: Mapping[str, Any], result: Mapping[str, Any]) -> bool:
    """Whether two evaluations are of the same network and sample; devices round otherwise."""
    before, now = (np.array(found.get("kl_per_latent") or ()) for found in (earlier, result))
    same = all(earlier.get(key) == result[key] for key in ("num_points", "seed"))
    # TF32 keeps 11 bits; a network that was trained anew differs by percents
    return same and before.shape == now.shape and np.allclose(before, now, rtol=1e-3, atol=1e-4)


def _joined(earlier: Mapping[str, Any], result: Mapping[str, Any]) -> dict[str, Any]:
    """The scores of two evaluations that are alike, the later one's where both have them."""
    metrics = (earlier.get("metrics") or {}) | result["metrics"]
    asked = earlier.get("asked", [])  # None: the default suite
    both = None if None in (asked, result["asked"]) else [*asked, *result["asked"]]
    reasons = (earlier.get("left_out") or {}) | result["left_out"]
    return {
        "metrics": metrics,
        "asked": both and [*dict.fromkeys(both)],
        "left_out": {name: why for name, why in reasons.items() if name not in metrics},
    }


def evaluate(
    run: Run | Path | str,
    config: EvaluationConfig | None = None,
    *,
    data: Images | Path | str | None = None,
) -> dict[str, Any]:
    """Evaluate a run, and write the results into its folder; see `evaluate_model`.

    Those of a best network go into `best/` of the folder.

    Args:
        run: A run, or its folder.
        config: Settings.
        data: Where the run's own images lie now, or the object that they came from; where they
            were in the training if not given.

    Returns:
        What `metrics.json` holds, or would hold.

    Raises:
        ValueError: If the images are not those of the training, or a metric asked for by name
            can't be computed.
    """
    run = run if isinstance(run, Run) else load_run(run)
    config = config or EvaluationConfig()
    dataset = run.open(data)
    check_asked(config, dataset)
    with files.locked(run.folder):
        steps = run.config.train.steps
        _, step = best_network(run.folder) if run.best else newest(run.folder, steps)
        if step != run.step:
            raise ValueError(
                f"`run` must be as its folder is; it was loaded at step {run.step}, and "
                f"{run.folder} is at {step} now. Load it again."
            )
        return evaluate_model(run.model, dataset, run.results, config, step=run.step)


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
        "psnr" in dB, mean over images; "ssim", of at most 1,000 images, where these have the 11
        pixels of its window each way; "active_latents".
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
        logits = model.likelihood.mean_logits(outputs)
        bce = F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(dim=(1, 2, 3))
        psnr = -10 * torch.log10(mse.clamp(min=1e-10))
        sums += torch.stack([v.double().sum().cpu() for v in (nll, mse, bce, psnr)])
    reconstruction, mse, bce, psnr = (sums / start).tolist()
    kl = float(kl_per_latent(representation).sum())
    found = {
        "reconstruction": reconstruction,
        "kl": kl,
        "elbo": -(reconstruction + kl),
        "mse": mse,
        "bce": bce,
        "psnr": psnr,
    }
    if min(dataset.image_shape[:2]) >= SSIM_PIXELS:
        originals, images = (np.concatenate(side) for side in zip(*pairs, strict=True))
        found["ssim"] = image_quality(originals, images.clip(0, 1)).ssim
    return found | {"active_latents": int(representation.active.sum())}


def _as_array(
    images: Float[Tensor, "n channels height width"],
) -> Float[np.ndarray, "n height width channels"]:
    return images.permute(0, 2, 3, 1).cpu().numpy()


@torch.no_grad()
def reconstruct(model: VAE, dataset: FactorDataset, index: Points) -> dict[str, Pictures]:
    """Originals and the decoded posterior means of the images at `index`."""
    model.eval()
    chunks = image_batches(dataset, index, device_of(model))
    decoded = [to_pixels(model.decode(model.encode(x).mean)) for x in chunks]
    return {"originals": dataset.images(index), "reconstructions": np.concatenate(decoded)}
