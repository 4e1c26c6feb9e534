"""MPI3D: RGB photographs and renderings of a robot arm holding an object, from seven factors.

Variants: real_complex (460,800 images; coloured cups and balls, the MPI3D-complex of L-VAE), real,
realistic and toy (1,036,800 images each). Factors in order, last fastest: object_color,
object_shape, object_size, camera_height, background_color, horizontal_axis, vertical_axis;
real_complex has 4 colours and 4 shapes, the others 6 and 6. The file is one .npz with `images`,
uint8 (N, 64, 64, 3), without labels: an image's factors are its position. An older toy file of
460,800 images, which disentanglement_lib reads, is another set and is refused by its size.

Options read: `path` (the .npz or its folder), `variant`, `image_size` (32, 64, 128), `channels`
(1, 3), `unofficial`.
"""

from dataclasses import replace
from pathlib import Path

from autobeta.data._cache import Report
from autobeta.data._dataset import (
    DEFAULT_OPTIONS,
    DataOptions,
    FactorDataset,
    check_options,
    check_variant,
)
from autobeta.data._download import OfficialFile, published
from autobeta.data._factors import FactorSpace
from autobeta.data._npy import open_arrays
from autobeta.data._official import Conversion, open_converted, prepare_official
from autobeta.data._pixels import fit_all

SOURCE = "Gondal et al., 2019, https://github.com/rr-learning/disentanglement_dataset"
LICENSE = "CC BY 4.0"
CITATION = """@inproceedings{gondal2019transfer,
  title = {On the Transfer of Inductive Bias from Simulation to the Real World: a New
           Disentanglement Dataset},
  author = {Gondal, Muhammad Waleed and W{\\"u}thrich, Manuel and Miladinovi{\\'c}, {\\DJ}or{\\dj}e
            and Locatello, Francesco and Breidt, Martin and Volchkov, Valentin and Akpo, Joel and
            Bachem, Olivier and Sch{\\"o}lkopf, Bernhard and Bauer, Stefan},
  booktitle = {Advances in Neural Information Processing Systems},
  year = {2019}
}"""
FACTORS = {
    "object_color": 4,
    "object_shape": 4,
    "object_size": 2,
    "camera_height": 3,
    "background_color": 3,
    "horizontal_axis": 40,
    "vertical_axis": 40,
}
KINDS = {
    "object_color": "categorical",
    "object_shape": "categorical",
    "object_size": "ordinal",
    "camera_height": "ordinal",
    "background_color": "categorical",
    "horizontal_axis": "ordinal",
    "vertical_axis": "ordinal",
}
DISK = "5.7 GB (real_complex) or 12.7 GB in the cache at 64 pixels, and as much for the file"
VARIANTS = ("real_complex", "real", "realistic", "toy")
# checksums as nmichlo/disent has them; none is known of real_complex
FILES = {
    "real3d_complicated_shapes_ordered.npz": ("", "", 0),
    "mpi3d_real.npz": (
        "https://huggingface.co/datasets/waleedgondal/mpi3d/resolve/main/mpi3d_real.npz",
        "md5:0f33f609918fb5c97996692f91129802",
        0,
    ),
    "mpi3d_realistic.npz": (
        "https://huggingface.co/datasets/waleedgondal/mpi3d/resolve/main/mpi3d_realistic.npz",
        "md5:59a6225b88b635365f70c91b3e52f70f",
        0,
    ),
    "mpi3d_toy.npz": (
        "https://huggingface.co/datasets/waleedgondal/mpi3d/resolve/main/mpi3d_toy.npz",
        "md5:55889cb7c7dfc655d6e0277beee88868",
        0,
    ),
}
BY_HAND = "https://drive.google.com/file/d/1Tp8eTdHxgUMtsZv5uAoYAbJR1BOa_OQm"

COMPLEX = FactorSpace(tuple(FACTORS), tuple(FACTORS.values()))
SIMPLE = FactorSpace(tuple(FACTORS), (6, 6, 2, 3, 3, 40, 40))
_CHUNK = 512


def load(root: Path, options: DataOptions = DEFAULT_OPTIONS) -> FactorDataset:
    """Open MPI3D; the first time the images are copied into the cache folder.

    Args:
        root: Cache folder.
        options: See the module.

    Raises:
        MissingDataError: If it was never prepared and the file is not at hand.
        ValueError: If the file is damaged or another, or an option can't be honoured.
    """
    variant = check_variant("mpi3d", options, VARIANTS)
    return open_converted(prepare(root, options), f"mpi3d {variant}")


def prepare(
    root: Path, options: DataOptions = DEFAULT_OPTIONS, progress: Report | None = None
) -> Path:
    """Copy the images into the cache folder if that is not done; return the cache file.

    Args:
        root: Cache folder.
        options: See the module.
        progress: Called with (images done, images in all).

    Raises:
        MissingDataError: As for `load`.
        ValueError: As for `load`.
    """
    check_options("mpi3d", options)
    variant = check_variant("mpi3d", options, VARIANTS)
    return prepare_official(
        root,
        "mpi3d",
        replace(options, variant=variant),
        progress,
        files=official_files(options),
        convert=lambda paths: _convert(paths[0], options, variant),
        by_hand=BY_HAND,
    )


def official_files(options: DataOptions) -> list[OfficialFile]:
    """The one file of a variant."""
    variant = check_variant("mpi3d", options, VARIANTS)
    return [published(FILES)[VARIANTS.index(variant)]]


def space_of(variant: str) -> FactorSpace:
    """Factors of a variant.

    Raises:
        ValueError: If there is none of that name.
    """
    check_variant("mpi3d", DataOptions(variant=variant), VARIANTS)
    return COMPLEX if variant == "real_complex" else SIMPLE


def _convert(path: Path, options: DataOptions, variant: str) -> Conversion:
    if variant == "real_complex" and "toy" in path.name and not options.unofficial:
        raise ValueError(
            f"`path` must be {next(iter(FILES))} for the variant real_complex; got `{path}`, "
            "by its name another set of as many images. Rename it if it is not."
        )
    arrays = open_arrays(path)
    wanted = (space_of(variant).num_combinations, 64, 64, 3)
    images = arrays.get("images")
    if images is None or images.shape != wanted or images.dtype != "uint8":
        found = "no such array" if images is None else f"{images.dtype} of {images.shape}"
        raise ValueError(
            f"`{path}` must hold 'images', uint8 of {wanted}, for the variant {variant}; got "
            f"{found}. Give the official file of this variant."
        )
    size, channels = options.image_size, options.channels or 3
    return Conversion(
        shape=(wanted[0], size, size, channels),
        chunks=(fit_all(chunk, size, channels) for chunk in images.chunks(_CHUNK)),
        source=f"{path.name}, {variant}",
        space=space_of(variant),
    )
