"""CelebA: 202,599 RGB photographs of faces, with 40 binary attributes as factors.

The files are the aligned JPEGs of 178 x 218 pixels, in `img_align_celeba.zip` or a folder
`img_align_celeba`; `list_attr_celeba.txt` with the attributes and `list_eval_partition.txt` with
the official splits train, valid and test. The forms with commas, `list_attr_celeba.csv` and
`list_eval_partition.csv`, do as well, and either may be gzipped. The centre of 148 x 148 pixels is
cut out and scaled, bicubic with anti-aliasing. Attributes are 0 (absent) and 1 (present); they are
labels by people, no factors that made the image, and depend on each other.

Options read: `path` (the folder), `image_size`, `channels` (1, 3), `unofficial`
(takes a part of the images).
"""

from pathlib import Path

import numpy as np

from autobeta.data._core.factors import FactorSpace
from autobeta.data._core.prepare import Conversion
from autobeta.data._files.archives import open_archive, read_unzipped
from autobeta.data._files.images import parts_of
from autobeta.data._files.reading import reading
from autobeta.settings import DataOptions

SOURCE = "Liu et al., 2015, https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html"
LICENSE = "for non-commercial research only; do not pass the images on"
CITATION = """@inproceedings{liu2015faceattributes,
  title = {Deep Learning Face Attributes in the Wild},
  author = {Liu, Ziwei and Luo, Ping and Wang, Xiaogang and Tang, Xiaoou},
  booktitle = {International Conference on Computer Vision},
  year = {2015}
}"""
FACTORS = {
    "5_o_Clock_Shadow": 2, "Arched_Eyebrows": 2, "Attractive": 2, "Bags_Under_Eyes": 2,
    "Bald": 2, "Bangs": 2, "Big_Lips": 2, "Big_Nose": 2, "Black_Hair": 2, "Blond_Hair": 2,
    "Blurry": 2, "Brown_Hair": 2, "Bushy_Eyebrows": 2, "Chubby": 2, "Double_Chin": 2,
    "Eyeglasses": 2, "Goatee": 2, "Gray_Hair": 2, "Heavy_Makeup": 2, "High_Cheekbones": 2,
    "Male": 2, "Mouth_Slightly_Open": 2, "Mustache": 2, "Narrow_Eyes": 2, "No_Beard": 2,
    "Oval_Face": 2, "Pale_Skin": 2, "Pointy_Nose": 2, "Receding_Hairline": 2, "Rosy_Cheeks": 2,
    "Sideburns": 2, "Smiling": 2, "Straight_Hair": 2, "Wavy_Hair": 2, "Wearing_Earrings": 2,
    "Wearing_Hat": 2, "Wearing_Lipstick": 2, "Wearing_Necklace": 2, "Wearing_Necktie": 2,
    "Young": 2,
}  # fmt: skip
KINDS = dict.fromkeys(FACTORS, "categorical")
DISK = "2.5 GB in the cache at 64 pixels; 1.4 GB of files"
BY_HAND = (
    "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html (Google Drive ids: img_align_celeba.zip "
    "0B7EVK8r0v71pZjFTYXZWM3FlRnM, list_attr_celeba.txt 0B7EVK8r0v71pblRyaVFSWGxPY0U, "
    "list_eval_partition.txt 0B7EVK8r0v71pY0NSMzRuSXJEVkk)"
)
_SUM = "sha256:46fb89443c578308acf364d7d379fe1b9efb793042c0af734b6112e4fd3a8c74"
FILES = {
    "img_align_celeba.zip": (_SUM, 1_443_490_838),
    "list_attr_celeba.txt": ("", 0),
    "list_eval_partition.txt": ("", 0),
}
NUM_IMAGES = 202_599

SPACE = FactorSpace(tuple(FACTORS), tuple(FACTORS.values()))
CROP = 148  # of 178 x 218 pixels
_SPLITS = ("train", "valid", "test")


def read_table(path: Path) -> dict[str, list[str]]:
    """Words after the image's name of each line that begins with one, by the name's stem.

    Commas count as spaces, so the forms .txt and .csv are read alike; headers name no image.
    """
    with reading(path, "table of CelebA", "Fetch it again."):
        lines = read_unzipped(path).decode().splitlines()
    rows = (line.replace(",", " ").split() for line in lines)
    return {row[0].split(".")[0]: row[1:] for row in rows if row and row[0].endswith(".jpg")}


def convert(paths: list[Path], options: DataOptions) -> Conversion:
    """Centres of the photographs, with attributes and the official splits."""
    images, attributes, partition = paths
    archive = open_archive(images)
    by_stem = {n.split("/")[-1].split(".")[0]: n for n in archive.names if n.endswith(".jpg")}
    labels, parts = read_table(attributes), read_table(partition)
    stems = sorted(by_stem)
    unknown = [s for s in stems if len(labels.get(s, [])) != len(FACTORS) or s not in parts]
    if unknown or not stems:
        raise ValueError(
            f"`{attributes}` and `{partition}` must have {len(FACTORS)} attributes and the split "
            f"of each image of `{images}`; got none of {', '.join(unknown[:3]) or 'no image'}."
        )
    if len(stems) != NUM_IMAGES and not options.unofficial:
        raise ValueError(
            f"`{images}` must have {NUM_IMAGES:,} images; got {len(stems):,}. Get all of them, "
            "or take a part with --unofficial."
        )
    part = np.array([int(parts[s][0]) for s in stems])
    splits = {name: np.flatnonzero(part == k) for k, name in enumerate(_SPLITS) if k in part}
    centre = f", centre of {CROP} pixels" if options.image_size else ""
    return Conversion(
        num_images=len(stems),
        images=parts_of(archive, [by_stem[s] for s in stems], options, cut=CROP),
        channels=3,
        source=f"{images.name}, {len(stems)} images{centre}",
        space=SPACE,
        factors=np.array([[int(v) > 0 for v in labels[s]] for s in stems], np.int64),
        splits=splits if "train" in splits else None,  # else all are
    )
