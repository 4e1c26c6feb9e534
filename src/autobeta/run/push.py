"""Push a run to the Hugging Face Hub: its JSON and safetensors, a model card, a picture."""

import re
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from autobeta.errors import pasted
from autobeta.metrics import intervals as find_intervals
from autobeta.run import folder as files
from autobeta.run.card import PICTURE, Ends, model_card
from autobeta.run.hub import FILES, answered, check_repo, client
from autobeta.run.load import Run, load_run, newest
from autobeta.run.parts import public_name

CARD = "README.md"

_LICENSE = re.compile(r"[a-z0-9][a-z0-9.+-]*")


def push(
    run: Run | Path | str,
    repo: str,
    *,
    private: bool = False,
    license: str | None = None,
    intervals: bool = True,
) -> str:
    """Push a finished run to the Hub as one commit, with a model card made from it.

    The repository is created if it is not there; of one that is, the files of a run are replaced
    or removed, and its history keeps them. Paths of this machine are left out of `config.json`.

    Args:
        run: A run, or its folder.
        repo: OWNER/NAME.
        private: Whether a repository that is created is closed to others.
        license: Licence of the weights, as the Hub calls it, such as apache-2.0.
        intervals: Find 95 % intervals of the scores for the card, in 20 times their time.

    Returns:
        The address of the commit.

    Raises:
        ValueError: If a name is badly written, or the run is not finished, or not evaluated
            since.
        ImportError: If the client of the Hub is missing.
        OSError: If the Hub can't be reached, or refuses.
    """
    check_repo(repo)
    if license is not None and not _LICENSE.fullmatch(license):
        raise ValueError(
            f"`license` must be an identifier of the Hub, such as apache-2.0 or cc-by-4.0; got "
            f"{license!r}. Take `other` for one that has none."
        )
    api = client()
    run = run if isinstance(run, Run) else load_run(run, device="cpu")
    _check_finished(run)
    contents = _contents(run, repo, license=license, intervals=intervals)
    return _commit(api, repo, contents, private=private)


def _check_finished(run: Run) -> None:
    """Refuse a run that trains yet, or whose scores and pictures are those of another step."""
    if run.step not in (run.config.train.steps, files.stopped_at(run.folder)):
        config = run.folder / files.CONFIG
        again = pasted("autobeta", "train", "--config", config, "--out", run.folder)
        raise ValueError(
            f"`run` must be finished to be pushed; got {run.progress}. Finish it by `{again}`."
        )
    step = files.read_metrics(run.folder / files.METRICS).get("step", run.step)
    if step != run.step:
        raise ValueError(
            f"`run` must be evaluated as it is; its scores are of step {step}, its network of "
            f"{run.step}. Run `{pasted('autobeta', 'evaluate', run.folder)}`."
        )


def _contents(run: Run, repo: str, *, license: str | None, intervals: bool) -> dict[str, bytes]:
    """Names and contents of the files of a repository."""
    metrics = files.read_metrics(run.folder / files.METRICS)
    picture = _picture(run.folder)
    ends = _ends(run.folder, metrics) if intervals else {}
    card = model_card(run, repo, metrics, ends=ends, license=license, picture=picture is not None)
    found = {name: run.folder / name for name in FILES if (run.folder / name).is_file()}
    found[files.MODEL], _ = newest(run.folder, run.step)
    read = {name: path.read_bytes() for name, path in found.items()}
    read[files.CONFIG] = files.json_bytes(_without_paths(files.read_config(run.folder)))
    read |= {} if picture is None else {PICTURE: picture}
    return {CARD: card.encode("utf-8", "backslashreplace"), **read}


def _without_paths(config: dict[str, Any]) -> dict[str, Any]:
    """A configuration in which the user's images are known by the last part of their path."""
    data = config["data"]
    return {**config, "data": {**data, "name": public_name(data["name"]), "path": None}}


def _picture(folder: Path) -> bytes | None:
    """The traversals of a run's evaluation as PNG; None if it was not evaluated."""
    from autobeta.reports import save_traversal_grid

    if not (folder / files.TRAVERSALS).exists():
        return None
    named = ("images", "latents", "kl", "active")
    way_out = f"Run `{pasted('autobeta', 'evaluate', folder)}`."
    arrays = files.read_npz(folder / files.TRAVERSALS, *named, way_out=way_out)
    with TemporaryDirectory() as beside:
        path = Path(beside) / PICTURE
        save_traversal_grid(path, **{name: arrays[name] for name in named})
        return path.read_bytes()


def _ends(folder: Path, metrics: Mapping[str, Any]) -> Ends:
    """Ends of the 95 % intervals of an evaluation's scores; none where there are no scores."""
    names = list(metrics.get("metrics") or ())
    if not names:
        return {}
    arrays = files.read_representation(folder)
    held_out = {"codes_test", "factors_test"} <= {*arrays}
    return find_intervals(
        arrays["codes"],
        arrays.get("factors"),
        logvars=arrays["logvars"],
        test=(arrays["codes_test"], arrays["factors_test"]) if held_out else None,
        metrics=names,
        n_jobs=torch.get_num_threads(),
        seed=metrics.get("seed") or 0,
    )[1]


def _commit(
    api: Any,  # noqa: ANN401 - huggingface_hub.HfApi
    repo: str,
    contents: Mapping[str, bytes],
    *,
    private: bool,
) -> str:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    with answered(repo):
        api.create_repo(repo, private=private, exist_ok=True)
        there = {item.rfilename for item in api.model_info(repo).siblings or ()}
        stale = sorted(there & {*FILES, PICTURE} - {*contents})
        changes = [
            *(CommitOperationDelete(name) for name in stale),
            *(CommitOperationAdd(name, data) for name, data in contents.items()),
        ]
        found = api.create_commit(repo, changes, commit_message="A run of autobeta")
    return str(found.commit_url)
