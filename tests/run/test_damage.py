"""Every file of a run folder damaged in turn: each command works, or says which file in a line."""

import json
import shutil
import warnings

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from autobeta import cli
from autobeta.run import folder as files

pytestmark = pytest.mark.whole

TRAIN = [
    *("train", "dynamicvae", "--data", "toy", "--image-size", "32", "--architecture", "burgess"),
    *("--num-latents", "3", "--batch-size", "8", "--steps", "4", "--log-every", "2"),
    *("--checkpoint-every", "2", "--num-points", "40", "--metrics", "mig", "--num-pictures", "2"),
]
COMMANDS = {
    "evaluate": ["evaluate", "RUN", "--num-points", "40", "--metrics", "mig"],
    "encode": ["encode", "RUN", "--data", "toy", "--num-points", "9", "--out", "OUT.npz"],
    "traverse": ["traverse", "RUN", "--num-values", "2", "--out", "OUT"],
    "report": ["report", "RUN", "--out", "OUT.html"],
    "control": ["control", "RUN"],
    "udr": ["udr", "RUN", "OTHER", "--spearman"],
    "train": ["train", "--config", "RUN/config.json", "--out", "RUN", "--num-points", "40"],
    "score": ["score", "RUN/representation.npz", "--metrics", "mig"],
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("damage")
    for seed in ("0", "1"):
        assert cli.main([*TRAIN, "--seed", seed, "--out", str(folder / seed)]) == 0
    return folder


def names(run):
    found = (p for p in run.rglob("*") if p.is_file() and p.name not in (files.LOCK, files.TIMING))
    return sorted(str(path.relative_to(run)) for path in found)


NAMES = [
    *("config.json", "environment.json", "log.jsonl", "metrics.json", "model.safetensors"),
    *("representation.npz", "reconstructions.npz", "traversals.npz"),
    *("checkpoint/model.safetensors", "checkpoint/training.safetensors", "checkpoint/state.json"),
]


def test_all_files_are_damaged_below(whole):
    assert names(whole / "0") == sorted(NAMES)


def call(command, run, other, out, capsys):
    """Exit status of a command and what it wrote to standard error."""
    words = {"RUN": str(run), "OTHER": str(other)}
    args = [words.get(word, word.replace("RUN/", f"{run}/")) for word in COMMANDS[command]]
    capsys.readouterr()
    with warnings.catch_warnings():
        warnings.simplefilter("always")  # a command prints them
        status = cli.main([arg.replace("OUT", str(out)) for arg in args])
    return status, capsys.readouterr().err


def damaged(data, kind, at, byte):
    """Bytes flipped, cut, emptied, or replaced."""
    at = at % max(len(data), 1)
    return {
        "flip": data[:at] + bytes([data[at] ^ (byte or 1)]) + data[at + 1 :] if data else data,
        "cut": data[:at],
        "empty": b"",
        "text": b"<b>[/]\x00\x1b[31m" + bytes([byte]) * 20,
        "zeros": bytes(len(data)),
    }[kind]


HARMLESS = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@HARMLESS
@given(
    command=st.sampled_from(list(COMMANDS)),
    name=st.sampled_from(NAMES),
    kind=st.sampled_from(["flip", "cut", "empty", "text", "zeros"]),
    at=st.integers(0, 2**31),
    byte=st.integers(1, 255),
)
def test_no_damaged_file_ends_a_command_in_a_traceback(
    whole, tmp_path, capsys, command, name, kind, at, byte
):
    run = tmp_path / "run"
    shutil.rmtree(run, ignore_errors=True)
    shutil.copytree(whole / "0", run)
    path = run / name
    path.write_bytes(damaged(path.read_bytes(), kind, at, byte))
    status, err = call(command, run, whole / "1", tmp_path / "out", capsys)
    assert status in (0, 1)
    if status:
        assert err.splitlines()[-1].startswith("autobeta: error: ")
        assert path.name in err or str(run) in err


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_file_ends_no_command_in_a_traceback(whole, tmp_path, capsys, name):
    for command in ("evaluate", "traverse", "report", "udr", "train"):
        run = tmp_path / command
        shutil.copytree(whole / "0", run)
        (run / name).unlink()
        status, err = call(command, run, whole / "1", tmp_path / "out", capsys)
        assert status in (0, 1), command
        assert status == 0 or str(run) in err


values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**20) | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=4,
)


def places(value, prefix=()):
    """Paths to everything in a JSON value."""
    yield prefix
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in items:
            yield from places(inner, (*prefix, key))


@HARMLESS
@given(
    command=st.sampled_from(["evaluate", "report", "control", "udr", "train", "traverse"]),
    name=st.sampled_from(["config.json", "metrics.json", "log.jsonl", "environment.json"]),
    at=st.integers(0, 10**6),
    value=values,
    gone=st.booleans(),
)
@example(command="report", name="metrics.json", at=3, value="<b>", gone=False)
def test_no_wrong_value_ends_a_command_in_a_traceback(
    whole, tmp_path, capsys, command, name, at, value, gone
):
    run = tmp_path / "run"
    shutil.rmtree(run, ignore_errors=True)
    shutil.copytree(whole / "0", run)
    path = run / name
    lines = path.read_text("utf-8").splitlines() if name == files.LOG else [path.read_text()]
    found = json.loads(lines[-1])
    all_places = [place for place in places(found) if place]
    *way, last = all_places[at % len(all_places)]
    inner = found
    for key in way:
        inner = inner[key]
    if gone:
        del inner[last]
    else:
        inner[last] = value
    path.write_text("\n".join([*lines[:-1], json.dumps(found)]) + "\n", "utf-8")
    status, err = call(command, run, whole / "1", tmp_path / "out", capsys)
    assert status in (0, 1)
    assert status == 0 or err.splitlines()[-1].startswith("autobeta: error: ")
