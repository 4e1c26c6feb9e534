"""Save and restore a training state: all tensors, counters and random states, atomically.

A checkpoint is a folder with `model.safetensors`, `training.safetensors` and `state.json`. A new
one is written beside it and exchanged by two renames; if the process dies between them, the
former one is taken up again. Each file of tensors holds a checksum of what is in it.
"""

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from autobeta.errors import DivergedError
from autobeta.run import folder as files
from autobeta.training.state import TrainState

_CHECKSUM = "sha256"


def write_tensors(path: Path, tensors: Mapping[str, Tensor], **facts: object) -> None:
    """Write tensors as safetensors, whole or not at all; tied ones are written each.

    Args:
        path: The file.
        tensors: Tensors by name, on any device.
        facts: Written with them, as text.

    Raises:
        DivergedError: If one is not finite; the file, if there is one, stays as it was.
    """
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise DivergedError(
                f"`{name}` must be finite to be saved; got NaN or infinity. "
                f"The former {path.name} is kept. Lower the learning rate."
            )
    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    metadata = {_CHECKSUM: _checksum(plain), **{key: str(fact) for key, fact in facts.items()}}
    files.write_atomic(path, lambda file: file.write(save(plain, metadata)))


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read safetensors.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged; one of an earlier version has no checksum to tell.
    """
    if not path.is_file():
        raise FileNotFoundError(f"`{path}` must be a safetensors file; found nothing there.")
    try:
        with safe_open(path, framework="pt") as file:
            wanted = (file.metadata() or {}).get(_CHECKSUM)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if wanted is not None and wanted != _checksum(tensors):
            raise ValueError("another checksum than when it was written")
    except (SafetensorError, ValueError, RuntimeError, OSError, OverflowError) as error:
        raise ValueError(
            f"`{path}` must be a whole safetensors file; got {error}. "
            "Restore a copy, or train again in a new folder."
        ) from error
    return tensors


def read_facts(path: Path) -> dict[str, str]:
    """What was written with a file's tensors; empty for a file of an earlier version."""
    try:
        with safe_open(path, framework="pt") as file:
            return dict(file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise ValueError(
            f"`{path}` must be a whole safetensors file; got {error}. "
            "Restore a copy, or train again in a new folder."
        ) from error


def _checksum(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def save_checkpoint(folder: Path, state: TrainState) -> None:
    """Write a checkpoint in place of the former one.

    Raises:
        DivergedError: If a tensor is not finite; the former checkpoint is kept.
        OSError: If the disk is full; the former checkpoint is kept.
    """
    new, old = _beside(folder)
    shutil.rmtree(new, ignore_errors=True)
    try:
        write_tensors(new / files.MODEL, state.model.state_dict(), step=state.step)
        write_tensors(new / files.TRAINING, state.tensors(), **state.counts())
        files.write_json(new / files.STATE, state.counts())
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    new.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def has_checkpoint(folder: Path) -> bool:
    """Whether there is a checkpoint; one left between two renames is put back in place."""
    new, old = _beside(folder)
    if not folder.exists() and old.exists():
        # state.json is written last, so a new checkpoint that has it is whole
        (new if (new / files.STATE).exists() else old).rename(folder)
    return folder.exists()


def load_checkpoint(folder: Path, state: TrainState, *, log_every: int) -> None:
    """Restore a state exactly; training goes on as if it had never stopped.

    Args:
        folder: The checkpoint.
        state: Objects of the same configuration.
        log_every: Steps between two lines of the log.

    Raises:
        ValueError: If a file is missing or damaged, or does not fit the objects.
    """
    try:
        counts = read_counts(folder)
        state.model.load_state_dict(read_tensors(folder / files.MODEL))
        state.load_tensors(read_tensors(folder / files.TRAINING), counts, log_every)
    except (OSError, KeyError, IndexError, RuntimeError, ValueError) as error:
        raise ValueError(
            f"`{folder}` must be a whole checkpoint of this configuration; got {error}. "
            "Delete it to train again from the start."
        ) from error


def read_counts(folder: Path) -> dict[str, int]:
    """The counters of a checkpoint, compared with those that its tensors were written with.

    Raises:
        OSError: If a file is missing.
        ValueError: If they are no whole numbers, or differ.
    """
    counts = files.read_json(folder / files.STATE)
    written = read_facts(folder / files.TRAINING)
    for name in ("step", "position"):
        value = counts.get(name)
        if type(value) is not int or value < (name == "step"):
            raise ValueError(f"{files.STATE} with {name} {value!r}")
    if any(written.get(name, str(value)) != str(value) for name, value in counts.items()):
        raise ValueError(f"{files.STATE} with {counts}, where {files.TRAINING} has {written}")
    return counts


def _beside(folder: Path) -> tuple[Path, Path]:
    return folder.with_name(f"{folder.name}.new"), folder.with_name(f"{folder.name}.old")
