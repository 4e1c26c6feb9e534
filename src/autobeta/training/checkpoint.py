"""Save and restore a training state: all tensors, counters and random states, atomically.

A checkpoint is a folder with `model.safetensors`, `training.safetensors` and `state.json`. A new
one is written beside it and exchanged by two renames; if the process dies between them, the
former one is taken up again.
"""

import json
import shutil
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from autobeta import runs
from autobeta.errors import DivergedError
from autobeta.training.state import TrainState

_TRAINING = "training.safetensors"
_STATE = "state.json"


def write_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    """Write tensors as safetensors, whole or not at all.

    Raises:
        DivergedError: If one is not finite; the file, if there is one, stays as it was.
    """
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise DivergedError(
                f"`{name}` must be finite to be saved; got NaN or infinity. "
                f"The former {path.name} is kept. Lower the learning rate."
            )
    plain = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
    runs.write_atomic(path, lambda file: file.write(save(plain)))


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read safetensors.

    Raises:
        ValueError: If the file is damaged.
    """
    try:
        return load(path.read_bytes())
    except SafetensorError as error:
        raise ValueError(
            f"`{path}` must be a safetensors file; got {error}. "
            "Delete it and resume from another copy, or train again in a new folder."
        ) from error


def save_checkpoint(folder: Path, state: TrainState) -> None:
    """Write a checkpoint in place of the former one.

    Raises:
        DivergedError: If a tensor is not finite; the former checkpoint is kept.
        OSError: If the disk is full; the former checkpoint is kept.
    """
    new, old = _beside(folder)
    shutil.rmtree(new, ignore_errors=True)
    try:
        write_tensors(new / runs.MODEL, state.model.state_dict())
        write_tensors(new / _TRAINING, state.tensors())
        counts = {"step": state.step, "position": state.batches.state_dict()["position"]}
        runs.write_json(new / _STATE, counts)
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
        (new if (new / _STATE).exists() else old).rename(folder)
    return folder.exists()


def load_checkpoint(folder: Path, state: TrainState) -> None:
    """Restore a state exactly; training goes on as if it had never stopped.

    Raises:
        ValueError: If a file is missing or damaged, or does not fit the objects.
    """
    try:
        counts = json.loads((folder / _STATE).read_text("utf-8"))
        state.model.load_state_dict(read_tensors(folder / runs.MODEL))
        state.load_tensors(read_tensors(folder / _TRAINING), counts)
    except (OSError, KeyError, RuntimeError, json.JSONDecodeError) as error:
        raise ValueError(
            f"`{folder}` must be a whole checkpoint of this configuration; got {error!r}. "
            "Delete it to train again from the start."
        ) from error


def _beside(folder: Path) -> tuple[Path, Path]:
    return folder.with_name(f"{folder.name}.new"), folder.with_name(f"{folder.name}.old")
