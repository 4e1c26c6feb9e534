"""Real samples of the data sets against what our loaders make of them: `python samples.py DIR`.

DIR holds the samples: files of the official sets that their authors or others have published,
which are not ours to pass on. What was found goes to `samples.json`; a check that fails stops the
script.
"""

import argparse
import colorsys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from autobeta.data import (
    DataOptions,
    celeba,
    decode,
    falcor3d,
    isaac3d,
    load_data,
    mpi3d,
    shapes3d,
    verify,
)
from autobeta.run import folder as runs

HERE = Path(__file__).parent


def check(passed, what):
    if not passed:
        raise SystemExit(f"failed: {what}")
    return what


def dsprites(samples, cache):
    del cache
    result = verify(load_data("dsprites"), samples / "dsprites" / "dsprites_downsampled.npz")
    return [check(result.num_identical >= 46_070, str(result))]


def numbered(name, module, samples, cache):
    """Files by name; and, from the published strips, which factor each position moves."""
    folder = next((samples / name).glob("*_down128"))
    options = DataOptions(path=folder, image_size=128, unofficial=True)
    dataset = load_data(name, options, cache)
    files = sorted((folder / "images").glob("*.png"))
    read = dataset.images(np.arange(len(files)))
    same = all(np.array_equal(decode(file), x) for file, x in zip(files, read, strict=True))
    span = f"{files[0].name} to {files[-1].name}"
    said = [check(same, f"{len(files)} images have the pixels of {span}")]
    strips = np.load(samples / name / f"{name}_traversals_128.npz")
    names, sizes = tuple(strips["factor_names"].tolist()), tuple(strips["factor_sizes"].tolist())
    same = names == module.SPACE.names and sizes == module.SPACE.sizes
    said.append(check(same, f"factors are those of the published strips: {names}"))
    ends = np.cumsum(sizes)
    for end, size, factor in zip(ends, sizes, names, strict=True):
        tiles = strips["images"][end - size : end].astype(int)
        pairs = [np.abs(a - b).max() for i, a in enumerate(tiles) for b in tiles[i + 1 :]]
        check(min(pairs) > 8, f"{size} different tiles of {factor}")
    said.append(f"each strip has as many different tiles as its factor has values: {sizes}")
    last = strips["images"][-sizes[-1] :].astype(int)
    off = np.abs(last - read.astype(int)).max()
    said.append(check(off == 0, f"the last strip ({names[-1]}) is images 0 to {sizes[-1] - 1}"))
    return said


def falcor(samples, cache):
    return numbered("falcor3d", falcor3d, samples, cache)


def isaac(samples, cache):
    said = numbered("isaac3d", isaac3d, samples, cache)
    # the formula of the published README: other axes at bases made for the order above
    bases = {"object_shape": 245_760, "object_scale": 30_720, "camera_height": 6144}
    bases |= {"robot_x-move": 1536, "robot_y-move": 384, "lighting_intensity": 96}
    bases |= {"lighting_y-dir": 16, "object_color": 4, "wall_color": 1}
    factors = isaac3d.SPACE.factors(np.arange(isaac3d.SPACE.num_combinations))
    index = factors @ np.array([bases[name] for name in isaac3d.SPACE.names])
    distinct = len(np.unique(index))
    what = f"the README's formula gives {distinct} numbers to 737280 images, up to {index.max()}"
    return [*said, check(distinct < len(index), what)]


def hue(pixel):
    return colorsys.rgb_to_hsv(*(pixel / 255))[0]


def shapes(samples, cache):
    """Floor, wall and object of the JPEGs named by their index have the hues of their factors."""
    del cache
    files = sorted((samples / "shapes3d" / "index_named_jpg").glob("*.jpg"))
    largest = 0.0
    for file in files:
        image = decode(file).astype(float)
        floor, wall, body = image[60, 32], image[24, 60], image[42, 32]
        values = shapes3d.SPACE.factors(np.array([int(file.stem)]))[0]
        for colour, value in zip((floor, wall, body), values, strict=False):
            gap = abs(hue(colour) - value / 10) % 1
            largest = max(largest, min(gap, 1 - gap))
    what = (
        f"hues of {len(files)} index-named images are within {largest:.3f} of their classes / 10"
    )
    return [check(largest < 0.05, what)]


def mpi(samples, cache):
    """The authors' animations: tile k varies factor k, up and down once in 20 frames.

    A factor of n values so changes 2 (n - 1) times, by more than the palette's noise.
    """
    del cache
    said = []
    for variant, file in [("real_complex", "complex"), ("real", "real")]:
        tiles = np.load(samples / "mpi3d" / f"mpi3d_{file}_gif_tiles.npz")
        animation, factor, _ = tiles["gif_factor_frame"].T
        sizes = mpi3d.space_of(variant).sizes
        for k, which in np.ndindex(7, 2):
            frames = (factor == k) & (animation == np.unique(animation)[which])
            images = tiles["images"][frames].astype(int)
            steps = np.sort(np.abs(np.diff(images, axis=0)).mean(axis=(1, 2, 3)))[::-1]
            changes = 2 * (sizes[k] - 1)
            clear = steps[-1] > 1.5 if changes >= 19 else steps[changes - 1] > 1.3 * steps[changes]
            check(clear, f"{variant}: factor {k} changes {changes} times, {steps.round(1)}")
        said.append(f"{variant}: two animations have the changes of sizes {sizes}")
    return said


def faces(samples, cache):
    """Twelve aligned JPEGs with their attributes and parts; pixels against Pillow's own crop."""
    folder = samples / "celeba"
    place = cache / "celeba-files"
    place.mkdir()
    (place / "img_align_celeba").symlink_to(folder / "img_align_celeba_12")
    for table in folder.glob("list_*"):
        (place / table.name).symlink_to(table)
    dataset = load_data("celeba", DataOptions(path=place, unofficial=True), cache)
    files = sorted((place / "img_align_celeba").glob("*.jpg"))
    for i, file in enumerate(files):
        image = Image.open(file).convert("RGB")
        expected = image.crop((15, 35, 163, 183)).resize((64, 64), Image.Resampling.BICUBIC)
        check(np.array_equal(dataset.images(np.array([i]))[0], np.array(expected)), file.name)
    rows = celeba.read_table(folder / "list_attr_celeba.csv")
    table = np.array([[int(v) > 0 for v in rows[file.stem]] for file in files])
    found = dataset.factor_values(np.arange(len(files)))
    check(np.array_equal(found, table), "attributes")
    parts = celeba.read_table(folder / "list_eval_partition.txt.gz")
    what = f"{len(files)} images, 40 attributes; the official partition has {len(parts)} names"
    return [check(len(parts) == celeba.NUM_IMAGES, what)]


CHECKS = {
    "dsprites": dsprites,
    "falcor3d": falcor,
    "isaac3d": isaac,
    "shapes3d": shapes,
    "mpi3d": mpi,
    "celeba": faces,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("samples", type=Path)
    samples = parser.parse_args().samples.resolve()
    found = {}
    for name, run in CHECKS.items():
        with tempfile.TemporaryDirectory() as cache:
            found[name] = run(samples, Path(cache))
        print(name, *found[name], sep="\n  ", flush=True)
    runs.write_json(HERE / "samples.json", found)


if __name__ == "__main__":
    main()
