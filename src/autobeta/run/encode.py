"""Codes of any images under a run."""

from dataclasses import replace
from numbers import Integral
from pathlib import Path

import numpy as np

from autobeta import registry
from autobeta.data import FactorDataset, as_dataset, held_out
from autobeta.errors import TooFewImagesError
from autobeta.run import folder as files
from autobeta.run.codes import encode_dataset, representation_arrays, sample_points
from autobeta.run.load import Run, load_run
from autobeta.run.objects import Images
from autobeta.run.out import write_out
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
        whole = isinstance(num_points, Integral) and not isinstance(num_points, bool)
        if not whole or num_points < 1:
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
    name = str(data) if isinstance(data, Path | str) else None
    if name in registry.available("data"):
        known = getattr(registry.load("data", name), "CHANNELS", (channels,))
        if channels not in known:
            raise ValueError(
                f"`data` must have images with {channels} channels, as in the training; got "
                f"{name} with {' or '.join(map(str, known))}. Name other data."
            )
    options = DataOptions(image_size=run.image_size, channels=channels, skip_broken=skip_broken)
    own = run.config.data_options
    own = replace(own, skip_broken=skip_broken or own.skip_broken)
    in_place = name is not None and _is_place_of(run, name)
    dataset = run.as_trained(as_dataset(data, own)) if in_place else _opened(data, options)
    if dataset.image_shape != run.image_shape:
        raise ValueError(
            f"`data` must have images of shape {run.image_shape}, as in the training; got "
            f"{dataset.image_shape}. Save them in that shape, as a folder or an .npz file."
        )
    return dataset if in_place else _as_in_training(run, dataset)


def _opened(data: Images | Path | str, options: DataOptions) -> FactorDataset:
    """Images with a split of their own, or with none if they are too few, as one image is."""
    try:
        return as_dataset(data, options)
    except TooFewImagesError:
        return as_dataset(data, replace(options, test_fraction=0))


def _is_place_of(run: Run, data: str) -> bool:
    """Whether it is the name or the place of the data that a run was trained on."""
    own = run.config.data
    named = own in registry.available("data")
    return data == own or (not named and Path(data).expanduser().resolve() == Path(own))


def _as_in_training(run: Run, dataset: FactorDataset) -> FactorDataset:
    """Split as in a run's training if the images are its own, wherever they lie now."""
    try:
        known = files.read_config(run.folder)["data"]
        drawn = held_out(dataset.num_images, run.config.data_options)
    except (FileNotFoundError, ValueError):  # gone since, or fewer images than the split needs
        return dataset
    for splits in (dataset.splits, drawn):
        found = replace(dataset, splits=dict(splits))
        if found.fingerprint == known.get("fingerprint"):
            return run.as_trained(found)
    return dataset


def check_out(path: Path) -> None:
    """Refuse a file of codes whose name says that it is something else."""
    if path.suffix in (".npy", ".csv", ".tsv", ".pt", ".parquet", ".h5", ".hdf5"):
        raise ValueError(f"`out` must end in .npz; got {path.name}. Rename it.")


def write_codes(path: Path, found: Representation, dataset: FactorDataset) -> None:
    """Write codes of a data set's images, their names where they have any, and their split."""
    arrays = representation_arrays({"train": found})
    split = np.full(dataset.num_images, "", dtype="<U16")
    for name, part in dataset.splits.items():
        split[part] = name
    arrays["split"] = split[found.index]
    if dataset.names is not None:
        arrays["names"] = np.asarray(dataset.names)[found.index]
    write_out(path, lambda file: file.write(files.npz_bytes(arrays)))
