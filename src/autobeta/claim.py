"""A run folder is claimed by one configuration: it is written there, or compared with what is."""

import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from autobeta import runs
from autobeta.assemble import RunConfig
from autobeta.data import FactorDataset


def claim(folder: Path, config: RunConfig, dataset: FactorDataset, *, extend: bool) -> None:
    """Write the configuration into a new folder, or check that the folder's run has the same.

    Raises:
        ValueError: If the folder has another run or other files; the message names the settings.
    """
    wanted = config.to_json(dataset)
    if not (folder / runs.CONFIG).exists():
        if folder.exists() and any(path.name != runs.LOCK for path in folder.iterdir()):
            raise ValueError(
                f"`out` must be a new folder or a run folder; got {folder}, which has other "
                "files. Choose another folder."
            )
        runs.write_json(folder / runs.CONFIG, wanted)
        runs.write_json(folder / runs.ENVIRONMENT, environment(config))
        return
    found = runs.read_config(folder)
    differing = differences(found, wanted)
    if not differing:
        return
    longer = config.train.steps > found["train"]["steps"]
    if set(differing) == {"train.steps"} and longer and extend:
        for name in (runs.MODEL, runs.METRICS):
            (folder / name).unlink(missing_ok=True)
        runs.write_json(folder / runs.CONFIG, wanted)
        return
    details = "; ".join(
        f"{name}: {a!r} there, {b!r} asked for" for name, (a, b) in differing.items()
    )
    way_out = "use --extend to train it longer" if longer else "repeat its settings"
    raise ValueError(
        f"`out` must hold a run of the same configuration; {folder} differs in {details}. "
        f"Choose another folder, or {way_out}."
    )


def differences(a: dict[str, Any], b: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Settings in which two configurations differ: dotted name to both values."""
    found: dict[str, Any] = {}
    for key in [*a, *(key for key in b if key not in a)]:
        x, y = a.get(key), b.get(key)
        if isinstance(x, dict) and isinstance(y, dict):
            found |= differences(x, y, f"{prefix}{key}.")
        elif x != y:
            found[f"{prefix}{key}"] = (x, y)
    return found


def environment(config: RunConfig) -> dict[str, Any]:
    """Versions, commit, device and threads, as `environment.json` holds them."""
    packages = ("autobeta", "torch", "numpy", "scipy", "scikit-learn")
    return {
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in packages},
        "commit": _commit(),
        "platform": f"{platform.system()} {platform.machine()}",
        "device": config.train.device,
        "device_name": _device_name(config.train.device),
        "threads": torch.get_num_threads(),
    }


def _device_name(device: str) -> str:
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    capability = torch.backends.cpu.get_cpu_capability()
    return f"{platform.processor() or platform.machine()} {capability}"


def _commit() -> str | None:
    """The commit of the source tree; None for an installed package."""
    git = ["git", "-C", str(Path(__file__).parent)]
    try:
        # an installed package may lie inside somebody else's repository, untracked
        subprocess.run(
            [*git, "ls-files", "--error-unmatch", Path(__file__).name],
            capture_output=True,
            timeout=5,
            check=True,
        )
        head = [*git, "rev-parse", "--verify", "HEAD"]
        done = subprocess.run(head, capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
