"""MPI3D: RGB photographs and renderings of a robot arm holding an object, from seven factors.

Variants: real_complex (460,800 images; coloured cups and balls, the MPI3D-complex of L-VAE), real,
realistic and toy (1,036,800 images each). Factors in order, last fastest: object_color,
object_shape, object_size, camera_height, background_color, horizontal_axis, vertical_axis;
real_complex has 4 colours and 4 shapes, the others 6 and 6. The file is one .npz with `images`,
uint8 (N, 64, 64, 3), without labels: an image's factors are its position. An older toy file of
460,800 images, which disentanglement_lib reads, is another set and is refused by its size.

Options read: `path` (the .npz or its folder), `variant`, `image_size`, `channels`
(1, 3), `unofficial`.
"""

from pathlib import Path

from autobeta.data._core.factors import FactorSpace
from autobeta.data._core.prepare import Conversion
from autobeta.data._files.reading import reading
from autobeta.data._files.stored import open_arrays
from autobeta.settings import DataOptions

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
    "object_color": 4, "object_shape": 4, "object_size": 2, "camera_height": 3,
    "background_color": 3, "horizontal_axis": 40, "vertical_axis": 40,
}  # fmt: skip
KINDS = dict.fromkeys(FACTORS, "ordinal")
KINDS |= dict.fromkeys(("object_color", "object_shape", "background_color"), "categorical")
SIZE = 64
DISK = "5.7 GB (real_complex) or 12.7 GB in the cache at 64 pixels, and as much for the file"
VARIANTS = ("real_complex", "real", "realistic", "toy")
URL = "https://huggingface.co/datasets/waleedgondal/mpi3d/resolve/main/"
# checksums as nmichlo/disent has them; none is known of real_complex
FILES = {
    "real3d_complicated_shapes_ordered.npz": ("", 0),
    "mpi3d_real.npz": ("md5:0f33f609918fb5c97996692f91129802", 0),
    "mpi3d_realistic.npz": ("md5:59a6225b88b635365f70c91b3e52f70f", 0),
    "mpi3d_toy.npz": ("md5:55889cb7c7dfc655d6e0277beee88868", 0),
}
NO_ADDRESS = ("real3d_complicated_shapes_ordered.npz",)
BY_HAND = "https://drive.google.com/file/d/1Tp8eTdHxgUMtsZv5uAoYAbJR1BOa_OQm"

COMPLEX = FactorSpace(tuple(FACTORS), tuple(FACTORS.values()))
SIMPLE = FactorSpace(tuple(FACTORS), (6, 6, 2, 3, 3, 40, 40))
_CHUNK = 512


def space_of(variant: str | None) -> FactorSpace:
    """Factors of a variant, by default the first."""
    return COMPLEX if variant in (None, "real_complex") else SIMPLE


def convert(paths: list[Path], options: DataOptions) -> Conversion:
    """Images of the one file of a variant."""
    [path], variant = paths, options.variant or VARIANTS[0]
    space = space_of(variant)
    if variant == "real_complex" and "toy" in path.name and not options.unofficial:
        raise ValueError(
            f"`path` must be {next(iter(FILES))} for the variant real_complex; got `{path}`, "
            "by its name another set of as many images. Rename it if it is not."
        )
    wanted = (space.num_combinations, 64, 64, 3)
    with reading(path, f"file of MPI3D, variant {variant}", "Give that variant's own file."):
        images = open_arrays(path).get("images")
        if images is None or images.shape != wanted or images.dtype != "uint8":
            found = "nothing" if images is None else f"{images.dtype} of {images.shape}"
            raise ValueError(f"{found} for 'images' in place of uint8 of {wanted}")
    return Conversion(
        num_images=wanted[0],
        images=images.chunks(_CHUNK),
        channels=3,
        source=f"{path.name}, {variant}",
        space=space,
    )
