"""Data sets from tiny files in the exact official formats: keys, types, orders, labels."""

import gzip
import io
import struct
import tarfile
import zipfile

import h5py
import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from autobeta.data import (
    DataOptions,
    FactorSpace,
    cars3d,
    celeba,
    chairs3d,
    fashionmnist,
    isaac3d,
    load_data,
    mpi3d,
    prepare_data,
    shapes3d,
    smallnorb,
)
from autobeta.errors import MissingDataError

UNOFFICIAL = DataOptions(unofficial=True)


def part_of(path, **options):
    return DataOptions(path=path, unofficial=True, **options)


def png(pixels):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def jpeg(colour, size):
    stream = io.BytesIO()
    Image.new("RGB", size, colour).save(stream, "JPEG", quality=95)
    return stream.getvalue()


def solid(value, size=128):
    return np.full((size, size, 3), value, np.uint8)


def grey(dataset, index):
    """Mean grey value of images, as the builders below write one into each."""
    return dataset.images(np.array(index)).mean(axis=(1, 2, 3)).round().astype(int).tolist()


# --- MPI3D


@pytest.fixture
def mpi3d_file(tmp_path, monkeypatch):
    """An .npz as published, `images` alone, with a grid cut down to 24 images."""
    space = FactorSpace(mpi3d.COMPLEX.names, (2, 1, 1, 1, 1, 3, 4))
    monkeypatch.setattr(mpi3d, "COMPLEX", space)
    images = np.empty((24, 64, 64, 3), np.uint8)
    images[:] = (10 * np.arange(24))[:, None, None, None]
    path = tmp_path / "files" / "real3d_complicated_shapes_ordered.npz"
    path.parent.mkdir()
    np.savez(path, images=images)
    return path


@pytest.mark.parametrize("give", ["file", "folder"])
def test_mpi3d_is_read_in_row_major_order(tmp_path, mpi3d_file, give):
    path = mpi3d_file if give == "file" else mpi3d_file.parent
    dataset = load_data("mpi3d", DataOptions(path=path), tmp_path)
    assert dataset.num_images == 24
    assert dataset.image_shape == (64, 64, 3)
    # the last factor is fastest: one step along each moves by its base
    factors = np.array([[0, 0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 1, 0], [1, 0, 0, 0, 0, 0, 0]])
    assert grey(dataset, dataset.factor_space.index(factors)) == [10, 40, 120]
    assert dataset.source == "real3d_complicated_shapes_ordered.npz, real_complex"


def test_mpi3d_variants_are_told_apart_by_their_size(tmp_path, mpi3d_file):
    wanted = r"variant toy; got uint8 of \(24, 64, .* in place of uint8 of \(1036800, 64, 64, 3\)"
    options = DataOptions(path=mpi3d_file, variant="toy", unofficial=True)
    with pytest.raises(ValueError, match=wanted):
        load_data("mpi3d", options, tmp_path)
    with pytest.raises(ValueError, match=r"`variant` must be one of real_complex, real, .*'x'"):
        load_data("mpi3d", DataOptions(variant="x"), tmp_path)
    assert mpi3d.space_of("toy").num_combinations == 1_036_800
    assert (
        mpi3d.FactorSpace(mpi3d.COMPLEX.names, (4, 4, 2, 3, 3, 40, 40)).num_combinations == 460_800
    )


def test_the_cache_is_enough_once_it_is_there(tmp_path, mpi3d_file):
    first = load_data("mpi3d", DataOptions(path=mpi3d_file), tmp_path)
    mpi3d_file.unlink()
    again = load_data("mpi3d", root=tmp_path)
    assert np.array_equal(again.images(np.arange(24)), first.images(np.arange(24)))
    assert again.source == first.source


def test_a_killed_preparation_leaves_no_cache_and_starts_anew(tmp_path, mpi3d_file):
    def stop(done, total):
        raise KeyboardInterrupt

    options = DataOptions(path=mpi3d_file)
    with pytest.raises(KeyboardInterrupt):
        prepare_data("mpi3d", options, tmp_path, on_progress=stop)
    assert not list((tmp_path / "mpi3d").glob("*.npy"))
    with pytest.raises(MissingDataError, match=r"mpi3d must be prepared once; [^,]*mpi3d`\. "):
        load_data("mpi3d", root=tmp_path)
    assert load_data("mpi3d", options, tmp_path).num_images == 24


# --- Falcor3D and Isaac3D


def numbered(folder, space, positions, *, labels=None, size=128):
    (folder / "images").mkdir(parents=True)
    for position in positions:
        (folder / "images" / f"{position:06d}.png").write_bytes(png(solid(position % 200, size)))
    if labels:
        grid = space.factors(np.arange(space.num_combinations))
        table = grid / np.maximum(np.array(space.sizes) - 1, 1)
        with (folder / labels).open("wb") as file:
            np.save(file, table)
    return folder


SETS = {"falcor3d": "train-rec.labels", "isaac3d": "labels.npy"}


def module_of(name):
    from autobeta.registry import load

    return load("data", name)


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("form", ["folder", "images", "zip"])
def test_numbered_images_are_a_full_grid(tmp_path, monkeypatch, name, form):
    module = module_of(name)
    sizes = (2, 3, *[1] * (module.SPACE.num_factors - 3), 4)
    monkeypatch.setattr(module, "SPACE", FactorSpace(module.SPACE.names, sizes))
    folder = numbered(tmp_path / "set", module.SPACE, range(24), labels=SETS[name])
    path = {"folder": folder, "images": folder / "images"}.get(form)
    if path is None:
        path = tmp_path / "set.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for file in sorted(folder.rglob("*")):
                archive.write(file, f"down128/{file.relative_to(folder)}")
    dataset = load_data(name, DataOptions(path=path, image_size=32), tmp_path / "cache")
    assert dataset.image_shape == (32, 32, 3)
    assert grey(dataset, range(24)) == list(range(24))
    assert dataset.factor_values(np.array([0, 1, 4, 12]))[:, [0, 1, -1]].tolist() == [
        [0, 0, 0],
        [0, 0, 1],
        [0, 1, 0],
        [1, 0, 0],
    ]


@pytest.mark.parametrize("name", SETS)
def test_a_part_of_numbered_images_must_be_asked_for(tmp_path, name):
    folder = numbered(tmp_path / "set", module_of(name).SPACE, [0, 1, 5, 199])
    total = f"{module_of(name).SPACE.num_combinations:,}"
    message = rf"must have {total} images 000000.png .*; got 4\. .*--unofficial"
    with pytest.raises(ValueError, match=message):
        load_data(name, DataOptions(path=folder), tmp_path)
    dataset = load_data(name, part_of(folder), tmp_path)
    assert grey(dataset, range(4)) == [0, 1, 5, 199]
    index = np.array([0, 1, 5, 199])
    expected = module_of(name).SPACE.factors(index)
    assert dataset.factor_values(np.arange(4)).tolist() == expected.tolist()
    # what is not as published is not taken later without asking, but it is named
    kept = r"must be prepared once; .*, but \w+-unofficial: give the .* --unofficial that it was"
    with pytest.raises(MissingDataError, match=kept):
        load_data(name, root=tmp_path)
    assert len(load_data(name, UNOFFICIAL, tmp_path)) == 4


def test_labels_that_contradict_the_names_are_refused(tmp_path, monkeypatch):
    space = FactorSpace(isaac3d.SPACE.names, (2, 2, *[1] * 6, 2))
    monkeypatch.setattr(isaac3d, "SPACE", space)
    folder = numbered(tmp_path / "set", space, range(8), labels="labels.npy")
    table = np.load(folder / "labels.npy")
    np.save(folder / "labels.npy", table[:, [1, 0, *range(2, 9)]])
    with pytest.raises(ValueError, match=r"must follow the order of the names; image 000002 has"):
        load_data("isaac3d", DataOptions(path=folder), tmp_path)
    np.save(folder / "labels.npy", table[:4])
    with pytest.raises(ValueError, match=r"must have shape \(8, 9\); got \(4, 9\)"):
        load_data("isaac3d", DataOptions(path=folder), tmp_path)


def test_labels_just_short_of_a_class_are_rounded(tmp_path, monkeypatch):
    space = FactorSpace(isaac3d.SPACE.names, (4, *[1] * 8))
    monkeypatch.setattr(isaac3d, "SPACE", space)
    folder = numbered(tmp_path / "set", space, range(4), labels="labels.npy")
    table = np.load(folder / "labels.npy")
    np.save(folder / "labels.npy", np.nextafter(table, -1))
    dataset = load_data("isaac3d", DataOptions(path=folder), tmp_path)
    assert dataset.factor_values(np.arange(4))[:, 0].tolist() == [0, 1, 2, 3]


def test_numbered_images_beyond_the_grid_or_twice_are_refused(tmp_path):
    folder = numbered(tmp_path / "set", isaac3d.SPACE, [0, 737_280])
    with pytest.raises(ValueError, match=r"images 000000 to 737279; got 737280\.png"):
        load_data("isaac3d", part_of(folder), tmp_path)
    (folder / "images" / "737280.png").unlink()
    (folder / "more").mkdir()
    (folder / "more" / "000000.png").write_bytes(png(solid(1)))
    with pytest.raises(ValueError, match="must have each image once; got some in two folders"):
        load_data("isaac3d", part_of(folder), tmp_path)


# --- Shapes3D


def shapes3d_file(path, factors, *, labels=None):
    values = [np.arange(10) / 10] * 3
    values += [np.linspace(0.75, 1.25, 8), np.arange(4.0), np.linspace(-30, 30, 15)]
    table = np.stack([v[f] for v, f in zip(values, factors.T, strict=True)], axis=1)
    images = np.empty((len(factors), 64, 64, 3), np.uint8)
    images[:] = np.arange(len(factors))[:, None, None, None] % 200
    with h5py.File(path, "w") as file:
        file.create_dataset("images", data=images, chunks=(1, 64, 64, 3), compression="gzip")
        file.create_dataset("labels", data=table if labels is None else labels)
    return path


@pytest.mark.parametrize("name", SETS)
def test_numbered_images_of_their_own_size_are_all_of_one(tmp_path, name):
    space = module_of(name).SPACE
    folder = numbered(tmp_path / "set", space, [0, 7], size=24)
    dataset = load_data(name, part_of(folder, image_size=None), tmp_path)
    assert dataset.image_shape == (24, 24, 3)
    assert grey(dataset, [0, 1]) == [0, 7]
    (folder / "images" / "000008.png").write_bytes(png(solid(8, 32)))
    said = "24 x 24 pixels in images/000000.png and 32 x 32 in images/000008.png"
    with pytest.raises(ValueError, match=said):
        load_data(name, part_of(folder, image_size=None), tmp_path / "other")


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("cars3d", 128),
        ("fashionmnist", 28),
        ("mnist", 28),
        ("mpi3d", 64),
        ("shapes3d", 64),
        ("smallnorb", 96),
    ],
)
def test_the_published_size_shares_its_cache_with_that_number(tmp_path, monkeypatch, name, size):
    asked = []
    monkeypatch.setattr("autobeta.data.prepare", lambda *given: asked.append(given[2]))
    for image_size in (None, size):
        prepare_data(name, DataOptions(image_size=image_size), tmp_path)
    assert asked[0] == asked[1]


def test_shapes3d_labels_become_factor_values(tmp_path):
    index = np.array([0, 1, 15, 33042, 479_999])
    factors = shapes3d.SPACE.factors(index)
    path = shapes3d_file(tmp_path / "3dshapes.h5", factors)
    dataset = load_data("shapes3d", part_of(path), tmp_path)
    assert dataset.factor_values(np.arange(5)).tolist() == factors.tolist()
    assert grey(dataset, range(5)) == [0, 1, 2, 3, 4]


def test_a_whole_shapes3d_has_its_labels_in_order(tmp_path, monkeypatch):
    space = FactorSpace(shapes3d.SPACE.names, (2, 1, 1, 1, 1, 3))
    monkeypatch.setattr(shapes3d, "SPACE", space)
    factors = space.factors(np.arange(6))
    path = shapes3d_file(tmp_path / "3dshapes.h5", factors)
    assert load_data("shapes3d", part_of(path), tmp_path).source == "3dshapes.h5"
    other = shapes3d_file(tmp_path / "mixed.h5", factors[::-1])
    with pytest.raises(ValueError, match="must follow the factors' order"):
        load_data("shapes3d", part_of(other), tmp_path)


def test_another_shapes3d_file_is_refused(tmp_path):
    path = shapes3d_file(tmp_path / "3dshapes.h5", shapes3d.SPACE.factors(np.arange(3)))
    with pytest.raises(ValueError, match="must have 267,573,662 bytes as published; got"):
        load_data("shapes3d", DataOptions(path=path), tmp_path)
    with h5py.File(tmp_path / "empty.h5", "w") as file:
        file.create_dataset("images", data=np.zeros((3, 64, 64), np.uint8))
    with pytest.raises(ValueError, match=r"must hold 'images', uint8 of \(480000, 64, 64, 3\)"):
        load_data("shapes3d", part_of(tmp_path / "empty.h5"), tmp_path)
    (tmp_path / "text.h5").write_text("not found")
    with pytest.raises(ValueError, match="must be a whole HDF5 file"):
        load_data("shapes3d", part_of(tmp_path / "text.h5"), tmp_path)


# --- SmallNORB

MAGIC = {"uint8": 0x1E3D4C55, "int32": 0x1E3D4C54}


def matrix(array):
    shape = [*array.shape, *[1] * (3 - array.ndim)]
    return struct.pack(f"<{2 + len(shape)}i", MAGIC[array.dtype.name], array.ndim, *shape) + (
        array.tobytes()
    )


def smallnorb_files(folder, *, zipped=True):
    """Two images in each part, out of order, left and right camera different."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = {"training": ([[4, 3, 10, 5], [9, 0, 34, 1]], [2, 0], [40, 80])}
    parts["testing"] = ([[0, 8, 0, 0], [3, 1, 2, 2]], [4, 1], [120, 160])
    for name in smallnorb.FILES:
        part = "training" if "training" in name else "testing"
        info, category, shade = parts[part]
        images = np.empty((2, 2, 96, 96), np.uint8)
        images[:, 0] = np.array(shade)[:, None, None]
        images[:, 1] = 255
        arrays = {
            "dat": images,
            "cat": np.array(category, np.int32),
            "info": np.array(info, np.int32),
        }
        data = matrix(arrays[name.split("-")[-1].split(".")[0]])
        if zipped:
            (folder / name).write_bytes(gzip.compress(data))
        else:
            (folder / name.removesuffix(".gz")).write_bytes(data)
    return folder


@pytest.mark.parametrize("zipped", [True, False])
def test_smallnorb_reads_the_left_image_and_five_factors(tmp_path, zipped):
    folder = smallnorb_files(tmp_path / "files", zipped=zipped)
    dataset = load_data("smallnorb", part_of(folder), tmp_path)
    assert dataset.image_shape == (64, 64, 1)
    assert grey(dataset, range(4)) == [40, 80, 120, 160]
    whole = load_data("smallnorb", part_of(folder, image_size=None), tmp_path)
    assert whole.image_shape == (96, 96, 1)
    # category, instance, elevation, azimuth in steps of 20 degrees, lighting
    assert dataset.factor_values(np.arange(4)).tolist() == [
        [2, 4, 3, 5, 5],
        [0, 9, 0, 17, 1],
        [4, 0, 8, 0, 0],
        [1, 3, 1, 1, 2],
    ]
    assert {name: part.tolist() for name, part in dataset.splits.items()} == {
        "train": [0, 1],
        "test": [2, 3],
    }
    assert smallnorb.SPACE.num_combinations == 48_600


def test_smallnorb_files_that_are_not_as_published_are_refused(tmp_path):
    folder = smallnorb_files(tmp_path / "files")
    with pytest.raises(ValueError, match="must have 131,896,188 bytes as published; got"):
        load_data("smallnorb", DataOptions(path=folder), tmp_path)
    names = list(smallnorb.FILES)
    (folder / names[1]).unlink()
    with pytest.raises(MissingDataError, match=rf"found no {names[1]} in"):
        load_data("smallnorb", part_of(folder), tmp_path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[:-3], "5 bytes in place of 8 for shape"),
        (lambda data: b"PK" + data[2:], "in place of a magic number"),
        (lambda data: data[:6], "magic number and a number of axes"),
    ],
)
def test_a_damaged_matrix_is_refused(tmp_path, damage, message):
    folder = smallnorb_files(tmp_path / "files", zipped=False)
    file = folder / list(smallnorb.FILES)[1].removesuffix(".gz")
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(ValueError, match=message):
        load_data("smallnorb", part_of(folder), tmp_path)


def test_matrices_that_do_not_belong_together_are_refused(tmp_path):
    folder = smallnorb_files(tmp_path / "files", zipped=False)
    names = [name.removesuffix(".gz") for name in smallnorb.FILES]
    (folder / names[1]).write_bytes(matrix(np.zeros(3, np.int32)))
    with pytest.raises(ValueError, match=r"got \(2, 2, 96, 96\), \(3,\) and \(2, 4\)"):
        load_data("smallnorb", part_of(folder), tmp_path)
    (folder / names[1]).write_bytes(matrix(np.zeros(2, np.int32)))
    (folder / names[2]).write_bytes(matrix(np.full((2, 4), 2, np.int32)))
    with pytest.raises(ValueError, match="must have each combination of factors once"):
        load_data("smallnorb", part_of(folder), tmp_path)


# --- Cars3D


def car(number):
    """Grey value says elevation and azimuth and car."""
    value = 48 * number + 2 * np.arange(24)[:, None] + np.arange(4) // 2
    im = np.empty((128, 128, 3, 24, 4), np.uint8)
    im[:] = value
    stream = io.BytesIO()
    savemat(stream, {"im": im, "mask": np.zeros((128, 128, 24, 4), np.uint8)})
    return stream.getvalue()


def cars_archive(path, names=("car_b", "car_a"), mode="w:gz"):
    with tarfile.open(path, mode) as archive:
        files = {f"{name}.mat": car(k) for k, name in enumerate(names)}
        for name, data in {"list.txt": "\n".join(names).encode(), **files}.items():
            info = tarfile.TarInfo(f"data/cars/{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


@pytest.mark.parametrize("form", ["archive", "folder", "folder of the archive"])
def test_cars3d_orders_cars_by_the_list(tmp_path, monkeypatch, form):
    monkeypatch.setattr(cars3d, "SPACE", FactorSpace(cars3d.SPACE.names, (4, 24, 2)))
    path = cars_archive(tmp_path / "nips2015-analogy-data.tar.gz")
    if form == "folder":
        with tarfile.open(path) as archive:
            archive.extractall(tmp_path / "data", filter="data")
        path = tmp_path / "data"
    elif form == "folder of the archive":
        path = tmp_path
    dataset = load_data("cars3d", part_of(path), tmp_path / "cache")
    assert dataset.num_images == 4 * 24 * 2
    space = dataset.factor_space
    factors = np.array([[0, 0, 0], [0, 0, 1], [0, 5, 0], [2, 0, 0], [3, 23, 1]])
    assert grey(dataset, space.index(factors)) == [0, 48, 10, 1, 48 + 46 + 1]
    assert cars3d.FactorSpace(space.names, (4, 24, 183)).num_combinations == 17_568
    whole = load_data("cars3d", part_of(path, image_size=None), tmp_path / "cache")
    assert whole.image_shape == (128, 128, 3)


def test_a_part_of_the_cars_must_be_asked_for(tmp_path):
    path = cars_archive(tmp_path / "few.tar.gz")
    with pytest.raises(ValueError, match="must have the published md5"):
        load_data("cars3d", DataOptions(path=path), tmp_path)
    dataset = load_data("cars3d", part_of(path), tmp_path)
    assert dataset.num_images == 192
    assert dataset.factor_values(np.array([0, 1, 2, 48])).tolist() == [
        [0, 0, 0],
        [0, 0, 1],
        [0, 1, 0],
        [1, 0, 0],
    ]


def test_cars_without_a_list_or_of_another_shape_are_refused(tmp_path):
    folder = tmp_path / "cars"
    folder.mkdir()
    with pytest.raises(ValueError, match=r"must have data/cars/list\.txt"):
        load_data("cars3d", part_of(folder), tmp_path)
    (folder / "list.txt").write_text("a b")
    savemat(folder / "a.mat", {"im": np.zeros((2, 2), np.uint8)})
    with pytest.raises(ValueError, match=r"183 cars in list.txt and a .mat of each; got 2, 1 of"):
        load_data("cars3d", DataOptions(path=folder), tmp_path)
    with pytest.raises(ValueError, match=r"for 'im' in place of uint8 of \(128, 128, 3, 24, 4\)"):
        load_data("cars3d", part_of(folder), tmp_path)
    (folder / "a.mat").write_text("not a matrix")
    with pytest.raises(ValueError, match="must be a MATLAB file of a car"):
        load_data("cars3d", part_of(folder), tmp_path)


# --- 3D Chairs


def chairs_archive(path, views, *, size=600):
    with tarfile.open(path, "w") as archive:
        for k, (model, elevation, azimuth) in enumerate(views):
            pixels = np.full((size, size, 3), 255, np.uint8)
            pixels[100:500, 100:500] = 20 * k
            data = png(pixels)
            name = f"image_{k:03d}_p{elevation:03d}_t{azimuth:03d}_r096.png"
            info = tarfile.TarInfo(f"rendered_chairs/{model}/renders/{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


VIEWS = [("b" * 32, 20, 0), ("b" * 32, 30, 11), ("a" * 32, 20, 348), ("a" * 32, 30, 23)]


def test_chairs_factors_are_read_off_their_names(tmp_path):
    path = chairs_archive(tmp_path / "few.tar", VIEWS)
    dataset = load_data("chairs3d", part_of(path, image_size=32), tmp_path)
    # the white margin of 100 pixels is cut off
    assert grey(dataset, range(4)) == [0, 20, 40, 60]
    assert dataset.factor_values(np.arange(4)).tolist() == [
        [1, 0, 0],
        [1, 1, 1],
        [0, 0, 30],
        [0, 1, 2],
    ]
    assert chairs3d.SPACE.num_combinations == 86_366
    whole = load_data("chairs3d", part_of(path, image_size=None), tmp_path)
    assert whole.image_shape == (600, 600, 3)
    assert whole.images(np.array([0]))[0, :100].min() == 255


def test_all_published_azimuths_are_different_values():
    degrees = [int(360 * k / 31) for k in range(31)]  # names cut to whole degrees
    steps = [round(360 * k / 31) for k in range(31)]
    assert [chairs3d._nearest(d, steps) for d in degrees] == list(range(31))


def test_a_part_of_the_chairs_must_be_asked_for(tmp_path):
    path = chairs_archive(tmp_path / "few.tar", VIEWS)
    with pytest.raises(ValueError, match=r"must have 86,366 images of 1393 chairs .* got 4 of 2"):
        load_data("chairs3d", DataOptions(path=path), tmp_path)
    twice = chairs_archive(tmp_path / "twice.tar", [*VIEWS, VIEWS[0]])
    with pytest.raises(ValueError, match="each view of a chair once"):
        load_data("chairs3d", part_of(twice), tmp_path)


# --- CelebA


def celeba_files(folder, *, form="txt", zipped=False):
    """Five images, of which the second is in no part for training."""
    folder.mkdir()
    names = [f"{k:06d}.jpg" for k in (1, 2, 3, 4, 5)]
    names_of = list(celeba.FACTORS)
    rows = [[1 if (k + j) % 2 else -1 for j in range(40)] for k in range(5)]
    parts = [0, 1, 2, 0, 0]
    if form == "txt":
        lines = ["5", " ".join(names_of)]
        lines += [
            f"{n}  {'  '.join(f'{v:2d}' for v in r)}" for n, r in zip(names, rows, strict=True)
        ]
        (folder / "list_attr_celeba.txt").write_text("\n".join(lines))
        text = "\r\n".join(f"{n} {p}" for n, p in zip(names, parts, strict=True))
        (folder / "list_eval_partition.txt.gz").write_bytes(gzip.compress(text.encode()))
    else:
        lines = [",".join(["image_id", *names_of])]
        lines += [",".join([n, *map(str, r)]) for n, r in zip(names, rows, strict=True)]
        (folder / "list_attr_celeba.csv").write_text("\n".join(lines))
        lines = ["image_id,partition"]
        lines += [f"{n},{p}" for n, p in zip(names, parts, strict=True)]
        (folder / "list_eval_partition.csv").write_text("\n".join(lines))
    images = {n: jpeg((40 * k, 40 * k, 40 * k), (178, 218)) for k, n in enumerate(names)}
    if zipped:
        with zipfile.ZipFile(folder / "img_align_celeba.zip", "w") as archive:
            for name, data in images.items():
                archive.writestr(f"img_align_celeba/{name}", data)
    else:
        (folder / "img_align_celeba").mkdir()
        for name, data in images.items():
            (folder / "img_align_celeba" / name).write_bytes(data)
    return folder


@pytest.mark.parametrize("form", ["txt", "csv"])
@pytest.mark.parametrize("zipped", [True, False])
def test_celeba_has_its_attributes_and_parts(tmp_path, form, zipped):
    folder = celeba_files(tmp_path / "files", form=form, zipped=zipped)
    dataset = load_data("celeba", part_of(folder), tmp_path)
    assert grey(dataset, range(5)) == [0, 40, 80, 120, 160]
    assert dataset.factor_values(np.array([0, 1]))[:, :3].tolist() == [[0, 1, 0], [1, 0, 1]]
    assert dataset.factor_space.names[20] == "Male"
    assert {name: part.tolist() for name, part in dataset.splits.items()} == {
        "train": [0, 3, 4],
        "valid": [1],
        "test": [2],
    }


def test_celeba_cuts_out_the_centre(tmp_path):
    folder = celeba_files(tmp_path / "files")
    pixels = np.zeros((218, 178, 3), np.uint8)
    pixels[35:183, 15:163] = 200
    Image.fromarray(pixels).save(folder / "img_align_celeba" / "000001.jpg", quality=100)
    dataset = load_data("celeba", part_of(folder, image_size=32), tmp_path)
    assert dataset.images(np.array([0])).min() > 150
    assert dataset.source.endswith("5 images, centre of 148 pixels")
    whole = load_data("celeba", part_of(folder, image_size=None), tmp_path)
    assert whole.image_shape == (218, 178, 3)
    assert whole.images(np.array([0]))[0, :20].max() < 20
    assert whole.source.endswith("5 images")


def test_celeba_without_all_its_files_is_refused(tmp_path):
    folder = celeba_files(tmp_path / "files")
    with pytest.raises(ValueError, match="must have 202,599 images; got 5"):
        load_data("celeba", DataOptions(path=folder), tmp_path)
    (folder / "img_align_celeba" / "000009.jpg").write_bytes(jpeg((1, 2, 3), (178, 218)))
    with pytest.raises(ValueError, match="got none of 000009"):
        load_data("celeba", part_of(folder), tmp_path)
    (folder / "list_attr_celeba.txt").unlink()
    with pytest.raises(MissingDataError, match=r"found no list_attr_celeba.txt in"):
        load_data("celeba", part_of(folder), tmp_path)
    with pytest.raises(MissingDataError, match=r"found no img_align_celeba\.zip, list_attr"):
        load_data("celeba", part_of(tmp_path), tmp_path)


# --- Fashion-MNIST


def test_fashionmnist_is_read_as_mnist_is(tmp_path):
    folder = tmp_path / "fashionmnist"
    folder.mkdir()
    for name, shape in zip(
        fashionmnist.FILES, [(4, 28, 28), (4,), (2, 28, 28), (2,)], strict=True
    ):
        header = struct.pack(f">{1 + len(shape)}I", 0x800 + len(shape), *shape)
        data = header + np.full(shape, 7, np.uint8).tobytes()
        (folder / name).write_bytes(gzip.compress(data))
    dataset = load_data("fashionmnist", part_of(None, image_size=32), tmp_path)
    assert dataset.name == "fashionmnist"
    assert dataset.factor_space.names == ("article",)
    assert dataset.factor_values(np.arange(6))[:, 0].tolist() == [7] * 6
    assert len(dataset.splits["test"]) == 2


# --- all


NAMED = ["celeba", "chairs3d", "falcor3d", "isaac3d", "mpi3d", "shapes3d", "smallnorb", "cars3d"]


@pytest.mark.parametrize("name", NAMED)
def test_without_files_the_way_to_get_them_is_told(name, tmp_path):
    with pytest.raises(MissingDataError) as error:
        load_data(name, root=tmp_path)
    assert "https://" in str(error.value) or "http://" in str(error.value)
    assert f"autobeta data prepare {name} --from" in str(error.value)


@pytest.mark.parametrize("name", NAMED)
def test_every_factor_has_a_kind_and_the_grid_its_round_trip(name):
    module = module_of(name)
    assert set(module.KINDS) == set(module.FACTORS)
    assert set(module.KINDS.values()) <= {"ordinal", "cyclic", "categorical"}
    space = FactorSpace(tuple(module.FACTORS), tuple(module.FACTORS.values()))
    rng = np.random.default_rng(0)
    index = rng.integers(min(space.num_combinations, 2**40), size=100)
    assert (space.index(space.factors(index)) == index).all()
    assert module.DISK


def test_the_older_toy_file_is_not_taken_for_the_complex_one(tmp_path, mpi3d_file):
    old = mpi3d_file.rename(mpi3d_file.with_name("sim_toy_64x_ordered.npz"))
    with pytest.raises(ValueError, match="by its name another set of as many images"):
        load_data("mpi3d", DataOptions(path=old), tmp_path)
