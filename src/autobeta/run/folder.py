"""Names, reads and writes the files of a run folder; the only module that knows file names."""

import hashlib
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from autobeta.errors import BusyRunError, pasted
from autobeta.formats import upgraded
from autobeta.run.formats import (
    LARGEST,
    Row,
    append_jsonl,
    check_shape,
    flush,
    json_bytes,
    npz_bytes,
    read_json,
    read_lines,
    read_lines_backwards,
    read_npz,
    write_json,
    write_jsonl,
    write_npz,
    write_together,
)

__all__ = ["LARGEST", "append_jsonl", "check_shape", "flush", "read_json", "read_npz"]
__all__ += ["json_bytes", "npz_bytes", "write_json", "write_jsonl", "write_npz"]
__all__ += ["write_together"]

CONFIG = "config.json"
ENVIRONMENT = "environment.json"
LOG = "log.jsonl"
TIMING = "timing.jsonl"
VALIDATION = "validation.jsonl"
EVALUATIONS = "evaluations.jsonl"
CURVES = "log.csv"
RUN_ID = "run_id.json"
TENSORBOARD = "tensorboard"
WANDB = "wandb"
MLFLOW = "mlflow"
CHECKPOINT = "checkpoint"
MODEL = "model.safetensors"
TRAINING = "training.safetensors"
STATE = "state.json"
BEST = "best"
PICTURES = "pictures"
REPRESENTATION = "representation.npz"
RECONSTRUCTIONS = "reconstructions.npz"
TRAVERSALS = "traversals.npz"
METRICS = "metrics.json"
EVALUATION = (METRICS, REPRESENTATION, RECONSTRUCTIONS, TRAVERSALS)
SUGGESTION = "suggestion.json"
SUGGESTION_FIGURE = "suggestion.png"
LOCK = ".lock"
STUDY = "study.json"

_LOOK = 0.5  # seconds that a lock is waited for, since `is_locked` takes it for a moment
OURS = [CONFIG, ENVIRONMENT, LOG, TIMING, CURVES, MODEL, METRICS, SUGGESTION, SUGGESTION_FIGURE]
OURS += [REPRESENTATION, RECONSTRUCTIONS, TRAVERSALS, RUN_ID, VALIDATION, EVALUATIONS]
_LEFT = re.compile(rf"({'|'.join(map(re.escape, OURS))})\.\d+\.tmp")  # beside one of our files

# shapes of JSON, see `check_shape`; a key may be missing
_EVALUATED = {"evaluation": {...: {...: float}}, "metrics": {...: (float, {...: float})}}
_METRICS = {
    **{"step": int, "num_points": int, "num_points_test": int, "seed": int},
    "num_pictures": int,
    "kl_per_latent": [float],
    "asked": [str],
    "left_out": {...: str},
    **_EVALUATED,
}
_NUMBERS = ("loss", "beta", "equivalent_beta", "target", "kl_average", "tracking_error")
_ROW = {
    **{"step": int, "terms": {...: float}, "weights": {...: float}, "state": {...: float}},
    **{"kl_per_latent": [float], **dict.fromkeys(_NUMBERS, float), "lr": float},
    **{"reconstruction": float, "kl": float, "elbo": float},  # of a validation
    **_EVALUATED,
    "num_points": int,
}


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes from writing into a run folder; released also when this one is killed.

    What killed writers left there is removed.

    Raises:
        BusyRunError: If another process has locked it.
    """
    lock = FileLock(folder / LOCK)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=_LOOK)
    except Timeout as error:
        raise BusyRunError(
            f"`{folder}` must be free; another process is writing a run there. Wait for it, stop "
            "it, or choose another folder."
        ) from error
    except OSError as error:
        raise ValueError(
            f"`{folder}` must be a folder that can be written; got: {error.strerror}. "
            "Choose another folder."
        ) from error
    try:
        for path in filter(is_leftover, [*folder.iterdir(), *(folder / BEST).glob("*")]):
            path.unlink(missing_ok=True)
        yield
    finally:
        lock.release()


def is_locked(folder: Path) -> bool:
    """Whether a process is writing into a run folder now."""
    if not (folder / LOCK).exists():
        return False
    try:
        with FileLock(folder / LOCK, blocking=False):
            return False
    except Timeout:
        return True
    except OSError:  # it is another owner's, or lies where nothing can be written
        return _is_locked_for_a_reader(folder / LOCK)


def _is_locked_for_a_reader(path: Path) -> bool:
    """`is_locked` for who can't write; False where that can't be told."""
    try:
        import fcntl

        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except (ImportError, OSError):
        pass
    return False


def is_leftover(path: Path) -> bool:
    """Whether a killed writer left this file beside the one that it was writing."""
    return _LEFT.fullmatch(path.name) is not None and path.is_file()


def read_representation(run: Path) -> dict[str, np.ndarray]:
    """Codes, log-variances and index of a run's evaluation; errors as of `read_npz`."""
    way_out = f"Run `{pasted('autobeta', 'evaluate', run)}`."
    found = read_npz(run / REPRESENTATION, "codes", "logvars", "index", way_out=way_out)
    codes, rest = found["codes"], (found["logvars"], found["index"])
    like = [codes.shape, codes.shape[:1]]
    whole = codes.ndim == 2 and codes.size and [array.shape for array in rest] == like
    if not whole or not all(np.isfinite(found[name]).all() for name in ("codes", "logvars")):
        raise ValueError(
            f"`{run / REPRESENTATION}` must have finite codes and logvars, a row for each of "
            f"`index`; got codes of shape {codes.shape}. {way_out}"
        )
    return found


def is_whole_evaluation(run: Path, metrics: dict[str, Any]) -> bool:
    """Whether all files of an evaluation are there, the codes those that were scored."""
    names = (REPRESENTATION, RECONSTRUCTIONS, TRAVERSALS)
    if not metrics or not all((run / name).is_file() for name in names):
        return False
    known = metrics.get("representation")  # version 0.1 kept no checksum
    return known is None or known == checksum((run / REPRESENTATION).read_bytes())


def checksum(data: bytes) -> str:
    """Sixteen hex digits of a file's content."""
    return hashlib.sha256(data).hexdigest()[:16]


def log_lines(path: Path) -> tuple[list[Row], list[int]]:
    """Lines of a log or of another .jsonl, and the numbers of those that are damaged."""
    return read_lines(path, _ROW)


def read_jsonl(path: Path) -> list[Row]:
    """`log_lines`, with a warning about damaged ones; none where there is no file."""
    rows, damaged = log_lines(path)
    if damaged:
        numbers = ", ".join(map(str, damaged))
        warnings.warn(
            f"`{path}` is damaged in line {numbers}; the other lines are taken.", stacklevel=2
        )
    return rows


def read_log(run: Path) -> list[Row]:
    """The lines of a run's log that have terms and a mean KL, as every line has."""
    return [row for row in read_jsonl(run / LOG) if _is_whole(row)]


def end_of_log(run: Path) -> list[Row]:
    """The last line that `read_log` gives; none where there is none."""
    return [*islice(filter(_is_whole, read_lines_backwards(run / LOG, _ROW)), 1)]


def has_set_point(run: Path) -> bool:
    """Whether a line of a run's log may have a set point; quicker than to read them."""
    path = run / LOG
    return path.is_file() and b'"target"' in path.read_bytes()


def _is_whole(row: Row) -> bool:
    known = {"reconstruction", "kl"} <= {*(row.get("terms") or ())}
    return known and row.get("kl_average") is not None


def read_config(run: Path) -> dict[str, Any]:
    """Read the configuration of a run folder, in the present format.

    Raises:
        FileNotFoundError: If the folder holds no run.
        ValueError: If it is damaged, or of a later format.
    """
    if not (run / CONFIG).exists():
        raise FileNotFoundError(
            f"`{run}` must be a run folder; it has no {CONFIG}. Make one with `autobeta train`."
        )
    return read_config_file(run / CONFIG)


def read_config_file(path: Path) -> dict[str, Any]:
    """Read a configuration, in the present format; errors as of `read_config`."""
    config = read_json(path)
    try:
        return upgraded(config)
    except ValueError as error:
        raise ValueError(f"`{path}`: {error} Give the config.json of a run.") from error


def stopped_at(run: Path) -> int | None:
    """The step at which the patience of a run ended it early; None if it did not."""
    found = read_config(run).get("stopped_at")
    return found if type(found) is int else None


def picture(run: Path, step: int, name: str) -> Path:
    """Where a picture that is made during the training lies."""
    return run / PICTURES / f"step-{step:06}-{name}.png"


def pictures(run: Path) -> list[tuple[int, str, Path]]:
    """Step, name and place of the pictures that were made during a training, in order of step."""
    found = []
    for path in (run / PICTURES).glob("step-*-*.png"):
        _, step, name = path.stem.split("-", 2)
        if step.isdecimal():
            found.append((int(step), name, path))
    return sorted(found)


def read_metrics(path: Path) -> dict[str, Any]:
    """Losses and scores of an evaluation; empty where there is no such file.

    Raises:
        ValueError: If it is damaged.
    """
    if not path.exists():
        return {}
    found = read_json(path)
    try:
        check_shape(found, _METRICS)
    except ValueError as error:
        raise ValueError(
            f"`{path}` must have losses and scores: {error}. Delete it, then evaluate the run."
        ) from error
    return found
