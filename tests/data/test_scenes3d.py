import numpy as np
import pytest

from autobeta.data import DataOptions, FactorSpace, _raycast, check, load_data, scenes3d

MIDDLE = np.array([1, 2, 3, 3, 1, 1, 0, 0])


def scene(**changes):
    factors = MIDDLE.copy()
    for name, value in changes.items():
        factors[scenes3d.SPACE.names.index(name)] = value
    return scenes3d.render(scenes3d.SPACE.index(factors[None]))[0].astype(int)


def solid_mask(image):
    """Pixels of the red solid, in whatever light: much more red than blue."""
    return image[..., 0] > 1.8 * image[..., 2]


def centre(image):
    rows, columns = np.nonzero(solid_mask(image))
    return columns.mean(), rows.mean()


def test_the_grid_is_as_stated():
    assert scenes3d.SPACE.num_combinations == 393_216 >= 300_000
    assert set(scenes3d.KINDS) == set(scenes3d.FACTORS)
    index = np.random.default_rng(0).integers(393_216, size=100)
    assert (scenes3d.SPACE.index(scenes3d.SPACE.factors(index)) == index).all()


@pytest.mark.whole
def test_rendering_is_deterministic_and_does_not_depend_on_the_batch():
    index = np.random.default_rng(0).integers(scenes3d.SPACE.num_combinations, size=6)
    together = scenes3d.render(index)
    assert together.dtype == np.uint8
    assert together.shape == (6, 64, 64, 3)
    for i, image in zip(index, together, strict=True):
        assert np.array_equal(scenes3d.render(np.array([i]))[0], image)
    assert np.array_equal(scenes3d.render(index[::-1]), together[::-1])


@pytest.mark.parametrize("name", scenes3d.SPACE.names)
def test_every_value_of_every_factor_makes_another_image(name):
    size = scenes3d.FACTORS[name]
    images = [scene(**{name: value}).ravel() for value in range(size)]
    different = [np.mean(np.abs(a - b) > 8) for k, a in enumerate(images) for b in images[k + 1 :]]
    assert min(different) > 0.005  # of the colour values, at least 60 of 12,288


def test_positions_move_the_solid():
    assert np.all(np.diff([centre(scene(posX=value))[0] for value in range(8)]) > 1)
    assert np.all(np.diff([centre(scene(posY=value))[1] for value in range(8)]) < 0)
    assert np.all(np.diff([solid_mask(scene(posY=value)).sum() for value in range(8)]) < 0)


def test_size_and_only_size_makes_it_larger_from_the_same_place():
    areas = [solid_mask(scene(size=value)).sum() for value in range(4)]
    assert np.all(np.diff(areas) > 20)


def test_light_and_colours_leave_the_solid_where_it_is():
    reference = centre(scene())
    for light in range(4):
        assert np.allclose(centre(scene(light=light)), reference, atol=1.5)
    floor = scene()[-1, 0]
    assert all(not np.array_equal(scene(background=value)[-1, 0], floor) for value in range(1, 4))
    assert all(np.array_equal(scene(hue=value)[-1, 0], floor) for value in range(8))


def test_shadows_fall_away_from_the_light():
    def shadow_side(light):
        image = scene(light=light, shape=0)
        floor = image[-1, 0]
        dark = (image.sum(axis=2) < 0.7 * floor.sum()) & (np.arange(64) > 20)[:, None]
        dark &= ~solid_mask(image)
        return np.nonzero(dark)[1].mean() - centre(image)[0]

    assert shadow_side(0) > 1  # lit from the left
    assert shadow_side(3) < -1


def test_images_are_not_clipped():
    index = np.random.default_rng(1).integers(scenes3d.SPACE.num_combinations, size=12)
    images = scenes3d.render(index)
    assert images.max() < 255
    assert images.min() > 0


@pytest.mark.parametrize("size", [32, 128])
def test_other_sizes_show_the_same_scene(size):
    index = scenes3d.SPACE.index(MIDDLE[None])
    other = scenes3d.render(index, image_size=size)[0].astype(float)
    shown = scene().astype(float)
    coarse, fine = (other, shown) if size < 64 else (shown, other)
    pooled = fine.reshape(len(coarse), 2, len(coarse), 2, 3).mean(axis=(1, 3))
    assert np.abs(pooled - coarse).mean() < 3


@pytest.fixture
def few_scenes(monkeypatch):
    """scenes3d cut down to one solid in a row, 8 x 2 x 1 x 3 images."""
    space = FactorSpace(scenes3d.SPACE.names, (1, 1, 8, 1, 1, 2, 1, 3))
    monkeypatch.setattr(scenes3d, "SPACE", space)
    return space


def test_prepared_images_are_the_rendered_ones(tmp_path, few_scenes):
    options = DataOptions(image_size=32)
    dataset = load_data("scenes3d", options, tmp_path)
    assert dataset.num_images == 48
    index = np.arange(48)
    assert np.array_equal(dataset.images(index), scenes3d.render(index, image_size=32))
    assert (dataset.factor_values(index) == few_scenes.factors(index)).all()
    assert str(check(dataset)) == "48 of 48 images identical, 0 pixels differ"
    kept = tmp_path / "scenes3d" / "rendered-32.npy"
    before = kept.stat().st_mtime_ns
    load_data("scenes3d", options, tmp_path)
    assert kept.stat().st_mtime_ns == before


def test_what_it_cannot_do_is_refused(tmp_path):
    with pytest.raises(ValueError, match="`channels` must be 3 for scenes3d; got 1"):
        load_data("scenes3d", DataOptions(channels=1), tmp_path)
    with pytest.raises(ValueError, match="`path` must be left out for scenes3d"):
        load_data("scenes3d", DataOptions(path=tmp_path), tmp_path)


# --- the ray caster: distances against points known to lie on the surfaces


def shoot(shape, start, towards):
    """Distance and normal at which one ray meets a solid of half width 1 at the origin."""
    start, towards = np.array([start], float), np.array([towards], float)
    towards /= np.linalg.norm(towards)
    t, normal = _raycast._meet(start, towards, _raycast.Solid(shape, 0.0, 0.0, 1.0))
    return t[0], normal[0]


@pytest.mark.parametrize(
    ("shape", "start", "towards", "distance", "normal"),
    [
        ("sphere", (0, -5, 1), (0, 1, 0), 4.0, (0, -1, 0)),
        ("sphere", (0, 0, 5), (0, 0, -1), 3.0, (0, 0, 1)),
        ("cylinder", (0, -5, 1), (0, 1, 0), 4.0, (0, -1, 0)),
        ("cylinder", (0.5, 0, 5), (0, 0, -1), 3.0, (0, 0, 1)),
        # x^2 + y^2 = ((2 - z) / 2)^2: radius 0.5 at half height, and the apex at height 2
        ("cone", (0, -5, 1), (0, 1, 0), 4.5, (0, -2 / np.sqrt(5), 1 / np.sqrt(5))),
        ("cone", (0, 1e-4, 5), (0, 0, -1), 3.0002, (0, 2 / np.sqrt(5), 1 / np.sqrt(5))),
        ("cube", (0, 0, 5), (0, 0, -1), 5 - 1.7, (0, 0, 1)),
        ("cube", (5 * np.cos(np.pi / 6), 5 * np.sin(np.pi / 6), 0.5),
         (-np.cos(np.pi / 6), -np.sin(np.pi / 6), 0), 5 - 0.85,
         (np.cos(np.pi / 6), np.sin(np.pi / 6), 0)),
    ],
)  # fmt: skip
def test_rays_meet_solids_where_they_are(shape, start, towards, distance, normal):
    t, n = shoot(shape, start, towards)
    assert t == pytest.approx(distance, abs=1e-6)
    assert n == pytest.approx(np.array(normal, float), abs=1e-6)


@pytest.mark.parametrize("shape", scenes3d.SHAPES)
def test_rays_miss_what_is_beside_or_behind_them(shape):
    assert shoot(shape, (0, -5, 9), (0, 1, 0))[0] == np.inf
    assert shoot(shape, (0, 5, 1), (0, 1, 0))[0] == np.inf


def test_the_floor_and_the_wall_are_met_where_no_solid_is():
    down = np.array([[0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
    hits = _raycast.cast(np.array([0.0, -4.0, 3.0]), down, _raycast.Solid("sphere", 9, 9, 0.1))
    assert hits.kind.tolist() == [_raycast.FLOOR_HIT, _raycast.WALL_HIT]
    assert hits.point.tolist() == [[0, -4, 0], [0, _raycast.WALL, 3]]
    assert hits.normal.tolist() == [[0, 0, 1], [0, -1, 0]]
