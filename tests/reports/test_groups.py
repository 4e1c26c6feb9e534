"""What splits runs into groups and data sets, and what does not."""

import copy

import pytest

from autobeta.reports import check_same_data
from autobeta.reports._groups import data_names, groups


def _config(method="vae", *, format=2, data=None, train=None, settings=None, **changes):
    return {
        "format": format,
        "method": method,
        "method_config": settings or {},
        "data": {"name": "dsprites", "image_shape": [64, 64, 1], "num_train": 100} | (data or {}),
        "model": {"architecture": "conv64", "num_latents": 10},
        "train": {"steps": 40, "batch_size": 64, "lr": 1e-3, "seed": 0} | (train or {}),
        **changes,
    }


def _labels(*configs):
    return [label for *_, label in groups(configs, [f"run{i}" for i in range(len(configs))])]


@pytest.mark.parametrize(
    "change",
    [
        {"train": {"seed": 7}},
        {"train": {"device": "cuda:3"}},
        {"train": {"log_every": 7, "checkpoint_every": 9, "checkpoint_minutes": 1.0}},
        {"train": {"threads": 8}},
        {"train": {"precision": "float32"}},  # the default, which the other does not have
        {"data": {"path": "/elsewhere/dsprites.npz"}},
        {"data": {"source": "official"}},
        {"data": {"channels": 1, "image_size": 64}},  # as the images are
        {"data": {"fingerprint": "1a2b"}},  # which an earlier version did not take
        {"settings": {"likelihood": "bernoulli"}, "format": 1},
        {"format": 2},
    ],
    ids=str,
)
def test_what_changes_no_result_splits_no_group(change):
    keys = {key for *_, key, _ in groups([_config(), _config(**change)], ["a", "b"])}
    assert len(keys) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"train": {"lr": 2e-3}},
        {"train": {"precision": "bfloat16"}},
        {"method": "betavae"},
        {"data": {"test_fraction": 0.2}},
        {"data": {"image_shape": [32, 32, 1]}},
        {"data": {"variant": "other"}},
        {"settings": {"likelihood": "gaussian"}, "format": 1},
    ],
    ids=str,
)
def test_what_changes_a_result_splits(change):
    keys = {key for *_, key, _ in groups([_config(), _config(**change)], ["a", "b"])}
    assert len(keys) == 2


def _own(path, fingerprint=None):
    return _config(data={"name": path} | ({"fingerprint": fingerprint} if fingerprint else {}))


def test_images_of_ones_own_are_known_by_their_fingerprint_wherever_they_lie():
    first, moved, renamed, others = data_names(
        [
            _own("/a/photos", "1a"),
            _own("/b/photos", "1a"),
            _own("/c/cats", "1a"),
            _own("/d/photos", "2b"),
        ]
    )
    assert first == moved == renamed == "photos, fingerprint=1a"
    assert others == "photos, fingerprint=2b"


def test_without_a_fingerprint_they_are_known_by_their_last_name():
    assert data_names([_own("/a/photos"), _own("/b/photos")]) == ["photos", "photos"]
    assert data_names([_own("/a/photos"), _own("/b/cats")]) == ["photos", "cats"]
    assert data_names([_own("/a/photos"), _own("/b/photos", "1a")]) == ["photos", "photos"]


def test_one_without_a_fingerprint_belongs_to_none_of_two():
    names = data_names([_own("/a/photos"), _own("/b/photos", "1a"), _own("/c/photos", "2b")])
    assert len(set(names)) == 3


def test_no_label_is_a_path_of_the_machine():
    labels = _labels(_own("/home/me/photos"), _own("/home/me/cats"))
    assert labels == ["vae on photos", "vae on cats"]


def test_variants_and_sizes_are_told_apart_and_the_first_variant_is_the_default():
    mpi = [_config(data={"name": "mpi3d", "variant": v}) for v in (None, "real_complex", "toy")]
    assert data_names(mpi) == [
        "mpi3d, variant=real_complex", "mpi3d, variant=real_complex", "mpi3d, variant=toy",
    ]  # fmt: skip
    sizes = [_config(data={"image_shape": [side, side, 1]}) for side in (32, 64)]
    assert data_names(sizes) == ["dsprites, image_shape=32×32×1", "dsprites, image_shape=64×64×1"]


def test_runs_on_other_data_are_refused_with_both_named():
    same = {"a": _config(), "b": _config("betavae", train={"seed": 1})}
    check_same_data(same)
    other = _config(data={"name": "isaac3d", "num_train": 100})
    with pytest.raises(
        ValueError, match="must be of the same data; a has dsprites, c has isaac3d"
    ):
        check_same_data({**same, "c": other})
    toy = {v: _config(data={"name": "mpi3d", "variant": v}) for v in ("toy", "real")}
    with pytest.raises(
        ValueError, match=r"toy has mpi3d, variant=toy, real has mpi3d, variant=real"
    ):
        check_same_data(toy)


def test_configurations_are_not_changed():
    configs = [_config(), _own("/a/photos", "1a")]
    before = copy.deepcopy(configs)
    groups(configs, ["a", "b"])
    assert configs == before
