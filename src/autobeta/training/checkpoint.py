"""Save and restore a training state: all tensors, counters and random states, atomically.

A checkpoint is a folder with `model.safetensors`, `training.safetensors` and `state.json`. A new
one is written beside it and exchanged by two renames; if the process dies between them, the
former one is taken up again. Each file of tensors holds a checksum of what is in it.
"""

import hashlib
import json
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from autobeta.errors import DivergedError
from autobeta.run import folder as files
from autobeta.training.state import TrainState

_ADVICE = " Restore a copy, or train again in a new folder."
_FACTS = "autobeta"  # one entry, since safetensors keeps no order of several


def check_kept(name: str, module: nn.Module) -> None:
    """Refuse a module whose state no checkpoint can keep.

    Raises:
        ValueError: If its `state_dict` has something else than tensors, or NaN in a buffer.
    """
    for key, value in module.state_dict().items():
        if not isinstance(value, Tensor):
            raise ValueError(
                f"`{name}` must have tensors alone in its `state_dict`; got {key} of type "
                f"{type(value).__name__}. Keep it as a buffer, as of torch.tensor(number)."
            )
        if value.isnan().any():
            raise ValueError(
                f"`{name}` must have no NaN in what a checkpoint keeps; got one in {key}. Begin "
                "it as another number; infinity may stand in a buffer."
            )


def write_module(path: Path, module: nn.Module, **facts: Any) -> None:  # noqa: ANN401
    """Write a module's state as safetensors; see `write_tensors`."""
    write_tensors(path, module.state_dict(), infinite=_buffers(module), **facts)


def _buffers(module: nn.Module, prefix: str = "") -> set[str]:
    """Names of the tensors that are not trained: a mask or a best value may be infinite."""
    return {prefix + name for name, _ in module.named_buffers(remove_duplicate=False)}


def write_tensors(
    path: Path,
    tensors: Mapping[str, Tensor],
    *,
    infinite: Collection[str] = (),
    **facts: Any,  # noqa: ANN401
) -> None:
    """Write tensors as safetensors, whole or not at all; tied ones are written each.

    Raises:
        DivergedError: If one has NaN, or infinity and is not one of those that may be `infinite`;
            the file, if there is one, stays as it was.
    """
    for name, tensor in tensors.items():
        if tensor.isnan().any() or (name not in infinite and tensor.isinf().any()):
            raise DivergedError(
                f"`{name}` must be finite to be saved; got NaN or infinity. "
                f"The former {path.name} is kept. Lower the learning rate."
            )
    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    written = json.dumps({"sha256": _checksum(plain), **facts})
    files.write_together({path: save(plain, {_FACTS: written})})


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read safetensors.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged; one of an earlier version has no checksum to tell.
    """
    return read_with_facts(path)[0]


def read_with_facts(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read safetensors, and what was written with them; of one file, should it be exchanged."""
    if not path.is_file():
        raise FileNotFoundError(f"`{path}` must be a safetensors file; found nothing there.")
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            written = file.metadata()
    except (SafetensorError, ValueError, RuntimeError, OSError, OverflowError) as error:
        raise _damaged(path, error) from error
    facts = _facts(path, written)
    if facts.get("sha256", known := _checksum(tensors)) != known:
        raise _damaged(path, "another checksum than when it was written")
    return tensors, facts


def read_facts(path: Path) -> dict[str, Any]:
    """What was written with a file's tensors; empty for a file of an earlier version.

    Raises:
        ValueError: If the file is damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            written = file.metadata()
    except (SafetensorError, ValueError, OSError) as error:
        raise _damaged(path, error) from error
    return _facts(path, written)


def _facts(path: Path, written: Mapping[str, str] | None) -> dict[str, Any]:
    try:
        facts = json.loads((written or {}).get(_FACTS, "{}"))
    except (ValueError, RecursionError) as error:
        raise _damaged(path, error) from error
    if not isinstance(facts, dict):
        raise _damaged(path, f"{facts!r} in its header")
    return facts


def _damaged(path: Path, what: object) -> ValueError:
    return ValueError(f"`{path}` must be a whole safetensors file; got {what}.{_ADVICE}")


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
    _remove(new)
    try:
        write_module(new / files.MODEL, state.model, step=state.step)
        modules = state.modules().items()
        infinite = {key for name, module in modules for key in _buffers(module, f"{name}.")}
        write_tensors(new / files.TRAINING, state.tensors(), infinite=infinite, **state.counts())
        files.write_json(new / files.STATE, state.counts())
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    _remove(old)
    if folder.is_symlink():  # what it leads to is somebody's
        folder.unlink()
    if folder.exists():
        folder.rename(old)
    new.rename(folder)
    _remove(old)


def _remove(folder: Path) -> None:
    if folder.is_symlink():
        folder.unlink()
    shutil.rmtree(folder, ignore_errors=True)


def find_checkpoint(folder: Path) -> Path | None:
    """Where the checkpoint is: in its place, or where a kill between two renames left it."""
    new, old = _beside(folder)
    if folder.exists() or not old.exists():
        return folder if folder.exists() else None
    return new if (new / files.STATE).exists() else old  # state.json is written last


def has_checkpoint(folder: Path) -> bool:
    """Whether there is a checkpoint; for who has locked the run, since it is put in place."""
    if (found := find_checkpoint(folder)) is None:
        return False
    if found != folder:
        found.rename(folder)
    for left in _beside(folder):
        _remove(left)
    return True


def load_checkpoint(folder: Path, state: TrainState, *, log_every: int) -> None:
    """Restore a state exactly; training goes on as if it had never stopped.

    Raises:
        ValueError: If a file is missing or damaged, or does not fit the objects.
    """
    try:
        counts = read_counts(folder)
        state.model.load_state_dict(read_tensors(folder / files.MODEL))
        state.load_tensors(read_tensors(folder / files.TRAINING), counts, log_every)
    except (OSError, KeyError, IndexError, RuntimeError, ValueError) as error:
        reason = str(error).removesuffix(_ADVICE).rstrip(".")
        raise ValueError(
            f"`{folder}` must be a whole checkpoint of this configuration; got {reason}. "
            "Restore a copy, or delete it to train again from the start."
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
    if any(written.get(name, value) != value for name, value in counts.items()):
        raise ValueError(f"{files.STATE} with {counts}, where {files.TRAINING} has {written}")
    return counts


def _beside(folder: Path) -> tuple[Path, Path]:
    return folder.with_name(f"{folder.name}.new"), folder.with_name(f"{folder.name}.old")
