"""Codes of any images under a run."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from autobeta import registry
from autobeta.data import FactorDataset, as_dataset
from autobeta.run import folder as files
from autobeta.run.codes import encode_dataset, representation_arrays, sample_points
from autobeta.run.load import Run, load_run
from autobeta.run.objects import Images
from autobeta.settings import DataOptions
from autobeta.types import Representation


def encode(
    run: Run | Path | str,
    data: Images | Path | str,
    *,
    num_points: int | None = None,
    skip_broken: bool = False,
) -> Representation:
    """Codes of images under a trained run.

    Args:
        run: A run, or its folder.
        data: A data set, its name, a folder of images, a file of arrays, an array of images, shape
            (n, H, W) or (n, H, W, C), or a torch `Dataset` of images.
        num_points: Size of a seeded sample of the split "train"; all images if not given.
        skip_broken: Leave out files of images that can't be read; they are named in a warning.

    Returns:
        Codes, log-variances, positions, and factors where the data have them.

    Raises:
        ValueError: If the images have another shape than those of the training, or `num_points`
            is below 1.
    """
    run = run if isinstance(run, Run) else load_run(run)
    dataset = dataset_for(run, data, skip_broken=skip_broken)
    index = np.arange(dataset.num_images)
    if num_points is not None:
        if not isinstance(num_points, int) or num_points < 1:
            raise ValueError(
                f"`num_points` must be a whole number of at least 1; got {num_points}."
            )
        index = sample_points(dataset, "train", num_points)
    return encode_dataset(run.model, dataset, index)


def dataset_for(
    run: Run, data: Images | Path | str, *, skip_broken: bool = False
) -> FactorDataset:
    """Images brought to the shape that a run takes; the run's own data as the run has them.

    Raises:
        ValueError: If they have another shape.
    """
    channels = run.image_shape[2]
    if isinstance(data, str) and data in registry.available("data"):
        known = getattr(registry.load("data", data), "CHANNELS", (channels,))
        if channels not in known:
            raise ValueError(
                f"`data` must have images with {channels} channels, as in the training; got "
                f"{data} with {' or '.join(map(str, known))}. Name other data."
            )
    options = DataOptions(image_size=run.image_size, channels=channels)
    is_own = False
    if isinstance(data, Path | str):
        data = str(data)
        own = run.config.data
        named = own in registry.available("data")
        is_own = data == own or (not named and Path(data).expanduser().resolve() == Path(own))
        if is_own:
            options = run.config.data_options
    options = replace(options, skip_broken=skip_broken or options.skip_broken)
    dataset = as_dataset(data, options)
    if dataset.image_shape != run.image_shape:
        raise ValueError(
            f"`data` must have images of shape {run.image_shape}, as in the training; got "
            f"{dataset.image_shape}. Save them in that shape, as a folder or an .npz file."
        )
    return run.as_trained(dataset) if is_own else dataset


def write_codes(path: Path, found: Representation, dataset: FactorDataset) -> None:
    """Write codes of a data set's images, their names where they have any, and their split."""
    arrays = representation_arrays({"train": found})
    split = np.full(dataset.num_images, "", dtype="<U16")
    for name, part in dataset.splits.items():
        split[part] = name
    arrays["split"] = split[found.index]
    if dataset.names is not None:
        arrays["names"] = np.asarray(dataset.names)[found.index]
    files.write_out(path, lambda file: file.write(files.npz_bytes(arrays)))
