"""Curves, settings, scores and pictures for Weights & Biases; offline unless you are logged in."""

import os
import shutil
from pathlib import Path
from typing import Any

from autobeta.run import folder as files
from autobeta.training.callbacks._tracker import (
    AbstractStore,
    Numbers,
    Pictures,
    Tracker,
    kept_id,
    require,
)


def build(folder: Path) -> Tracker:
    """A run of W&B, its files in `wandb/` of the run folder.

    It is online if `WANDB_MODE` says so, or if that is not set and an API key is known; offline,
    `wandb sync` sends it. `WANDB_PROJECT` and the like are W&B's own; the project is autobeta if
    not given.

    Raises:
        ImportError: If wandb is not installed.
    """
    require("wandb", "wandb")
    return Tracker("wandb", folder, WandbStore)


class WandbStore(AbstractStore):
    """One run of W&B.

    Online, a resumed run continues the same one. Offline, W&B can't continue a file, so a whole
    new one takes its place, under the same id.

    Args:
        folder: The run folder.
        config: The run's settings, as in `config.json`.
    """

    def __init__(self, folder: Path, config: dict[str, Any]) -> None:
        import wandb

        name, mode = kept_id(folder), _mode()
        if mode == "offline":
            for former in (folder / files.WANDB).glob(f"offline-run-*-{name}"):
                shutil.rmtree(former)
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "autobeta"),
            name=folder.resolve().name,
            id=name,
            resume="allow" if mode == "online" else None,
            dir=folder,
            mode=mode,
            reinit="create_new",  # beside a run that the process may have
            # what a terminal shows stays as it is
            settings=wandb.Settings(console="off", silent=mode != "online"),
        )
        self._run.config.update(config, allow_val_change=True)

    def last_step(self) -> int:
        """The step before the next one that W&B takes."""
        return self._run.step - 1 if self._run.resumed else 0

    def log(self, step: int, numbers: Numbers) -> None:
        """A point of each curve."""
        self._run.log(numbers, step=step)

    def add_pictures(self, step: int, pictures: Pictures) -> None:
        """Images of a step."""
        import wandb

        shown = {name: wandb.Image(picture) for name, picture in pictures.items()}
        self._run.log(shown, step=step)

    def add_results(self, step: int, scores: Numbers, pictures: Pictures) -> None:
        """Scores into the summary, pictures beside the last line."""
        import wandb

        del step
        self._run.log({name: wandb.Image(picture) for name, picture in pictures.items()})
        self._run.summary.update(scores)

    def close(self, *, complete: bool) -> None:
        """Finish; W&B shows an incomplete run as failed."""
        self._run.finish(exit_code=0 if complete else 1)


def _mode() -> Any:  # noqa: ANN401 - a literal type of wandb's
    """What the user has set; else online if the user is logged in."""
    import wandb

    if wandb.run is not None:  # of the user's own, in this process
        return wandb.run.settings.mode
    if chosen := os.environ.get("WANDB_MODE"):
        return {"dryrun": "offline", "run": "online"}.get(chosen, chosen)  # former names
    mode = wandb.setup().settings.mode
    logged_in = mode == "online" and wandb.login(prompt=False, verify=False)
    return "offline" if mode == "online" and not logged_in else mode
