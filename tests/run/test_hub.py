"""Runs pushed to the Hub and fetched from it; a stand-in answers the Hub's own client."""

import json
import os
import pickle
import re
import shutil
import socket
import sys

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from torch import nn

from autobeta import (
    DataOptions,
    EvaluationConfig,
    ModelConfig,
    RunConfig,
    TrainConfig,
    cli,
    evaluate,
    load_run,
    train,
)
from autobeta.run import folder as files
from autobeta.run.hub import FILES, check_repo, fetch, local
from autobeta.run.push import push

pytest.importorskip("huggingface_hub")
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # its client's

REPO = "me/small-vae"


def config(data="toy", **changes):
    settings = {"steps": 4, "batch_size": 8, "log_every": 2, "checkpoint_every": 2}
    return RunConfig(
        method="dynamicvae",
        data=data,
        data_options=DataOptions(image_size=32),
        model=ModelConfig(architecture="burgess", num_latents=3),
        train=TrainConfig(device="cpu", threads=1, **settings | changes),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "run"
    train(config(), out, evaluation=EvaluationConfig(num_points=60, metrics=("mig", "infomec")))
    return out


@pytest.fixture
def contents(folder):
    """What a repository of the run holds at the least."""
    return {name: (folder / name).read_bytes() for name in (files.CONFIG, files.MODEL)}


def test_a_run_that_is_pushed_is_loaded_again(hub, folder):
    address = push(folder, REPO)
    commit, held = hub.files(REPO)
    assert address.endswith(commit)
    assert {*held} == {".gitattributes", "README.md", "traversals.png", *FILES}
    run = load_run(f"hf://{REPO}", device="cpu")
    assert {path.name for path in run.folder.iterdir()} == {*FILES}
    assert not [path for method, path in hub.asked if path.endswith((".png", ".md"))]
    ours = load_run(folder, device="cpu").model
    x = torch.rand(2, 1, 32, 32)
    torch.testing.assert_close(run.model.encode(x).mean, ours.encode(x).mean)
    assert run.progress == "step 4"
    assert run.dataset.image_shape == (32, 32, 1)


def test_the_card_says_what_a_stranger_needs(hub, folder):
    push(folder, REPO, license="cc-by-4.0")
    held = hub.files(REPO)[1]
    card = held["README.md"].decode()
    front = yaml.safe_load(card.split("---")[1])
    assert front["license"] == "cc-by-4.0"
    assert front["library_name"] == "autobeta"
    assert "dynamicvae" in front["tags"]
    scores = files.read_metrics(folder / files.METRICS)["metrics"]
    mig = re.search(r"\| mig\[bins=20\] \| ([\d.]+) \| ([\d.]+) to ([\d.]+) \|", card)
    assert float(mig[1]) == round(scores["mig[bins=20]"], 4)
    assert float(mig[2]) <= float(mig[1]) <= float(mig[3])
    assert card.count("infomec[neighbors=10] ") == 3
    assert "| kl, train |" in card
    assert f'load_run("hf://{REPO}")' in card
    assert "float32 of shape (batch, 1, 32, 32)" in card
    assert "logits of the mean image" in card
    assert "| `method.controller` | selftuning |" in card
    assert "@inproceedings" in card or "@article" in card
    assert "Of the weights: cc-by-4.0." in card
    assert "](traversals.png)" in card
    (folder.parent / "picture.png").write_bytes(held["traversals.png"])
    with Image.open(folder.parent / "picture.png") as picture:
        assert picture.format == "PNG"


def test_a_run_without_an_evaluation_is_pushed_without_scores(hub, tmp_path, contents):
    hub.add(REPO, {files.METRICS: b"{}", "traversals.png": b"old", "notes.txt": b"mine"})
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    push(tmp_path, REPO)
    held = hub.files(REPO)[1]
    assert {*held} == {"README.md", "notes.txt", files.CONFIG, files.MODEL}  # no score of another
    card = held["README.md"].decode()
    assert "The run was not evaluated." in card
    assert "None is stated for the weights." in card
    assert "license:" not in card


def test_no_path_of_this_machine_is_pushed(hub, tmp_path):
    (tmp_path / "secret" / "photos").mkdir(parents=True)
    for i in range(24):
        pixels = np.full((32, 32), 9 * i, np.uint8)
        Image.fromarray(pixels).save(tmp_path / "secret" / "photos" / f"{i}.png")
    out, few = tmp_path / "secret" / "run", EvaluationConfig(num_points=9, metrics=())
    train(config(str(tmp_path / "secret" / "photos")), out, evaluation=few)
    push(out, REPO, private=True)
    assert {REPO} == hub.private
    held = hub.files(REPO)[1]
    assert json.loads(held[files.CONFIG])["data"]["name"] == "photos"
    assert not [name for name, content in held.items() if b"secret" in content]
    again = load_run(f"hf://{REPO}", device="cpu")
    assert again.open(tmp_path / "secret" / "photos").num_images == 24


def networks(shape, num_latents):
    size = shape[0] * shape[1] * shape[2]
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(size, 2 * num_latents))
    decoder = nn.Sequential(nn.Linear(num_latents, size), nn.Unflatten(1, (1, *shape[:2])))
    return encoder, decoder


def test_a_run_of_objects_is_pushed_from_python_and_asks_for_them_again(hub, tmp_path):
    few = EvaluationConfig(num_points=9, metrics=())
    train(config(), tmp_path / "run", network=networks, evaluation=few)
    with pytest.raises(ValueError, match="`network` must be given: it is an object"):
        push(tmp_path / "run", REPO)
    push(load_run(tmp_path / "run", network=networks), REPO)
    assert f'load_run("hf://{REPO}", network=...)' in hub.files(REPO)[1]["README.md"].decode()
    with pytest.raises(ValueError, match="`network` must be given: it is an object"):
        load_run(f"hf://{REPO}")
    assert load_run(f"hf://{REPO}", network=networks).step == 4


def test_a_run_that_is_not_finished_is_not_pushed(hub, folder, tmp_path):
    shutil.copytree(folder, tmp_path / "run")
    stored = files.read_config(folder)
    stored["train"]["steps"] = 9
    files.write_json(tmp_path / "run" / files.CONFIG, stored)
    message = r"`run` must be finished to be pushed; got step 4 of 9, not finished\. Finish it by"
    with pytest.raises(ValueError, match=message):
        push(tmp_path / "run", REPO)
    assert hub.asked == []


def test_revisions_are_branches_and_commits(hub, contents):
    first = hub.add(REPO, contents)
    hub.add(REPO, {**contents, "notes.txt": b""}, branch="later")
    assert fetch(REPO).name == first
    assert fetch(REPO, "later").name != first
    assert local(f"hf://{REPO}@{first}").name == first
    with pytest.raises(FileNotFoundError, match="tag or commit of me/small-vae; got 'v9'"):
        fetch(REPO, "v9")


def test_a_commit_that_was_fetched_needs_no_network(hub, contents):
    commit = hub.add(REPO, contents)
    folder = fetch(REPO)
    hub.asked.clear()
    assert fetch(REPO, commit) == folder
    assert hub.asked == []
    fetch(REPO)  # asks which commit is the newest, and for no file
    assert [path for _, path in hub.asked] == [f"/api/models/{REPO}"]


def test_a_place_on_the_hub_may_come_as_a_path(hub, contents, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    hub.add(REPO, contents)
    out = tmp_path / "codes.npz"
    few = ["--data", "toy", "--num-points", "9", "--out", str(out)]
    assert cli.main(["encode", f"hf://{REPO}", *few]) == 0
    assert files.read_npz(out)["codes"].shape == (9, 3)
    assert cli.main(["traverse", f"hf://{REPO}", "--num-values", "2"]) == 0
    assert (fetch(REPO) / "pictures" / "traversal.png").exists()
    assert cli.main(["export", f"hf://{REPO}", "--format", "safetensors"]) == 0
    assert (fetch(REPO) / "export" / "whole.safetensors").exists()
    few = ["--num-points", "9", "--metrics", "gaussian_total_correlation"]
    assert cli.main(["evaluate", f"hf://{REPO}", *few]) == 0
    assert files.read_metrics(fetch(REPO) / files.METRICS)["num_points"] == 9
    assert {path.name for path in tmp_path.iterdir()} == {"codes.npz", "cache"}


class Trap:
    """What a pickle of it does when it is loaded."""

    def __reduce__(self):
        return os.mkdir, ("trapped",)


def test_only_files_of_the_list_are_fetched(hub, contents, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    others = ["pytorch_model.bin", "model.pkl", "train.py", "sub/config.json", "log.npz"]
    hub.add(REPO, contents | dict.fromkeys(others, pickle.dumps(Trap())))
    folder = fetch(REPO)
    assert {path.name for path in folder.iterdir()} == {files.CONFIG, files.MODEL}
    asked = {path.rpartition("/")[2] for method, path in hub.asked if "/resolve/" in path}
    assert asked == {files.CONFIG, files.MODEL}


@pytest.mark.parametrize("name", [files.MODEL, files.CONFIG])
def test_a_pickle_under_a_name_of_the_list_is_not_loaded(
    hub, contents, tmp_path, monkeypatch, name
):
    monkeypatch.chdir(tmp_path)
    hub.add(REPO, contents | {name: pickle.dumps(Trap())})
    with pytest.raises(ValueError, match=r"must be a whole safetensors file|must be JSON"):
        load_run(f"hf://{REPO}", device="cpu")
    assert not (tmp_path / "trapped").exists()


@pytest.mark.parametrize("name", ["../config.json", "/etc/passwd", "a/../../b", "..\\b.json"])
def test_a_name_that_leads_out_of_the_folder_is_refused(hub, contents, name):
    hub.add(REPO, contents | {name: b"{}"})
    with pytest.raises(ValueError, match="must have files inside its folder; got"):
        fetch(REPO)
    assert not [path for method, path in hub.asked if "/resolve/" in path]


def test_a_link_out_of_the_folder_is_refused(hub, contents, tmp_path):
    hub.add(REPO, contents)
    folder = fetch(REPO)
    shutil.copy(folder / files.CONFIG, tmp_path / "elsewhere.json")
    (folder / files.CONFIG).unlink()
    (folder / files.CONFIG).symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(ValueError, match="must be a file in its folder; got a link out of it"):
        load_run(f"hf://{REPO}")
    (folder / files.CONFIG).unlink()
    (folder / files.CONFIG).mkdir()
    with pytest.raises(ValueError, match="must be a file in its folder; got none"):
        load_run(f"hf://{REPO}")


def test_a_link_that_the_client_leaves_is_refused(hub, contents, tmp_path, monkeypatch):
    hub.add(REPO, contents)
    (tmp_path / "secret.json").write_text("{}")

    def linked(self, repo, name, *, local_dir, **options):
        local_dir.mkdir(exist_ok=True)
        (local_dir / name).symlink_to(tmp_path / "secret.json")

    monkeypatch.setattr("huggingface_hub.HfApi.hf_hub_download", linked)
    with pytest.raises(ValueError, match="must be a file in its folder; got a link out of it"):
        fetch(REPO)
    assert list((tmp_path / "cache" / "hub").rglob("*.json")) == []


def test_a_repository_of_something_else_says_what_it_holds(hub):
    hub.add(REPO, {"config.json": b"{}", "pytorch_model.bin": b""})
    message = "must hold a run of autobeta; it has no model.safetensors, but config.json, pytorch"
    with pytest.raises(ValueError, match=message):
        fetch(REPO)


def test_a_commit_of_another_form_is_refused(hub, monkeypatch):
    monkeypatch.setattr(
        "huggingface_hub.HfApi.model_info", lambda *a, **k: type("Info", (), {"sha": "../up"})
    )
    with pytest.raises(ValueError, match=r"must be at a commit; got '\.\./up'"):
        fetch(REPO)


BAD = [
    "vae",
    "me/",
    "/vae",
    "a/b/c",
    "../vae",
    "me/..",
    "me/a--b",
    "me/a b",
    "-me/vae",
    "me/v.git",
]


@pytest.mark.parametrize("repo", BAD)
def test_a_name_of_another_form_is_refused(hub, folder, repo):
    for act in (lambda: push(folder, repo), lambda: load_run(f"hf://{repo}")):
        with pytest.raises(ValueError, match="`repo` must be OWNER/NAME"):
            act()
    assert hub.asked == []
    check_repo("me/small-vae_1.0")


@pytest.mark.parametrize("revision", ["", "../..", "/etc", "a b", "a..b"])
def test_a_revision_of_another_form_is_refused(hub, revision):
    with pytest.raises(ValueError, match="`revision` must be a branch, a tag or a commit; got"):
        load_run(f"hf://{REPO}@{revision}")
    assert hub.asked == []


def test_a_license_of_another_form_is_refused(hub, folder):
    with pytest.raises(ValueError, match="`license` must be an identifier of the Hub"):
        push(folder, REPO, license="mit\ntags: [x]")
    assert hub.asked == []


@pytest.mark.whole
def test_without_a_token_there_is_a_way_to_one(hub, folder, monkeypatch, contents):
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(PermissionError, match=r"answers 401\. .* log in with `hf auth login`"):
        push(folder, REPO)
    hub.add(REPO, contents)
    assert fetch(REPO).is_dir()  # an open one needs none
    hub.private.add(REPO)
    with pytest.raises(PermissionError, match="must be open to you; the Hub answers 401"):
        fetch(REPO)


def test_a_repository_that_is_missing_is_named(hub):
    with pytest.raises(FileNotFoundError, match="`me/none` must be on the Hub; it has none"):
        fetch("me/none")


def test_a_hub_that_fails_is_told(hub, folder):
    hub.broken = 418
    with pytest.raises(OSError, match="must take the request for `me/small-vae`; it answers 418"):
        push(folder, REPO)


@pytest.mark.whole
def test_without_a_network_it_says_what_was_fetched_needs_none(hub, folder, monkeypatch, capsys):
    def unreachable(*args, **options):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr("socket.getaddrinfo", unreachable)
    with pytest.raises(ConnectionError, match="the Hub must be reached for `me/small-vae`; got"):
        fetch(REPO)
    assert cli.main(["push", str(folder), REPO]) == 1
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert "Check the network; to load, a commit that was fetched before needs none" in said[0]


def test_a_full_disk_is_not_taken_for_the_network(hub, contents, monkeypatch):
    hub.add(REPO, contents)

    def full(*args, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("huggingface_hub.HfApi.hf_hub_download", full)
    with pytest.raises(OSError, match="No space left on device"):
        fetch(REPO)


def test_a_download_that_fails_leaves_nothing_behind(hub, contents, tmp_path, monkeypatch):
    commit = hub.add(REPO, contents)
    from huggingface_hub import HfApi

    download = HfApi.hf_hub_download

    def second_fails(self, repo, name, **options):
        if name != files.CONFIG:
            raise ConnectionResetError("gone")
        return download(self, repo, name, **options)

    with monkeypatch.context() as patch:
        patch.setattr(HfApi, "hf_hub_download", second_fails)
        with pytest.raises(ConnectionError, match="ConnectionResetError: gone"):
            fetch(REPO)
    assert list((tmp_path / "cache" / "hub").glob("*/*")) == []
    assert fetch(REPO).name == commit


def test_the_client_that_is_missing_is_named_with_its_extra(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ImportError, match=r'Run: pip install "autobeta\[huggingface\]"'):
        push(folder, REPO)


@pytest.mark.whole
def test_the_command_pushes_and_says_how_to_load(hub, folder, capsys):
    assert cli.main(["push", str(folder), REPO, "--private", "--license", "mit"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[-1] == f'Load it by load_run("hf://{REPO}").'
    assert said[0].endswith(hub.files(REPO)[0])
    assert hub.private == {REPO}


@pytest.mark.whole
def test_scores_of_an_earlier_network_are_not_pushed(hub, folder, tmp_path, monkeypatch):
    run = shutil.copytree(folder, tmp_path / "my run")
    with monkeypatch.context() as patch:
        patch.setattr("autobeta.run.train.evaluate_model", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(config(steps=6), run, extend=True)
    message = r"its scores are of step 4, its network of 6\. Run `autobeta evaluate '.*/my run'`"
    with pytest.raises(ValueError, match=message):
        push(run, REPO)
    assert hub.asked == []
    evaluate(run, EvaluationConfig(num_points=60, metrics=("mig", "infomec")))
    push(run, REPO)


def interrupted(*args, **kwargs):
    raise KeyboardInterrupt


@pytest.mark.whole
def test_a_run_that_was_stopped_early_is_pushed(hub, folder, tmp_path):
    run = shutil.copytree(folder, tmp_path / "run")
    stored = files.read_config(run)
    stored["train"]["steps"] = 9
    files.write_json(run / files.CONFIG, stored | {"stopped_at": 4})
    push(run, REPO)
    assert load_run(f"hf://{REPO}", device="cpu").progress == "step 4 of 9, stopped early"
