"""Damaged files of a run folder: each is named, and the page goes on without it."""

import io
import json
import warnings
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autobeta.reports import load_runs, write_report
from autobeta.reports._load import find_runs, missing
from autobeta.run import folder as runs

JSON = (runs.ENVIRONMENT, runs.METRICS)
ARRAYS = (runs.RECONSTRUCTIONS, runs.TRAVERSALS)


def _page(folders, tmp_path):
    """The page, and what was warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        page = write_report(folders, tmp_path / "report.html").read_text("utf-8")
    return page, [str(warning.message) for warning in caught]


@pytest.mark.parametrize("file", [*JSON, *ARRAYS])
@pytest.mark.parametrize(
    "content", [b"", b"{", b"[1, 2]", b"\xff\xfe\x00", b"null", b"PK\x03\x04"]
)
def test_a_damaged_file_is_named_and_taken_for_missing(make_run, tmp_path, file, content):
    folder = make_run("hurt")
    (folder / file).write_bytes(content)
    with pytest.warns(UserWarning, match=f"hurt: `{file}` is damaged and left out: ") as caught:
        (run,) = load_runs([folder])
    assert len(caught) == 1
    assert str(tmp_path) not in str(caught[0].message)
    assert missing(run) == run.damage == [str(caught[0].message).removeprefix("hurt: ")]


def test_the_page_goes_on_without_a_damaged_file(make_run, tmp_path):
    folders = [make_run("whole"), make_run("hurt", seed=1)]
    (folders[1] / runs.METRICS).write_bytes(b"{")
    page, (said,) = _page(folders, tmp_path)
    assert "<b>hurt</b>: <code>metrics.json</code> is damaged and left out: " in page
    assert said.startswith("hurt: `metrics.json` is damaged and left out: ")


BAD_METRICS = {
    "`num_points` must be a whole number; got 1.5": {"num_points": 1.5},
    "`evaluation` must be an object; got []": {"evaluation": []},
    "`train` must be an object; got 3": {"evaluation": {"train": 3}},
    "`kl` must be a number below 1e+100; got '19'": {"evaluation": {"train": {"kl": "19"}}},
    "the number NaN, which is not JSON": {"evaluation": {"train": {"mse": np.nan}}},
    "`kl_per_latent` must be a list; got 5": {"kl_per_latent": 5},
    "`kl_per_latent` must be a number below 1e+100; got 'a'": {"kl_per_latent": ["a"]},
    "the number Infinity, which is not JSON": {"metrics": {"mig": np.inf}},
    "`sap` must be a number below 1e+100; got 1000000": {"metrics": {"sap": 10**400}},
    "`d` must be a number below 1e+100; got True": {"metrics": {"dci": {"d": True}}},
}


@pytest.mark.parametrize("sentence", BAD_METRICS)
def test_numbers_of_another_kind_are_damage(make_run, sentence):
    folder = make_run()
    found = runs.read_json(folder / runs.METRICS) | BAD_METRICS[sentence]
    (folder / runs.METRICS).write_text(json.dumps(found))
    with pytest.warns(UserWarning, match=r"run: `metrics\.json` is damaged") as caught:
        (run,) = load_runs([folder])
    assert sentence in str(caught[0].message)
    assert run.metrics == {}


def test_a_lost_key_is_a_blank_and_no_damage(make_run, tmp_path):
    folder = make_run()
    runs.write_json(folder / runs.METRICS, {"evaluation": {"train": {"kl": 3.0}}})
    page, said = _page([folder], tmp_path)
    assert said == []
    assert ">3.00<" in page


def test_damaged_lines_of_a_log_are_named_and_the_others_are_drawn(make_run, log_rows, tmp_path):
    folder = make_run()
    lines = (folder / runs.LOG).read_text().splitlines()
    lines[2] = lines[2][:20]
    lines[5] = json.dumps({**log_rows()[5], "beta": "much"})
    lines[7] = "[]"
    (folder / runs.LOG).write_text("\n".join(lines) + '\n{"step": 41, "lo')
    page, said = _page([folder], tmp_path)
    assert said == ["run: `log.jsonl` is damaged; left out of it: line 3, 6, 8."]
    assert "<code>log.jsonl</code> is damaged; left out of it: line 3, 6, 8." in page
    with pytest.warns(UserWarning, match="line 3, 6, 8"):
        (run,) = load_runs([folder])
    assert len(run.log) == 37


def test_damaged_lines_of_scores_by_step_are_named_and_the_others_are_drawn(make_run, tmp_path):
    folder = make_run()
    lines = [{"step": step, "metrics": {"mig[bins=20]": 0.1}} for step in (10, 20, 30)]
    lines[1]["metrics"] = {"mig[bins=20]": "much"}
    runs.write_jsonl(folder / runs.EVALUATIONS, lines)
    page, said = _page([folder], tmp_path)
    assert said == ["run: `evaluations.jsonl` is damaged; left out of it: line 2."]
    assert "Scores over training" in page
    with pytest.warns(UserWarning, match="line 2"):
        (run,) = load_runs([folder])
    assert [line["step"] for line in run.evaluations] == [10, 30]


def test_the_end_that_a_killed_process_leaves_is_no_damage(make_run):
    folder = make_run()
    with (folder / runs.LOG).open("a") as file:
        file.write('{"step": 41, "loss')
    assert len(load_runs([folder])[0].log) == 40


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "Expecting value"),
        (b"[]", r"must be JSON; got: \[\], not an object"),
        (b'{"format": 99}', "must have format 4; got 99"),
        (b'{"format": 1, "method": "vae"}', "must have 'method_config', a dict; got None"),
    ],
)
def test_a_run_whose_configuration_is_damaged_is_left_out_and_named(
    make_run, tmp_path, content, sentence
):
    folders = [make_run("whole"), make_run("hurt")]
    (folders[1] / runs.CONFIG).write_bytes(content)
    page, (said,) = _page(folders, tmp_path)
    assert "hurt is left out, it is no run folder: its `config.json` is damaged" in said
    assert "<b>hurt</b>: Left out: its <code>config.json</code> is damaged" in page
    with pytest.raises(ValueError, match=rf"hurt` must be a run folder; its .*{sentence}"):
        load_runs(folders)


def test_settings_of_another_kind_are_damage(make_run):
    folder = make_run()
    config = runs.read_json(folder / runs.CONFIG)
    config["train"]["seed"] = "three"
    runs.write_json(folder / runs.CONFIG, config)
    with pytest.raises(ValueError, match="`seed` must be a whole number; got 'three'"):
        load_runs([folder])


def _arrays(folder, name, **changes):
    runs.write_npz(folder / name, runs.read_npz(folder / name) | changes)


BAD_ARRAYS = {
    "`originals` must have axes NHWC; got (10, 16, 16)": (
        runs.RECONSTRUCTIONS, {"originals": np.zeros((10, 16, 16), np.uint8)}
    ),
    "`reconstructions` must have axes NHWC; got (9, 16, 16, 1)": (
        runs.RECONSTRUCTIONS, {"reconstructions": np.zeros((9, 16, 16, 1), np.uint8)}
    ),
    "`originals` must be uint8 with 1 or 3 channels; got float64": (
        runs.RECONSTRUCTIONS, {"originals": np.zeros((10, 16, 16, 1))}
    ),
    "it must have `images`; got": (
        runs.TRAVERSALS, {"images": np.zeros((4, 0, 16, 16, 1), np.uint8)}
    ),
    "`kl` must be finite numbers of its kind": (runs.TRAVERSALS, {"kl": np.full(4, np.nan)}),
    "`active` must be finite numbers of its kind": (runs.TRAVERSALS, {"active": np.zeros(4)}),
    "`latents` must have axes D; got (3,)": (runs.TRAVERSALS, {"latents": np.arange(3)}),
    "`samples` must have axes nHWC; got (9, 8, 8, 1)": (
        runs.TRAVERSALS, {"samples": np.zeros((9, 8, 8, 1), np.uint8)}
    ),
}  # fmt: skip


@pytest.mark.parametrize("sentence", BAD_ARRAYS)
def test_arrays_of_another_shape_or_kind_are_damage(make_run, sentence):
    file, changes = BAD_ARRAYS[sentence]
    folder = make_run()
    _arrays(folder, file, **changes)
    with pytest.warns(UserWarning, match=f"run: `{file}` is damaged") as caught:
        (run,) = load_runs([folder])
    assert sentence in str(caught[0].message)
    assert run.arrays(file) == {}


def test_a_small_file_that_unpacks_to_gigabytes_is_not_unpacked(make_run, monkeypatch):
    monkeypatch.setattr("autobeta.run.formats._LARGE", 10_000)
    monkeypatch.setattr("autobeta.run.formats._RATIO", 1)
    folder = make_run()
    _arrays(folder, runs.RECONSTRUCTIONS, more=np.zeros(20_000, np.uint8))
    with pytest.warns(UserWarning, match=r"bytes that unpack to 2\d,\d+"):
        load_runs([folder])


def test_an_array_that_says_it_is_larger_than_its_file_is_damage(make_run):
    folder = make_run()
    header = io.BytesIO()
    shape = {"descr": "|u1", "fortran_order": False, "shape": (10**9, 10**3, 64, 1)}
    np.lib.format.write_array_header_1_0(header, shape)
    with zipfile.ZipFile(folder / runs.RECONSTRUCTIONS, "w") as archive:
        for name in ("originals", "reconstructions"):
            archive.writestr(f"{name}.npy", header.getvalue())
    with pytest.warns(UserWarning, match=r"`reconstructions\.npz` is damaged"):
        load_runs([folder])


def test_pickles_are_not_unpickled(make_run):
    folder = make_run()
    np.savez(folder / runs.RECONSTRUCTIONS, originals=np.array([{}], object))
    with pytest.warns(UserWarning, match=r"`reconstructions\.npz` is damaged .*pickle"):
        load_runs([folder])


def _cut(content, place, _):
    return content[: place % (len(content) + 1)]


def _flipped(content, place, bit):
    changed = bytearray(content)
    changed[place % len(content)] ^= 1 << bit
    return bytes(changed)


def _doubled(content, place, _):
    return content[: place % len(content)] + content


def _other_word(content, place, bit):
    words = (b"null", b"-1", b"1e999", b'"<b>\\u0000"', b"[]", b"{}", b"NaN", b"9" * 30)
    first = content.find(b":", place % len(content)) + 1
    return content[:first] + words[bit] + content[first + 1 :]


FILES = (runs.CONFIG, runs.ENVIRONMENT, runs.LOG, runs.METRICS, *ARRAYS)


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    file=st.sampled_from(FILES),
    hurts=st.sampled_from([_cut, _flipped, _doubled, _other_word]),
    place=st.integers(0, 10**6),
    bit=st.integers(0, 7),
)
def test_any_damage_ends_in_a_page_or_in_an_error_of_ours(
    make_run, log_rows, tmp_path, file, hurts, place, bit
):
    folder = tmp_path / "run"
    if not folder.exists():
        make_run(log=log_rows(target=18.0), method="dynamicvae")
    whole = (folder / file).read_bytes()
    (folder / file).write_bytes(hurts(whole, place, bit))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)  # such as numpy's on what it divides
            warnings.simplefilter("ignore", UserWarning)
            found, left_out = find_runs([folder])
            if found:
                page = write_report([folder], tmp_path / "report.html").read_text("utf-8")
                assert "<b>\0" not in page
                assert "\0" not in page
            assert len(found) + len(left_out) == 1
    finally:
        (folder / file).write_bytes(whole)
