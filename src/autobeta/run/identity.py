"""A run folder belongs to one run: it is claimed, or compared with what is there."""

import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from autobeta import __version__
from autobeta.run import folder as files
from autobeta.run.build import BuiltRun
from autobeta.settings import differences


def refuse_foreign(folder: Path) -> None:
    """Refuse a folder that has files, but no run.

    Raises:
        ValueError: If it does, or is a file; the message names one.
    """
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"`out` must be a folder; got the file {folder}. Choose another name.")
    if not folder.exists() or (folder / files.CONFIG).exists():
        return
    begun = {files.LOCK, files.ENVIRONMENT}  # of a run that was killed as it began
    others = [p.name for p in folder.iterdir() if p.name not in begun and not files.is_leftover(p)]
    if others:
        raise ValueError(
            f"`out` must be a new folder or a run folder; got {folder}, which has other "
            f"files, such as {min(others)}. Choose another folder."
        )


def claim(folder: Path, parts: BuiltRun, *, extend: bool) -> None:
    """Write the configuration into a new folder, or check that the folder's run is the same.

    How a run is carried out (device, threads, intervals, where its images lie) may change from
    one start to the next.

    Raises:
        ValueError: If the folder has another run; the message names the settings.
    """
    wanted = parts.json
    if not (folder / files.CONFIG).exists():
        files.write_json(folder / files.ENVIRONMENT, environment(parts.state.device))
        files.write_json(folder / files.CONFIG, wanted)
        return
    found = files.read_config(folder)
    differing = differences(found, wanted)
    there, asked = differing.get("train.steps", (0, 0))
    if asked > there and "objects" in wanted:  # a recipe of one's own may be fitted to the steps
        differing = differences(found, {**wanted, "objects": parts.known_at(there)})
    longer = set(differing) == {"train.steps"} and asked > there
    if longer and (stopped := files.stopped_at(folder)) is not None:
        raise ValueError(
            f"`steps` can't be raised for {folder}, whose `patience` ended it at step {stopped}; "
            f"got {asked}. Choose another folder, with more patience or none."
        )
    if differing and not (extend and longer):
        details = "; ".join(
            f"{name}: {a!r} there, {b!r} asked for" for name, (a, b) in differing.items()
        )
        way_out = "use --extend to train it longer" if longer else "repeat its settings"
        raise ValueError(
            f"`out` must hold a run of the same configuration; {folder} differs in {details}. "
            f"Choose another folder, or {way_out}."
        )
    if longer or not (folder / files.MODEL).exists():
        files.write_json(folder / files.CONFIG, wanted)


def environment(device: torch.device) -> dict[str, Any]:
    """Versions, commit, device and threads, as `environment.json` holds them."""
    packages = ("torch", "numpy", "scipy", "scikit-learn")
    commit, clean = _commit()
    return {
        "python": platform.python_version(),
        "packages": {"autobeta": __version__, **{n: metadata.version(n) for n in packages}},
        "commit": commit,
        "clean": clean,
        "platform": f"{platform.system()} {platform.machine()}",
        "device": str(device),
        "device_name": _device_name(device),
        "threads": torch.get_num_threads(),
    }


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    capability = torch.backends.cpu.get_cpu_capability()
    return f"{platform.processor() or platform.machine()} {capability}"


def _commit() -> tuple[str | None, bool | None]:
    """The commit of the source tree and whether it was clean; None for an installed package."""
    try:
        # an installed package may lie inside somebody else's repository, untracked
        _git("ls-files", "--error-unmatch", Path(__file__).name)
        return _git("rev-parse", "--verify", "HEAD"), not _git("status", "--porcelain", ".")
    except (OSError, subprocess.SubprocessError):
        return None, None


def _git(*args: str) -> str:
    command = ["git", "-C", str(Path(__file__).parent), *args]
    done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
    return done.stdout.strip()
