"""Runs on the Hugging Face Hub: hf://OWNER/REPO is fetched into the cache folder.

Of a repository only the files of `FILES` are ever fetched, which are JSON and safetensors, and
what is fetched is loaded as any run folder is.
"""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from autobeta.data import data_root
from autobeta.run import folder as files

FILES = (files.CONFIG, files.ENVIRONMENT, files.LOG, files.METRICS, files.MODEL)
"""All that is ever fetched of a repository, and of a run folder all that is pushed."""
_NEEDED = (files.CONFIG, files.MODEL)

_PLACE = re.compile(r"hf:/{1,2}(?P<repo>[^@]*)(@(?P<revision>.*))?", re.DOTALL)  # a Path has one /
_NAME = re.compile(r"[A-Za-z0-9_]([\w.-]{0,94}[A-Za-z0-9_])?", re.ASCII)
_REVISION = re.compile(r"(?!.*(\.\.|//))[A-Za-z0-9_][\w./-]{0,200}", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}")


def local(place: Path | str) -> Path:
    """The folder of a run, fetched first where it is hf://OWNER/REPO or hf://OWNER/REPO@REVISION.

    Raises:
        ValueError: If a place on the Hub is badly written, or holds no run.
        OSError: If it can't be fetched; the message says why.
    """
    found = _PLACE.fullmatch(str(place))
    return fetch(found["repo"], found["revision"]) if found else Path(place)


def check_repo(repo: str) -> None:
    """Refuse what is no name of a repository.

    Raises:
        ValueError: If it is not OWNER/NAME.
    """
    parts = repo.split("/")
    odd = "--" in repo or ".." in repo or repo.endswith(".git")
    if len(parts) != 2 or odd or not all(map(_NAME.fullmatch, parts)):
        raise ValueError(
            f"`repo` must be OWNER/NAME, each of letters, digits, '-', '_' and '.'; got {repo!r}. "
            "Give it as the Hub shows it, such as me/dynamicvae-dsprites."
        )


def fetch(repo: str, revision: str | None = None) -> Path:
    """Fetch a run from the Hub into the cache folder, one folder for each commit.

    Args:
        repo: OWNER/NAME.
        revision: Branch, tag or commit; the default branch if not given. A commit that was fetched
            before needs no network.

    Returns:
        The run folder.

    Raises:
        ValueError: If a name is badly written, or there is no run that can be taken.
        ImportError: If the client of the Hub is missing.
        OSError: If the Hub can't be reached, or does not hand it out.
    """
    check_repo(repo)
    if revision is not None and not _REVISION.fullmatch(revision):
        raise ValueError(
            f"`revision` must be a branch, a tag or a commit; got {revision!r}. Leave out "
            "@REVISION for the newest."
        )
    home = data_root() / "hub" / repo.replace("/", "--")
    known = home / (revision or "")
    if not (_COMMIT.fullmatch(revision or "") and known.is_dir()):
        api = client()
        with answered(repo, revision):
            info = api.model_info(repo, revision=revision)
        if not _COMMIT.fullmatch(str(info.sha)):
            raise ValueError(f"`{repo}` must be at a commit; got {info.sha!r}. Choose another.")
        known = home / info.sha
        if not known.is_dir():
            names = _allowed(repo, [item.rfilename for item in info.siblings or ()])
            _download(api, repo, known, names)
    _check_inside(known)
    return known


def client() -> Any:  # noqa: ANN401 - huggingface_hub.HfApi
    """The client of the Hub.

    Raises:
        ImportError: If it is missing.
    """
    try:
        from huggingface_hub import HfApi
    except ImportError as error:
        raise ImportError(
            f"`huggingface_hub` must be installed to share a run; got: {error}. "
            'Run: pip install "autobeta[huggingface]"'
        ) from error
    return HfApi(library_name="autobeta")


@contextmanager
def answered(repo: str, revision: str | None = None) -> Iterator[None]:
    """Say of what the Hub's client raises what is wrong, and a way out.

    Raises:
        OSError: In place of any error of the client; one of the disk is left as it is.
    """
    try:
        yield
    except Exception as error:  # the client's HTTP library has errors of its own
        causes = [*_causes(error)]
        if any(isinstance(cause, OSError) and cause.errno == errno.ENOSPC for cause in causes):
            raise
        told = next(filter(None, (_refusal(cause, repo, revision) for cause in causes)), None)
        raise told or ConnectionError(
            f"the Hub must be reached for `{repo}`; got {type(error).__name__}: "
            f"{_line(causes[-1])}. Check the network; to load, a commit that was fetched before "
            "needs none: hf://OWNER/REPO@COMMIT"
        ) from error


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _refusal(error: BaseException, repo: str, revision: str | None) -> OSError | None:
    """What is wrong if the Hub answered with an error; None if this is no such error."""
    from huggingface_hub import errors

    if not isinstance(error, errors.HfHubHTTPError):
        return None
    status = error.response.status_code
    login = "log in with `hf auth login`, or set HF_TOKEN to a token that may"
    if isinstance(error, errors.RevisionNotFoundError):
        return FileNotFoundError(
            f"`revision` must be a branch, tag or commit of {repo}; got {revision!r}. Look it up "
            "on the Hub."
        )
    if status in (401, 403):
        return PermissionError(
            f"`{repo}` must be open to you; the Hub answers {status}. Correct its name, or "
            f"{login} do this."
        )
    if status == 404:
        return FileNotFoundError(
            f"`{repo}` must be on the Hub; it has none. Correct the name, or {login} read it."
        )
    return OSError(
        f"the Hub must take the request for `{repo}`; it answers {status}: {_line(error)}. Try "
        "again later."
    )


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]


def _allowed(repo: str, names: list[str]) -> list[str]:
    """Those of a repository's files that are fetched.

    Raises:
        ValueError: If a name leads out of a folder, or a run's files are missing.
    """
    for name in names:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
            raise ValueError(
                f"`{repo}` must have files inside its folder; got {name!r}. Do not use it, and "
                "report it to the Hub."
            )
    if missing := [name for name in _NEEDED if name not in names]:
        held = ", ".join(sorted(names)[:10]) or "nothing"
        raise ValueError(
            f"`{repo}` must hold a run of autobeta; it has no {missing[0]}, but {held}. Push one "
            "with `autobeta push`."
        )
    return [name for name in FILES if name in names]


def _download(api: Any, repo: str, folder: Path, names: list[str]) -> None:  # noqa: ANN401
    """Download files into a new folder, which takes its place when all are there."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix=".fetching") as beside:
        given, taken = Path(beside) / "given", Path(beside) / "taken"
        taken.mkdir()
        for name in names:
            with answered(repo, folder.name):
                api.hf_hub_download(repo, name, revision=folder.name, local_dir=given)
            _check_file(given / name, given)
            (given / name).rename(taken / name)
        try:
            taken.rename(folder)
        except OSError:
            if not folder.is_dir():  # another process was quicker
                raise


def _check_inside(folder: Path) -> None:
    for name in FILES:
        if (folder / name).is_symlink() or (folder / name).exists():
            _check_file(folder / name, folder)


def _check_file(path: Path, folder: Path) -> None:
    inside = path.resolve().is_relative_to(folder.resolve())
    if not inside or not path.is_file():
        found = "none" if inside else "a link out of it"
        raise ValueError(
            f"`{path}` must be a file in its folder; got {found}. Remove {folder}, and fetch it "
            "again."
        )
