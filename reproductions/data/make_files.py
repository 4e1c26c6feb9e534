"""Official formats filled with images of scenes3d: `python make_files.py DIR [NAME ...]`.

They show that `autobeta` reads each format where the official files can't be had; the images are
ours. Each factor of an official set is shown by a factor of scenes3d, coarsened where it has more
values. Sets of which a part is enough have a part; mpi3d is written whole (5.7 GB).
"""

import argparse
import gzip
import io
import struct
import tarfile
from pathlib import Path

import h5py
import numpy as np
from PIL import Image
from scipy.io import savemat

from autobeta.data import (
    cars3d,
    chairs3d,
    falcor3d,
    isaac3d,
    load_data,
    mpi3d,
    scenes3d,
    shapes3d,
    smallnorb,
)

# the factor of scenes3d that shows each factor; None where it shows nothing
SHOWN = {
    "mpi3d": ("hue", "shape", "size", "camera_height", "background", "posX", "posY"),
    "falcor3d": ("light", "hue", "shape", "size", "posX", "posY", "camera_height"),
    "isaac3d": (
        *("shape", "posX", "posY", "camera_height", "size", None, "light", "hue", "background"),
    ),
    "shapes3d": (None, "background", "hue", "size", "shape", "posX"),
    "smallnorb": ("shape", "hue", "posY", "posX", "light"),
    "cars3d": ("camera_height", "posX", "hue"),
    "chairs3d": ("hue", "camera_height", "posX"),
}
PART = 3000  # images of a set that is not written whole


def pictures(name, space, factors):
    """Images of scenes3d for factor values of another set, (N, 64, 64, 3)."""
    scenes = load_data("scenes3d")
    middle = np.array(scenes3d.SPACE.sizes) // 2
    shown = np.tile(middle, (len(factors), 1))
    for k, factor in enumerate(SHOWN[name]):
        if factor is not None:
            at = scenes3d.SPACE.names.index(factor)
            size = scenes3d.SPACE.sizes[at]
            shown[:, at] = factors[:, k] * min(size, space.sizes[k]) // space.sizes[k]
    return scenes.images(scenes3d.SPACE.index(shown))


def some(space, count=PART):
    """Positions of a part of the grid, sorted, and their factor values."""
    rng = np.random.default_rng(0)
    index = np.sort(rng.choice(space.num_combinations, count, replace=False))
    return index, space.factors(index)


def scaled(image, size):
    return Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC)


def png(image):
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def add(archive, name, data):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    archive.addfile(info, io.BytesIO(data))


def make_mpi3d(folder):
    space, rows = mpi3d.COMPLEX, 3200
    path = folder / "images.npy"
    shape = (space.num_combinations, 64, 64, 3)
    images = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    for start in range(0, len(images), rows):
        factors = space.factors(np.arange(start, start + rows))
        images[start : start + rows] = pictures("mpi3d", space, factors)
    np.savez(folder / "real3d_complicated_shapes_ordered.npz", images=images)
    del images
    path.unlink()


def make_numbered(name, module, folder, labels):
    index, factors = some(module.SPACE)
    place = folder / {"falcor3d": "Falcor3D_down128", "isaac3d": "Isaac3D_down128"}[name]
    (place / "images").mkdir(parents=True, exist_ok=True)
    for i, image in zip(index, pictures(name, module.SPACE, factors), strict=True):
        scaled(image, 128).save(place / "images" / f"{i:06d}.png")
    everything = module.SPACE.factors(np.arange(module.SPACE.num_combinations))
    with (place / labels).open("wb") as file:
        np.save(file, everything / (np.array(module.SPACE.sizes) - 1))


def make_shapes3d(folder):
    _, factors = some(shapes3d.SPACE)
    steps = (shapes3d.HIGHEST - shapes3d.LOWEST) / (np.array(shapes3d.SPACE.sizes) - 1)
    with h5py.File(folder / "3dshapes.h5", "w") as file:
        file["images"] = pictures("shapes3d", shapes3d.SPACE, factors)
        file["labels"] = shapes3d.LOWEST + factors * steps


def matrix(array):
    magic = {"uint8": 0x1E3D4C55, "int32": 0x1E3D4C54}[str(array.dtype)]
    sizes = [*array.shape, *[1] * (3 - array.ndim)]
    head = struct.pack(f"<{2 + len(sizes)}i", magic, array.ndim, *sizes)
    return gzip.compress(head + array.tobytes(), 1)


def make_smallnorb(folder):
    index, factors = some(smallnorb.SPACE)
    factors = factors[np.random.default_rng(1).permutation(len(index))]
    training = np.isin(factors[:, 1], (4, 6, 7, 8, 9))
    names = list(smallnorb.FILES)
    for files, rows in ((names[:3], training), (names[3:], ~training)):
        values = factors[rows]
        images = pictures("smallnorb", smallnorb.SPACE, values)
        grey = np.stack([np.array(scaled(image, 96).convert("L")) for image in images])
        info = values[:, 1:].astype(np.int32)
        info[:, 2] *= 2  # azimuth: 0, 2, ..., 34
        arrays = (np.stack([grey, grey], axis=1), values[:, 0].astype(np.int32), info)
        for name, array in zip(files, arrays, strict=True):
            (folder / name).write_bytes(matrix(array))


def make_cars3d(folder):
    names = [f"car_{k:03d}_mesh" for k in range(24)]
    views = np.stack([a.ravel() for a in np.indices((4, 24))], axis=1)
    with tarfile.open(folder / "nips2015-analogy-data.tar.gz", "w:gz") as archive:
        add(archive, "data/cars/list.txt", "\n".join(names).encode())
        for k, name in enumerate(names):
            factors = np.column_stack([views, np.full(96, k * 183 // 24)])
            images = pictures("cars3d", cars3d.SPACE, factors)
            large = np.stack([np.array(scaled(image, 128)) for image in images])
            im = large.reshape(4, 24, 128, 128, 3).transpose(2, 3, 4, 1, 0)
            stream = io.BytesIO()
            savemat(stream, {"im": im, "mask": np.ones((128, 128, 24, 4), np.uint8)})
            add(archive, f"data/cars/{name}.mat", stream.getvalue())


def make_chairs3d(folder):
    with tarfile.open(folder / "rendered_chairs.tar", "w") as archive:
        for k in range(40):
            views = [(e, a) for e in range(2) for a in range(31)]
            factors = np.array([(k * 1393 // 40, *view) for view in views])
            for v, (image, (e, a)) in enumerate(
                zip(pictures("chairs3d", chairs3d.SPACE, factors), views, strict=True)
            ):
                canvas = Image.new("RGB", (600, 600), "white")
                canvas.paste(scaled(image, 400), (100, 100))
                name = f"image_{v:03d}_p{20 + 10 * e:03d}_t{360 * a // 31:03d}_r096.png"
                add(archive, f"rendered_chairs/{k:032x}/renders/{name}", png(canvas))


MAKE = {
    "mpi3d": make_mpi3d,
    "falcor3d": lambda f: make_numbered("falcor3d", falcor3d, f, "train-rec.labels"),
    "isaac3d": lambda f: make_numbered("isaac3d", isaac3d, f, "labels.npy"),
    "shapes3d": make_shapes3d,
    "smallnorb": make_smallnorb,
    "cars3d": make_cars3d,
    "chairs3d": make_chairs3d,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", default=list(MAKE))
    arguments = parser.parse_args()
    for name in arguments.names:
        folder = arguments.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        MAKE[name](folder)
        print(f"{name}: {folder}", flush=True)


if __name__ == "__main__":
    main()
