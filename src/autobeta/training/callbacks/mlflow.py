"""Curves, settings, scores and pictures for MLflow, in a database of the run or on a server."""

import os
import re
import time
from pathlib import Path
from typing import Any

from autobeta.run import folder as files
from autobeta.training.callbacks._flat import as_settings
from autobeta.training.callbacks._tracker import (
    AbstractStore,
    Numbers,
    Pictures,
    Tracker,
    kept_id,
    require,
)

TAG = "autobeta.run"
LONGEST = 6000  # characters of a parameter that MLflow takes
MOST = 1000  # numbers that it takes at once


def build(folder: Path) -> Tracker:
    """A run of MLflow at `MLFLOW_TRACKING_URI`; if that is not set, a database in `mlflow/`.

    The experiment is that of `MLFLOW_EXPERIMENT_NAME`, or autobeta.

    Raises:
        ImportError: If mlflow, or what its database needs, is not installed.
    """
    own = () if os.environ.get("MLFLOW_TRACKING_URI") else ("sqlalchemy", "alembic")
    require("mlflow", "mlflow", *own)
    return Tracker("mlflow", folder, MlflowStore)


class MlflowStore(AbstractStore):
    """One run of MLflow, found again by a tag when the run is resumed.

    Args:
        folder: The run folder.
        config: The run's settings, as in `config.json`.
    """

    def __init__(self, folder: Path, config: dict[str, Any]) -> None:
        from mlflow import MlflowClient
        from mlflow.entities import Param

        self._folder, place = folder, folder.resolve() / files.MLFLOW
        uri = os.environ.get("MLFLOW_TRACKING_URI")
        if not uri:
            place.mkdir(exist_ok=True)
        self._client = MlflowClient(tracking_uri=uri or f"sqlite:///{place / 'mlflow.db'}")
        experiment = self._experiment(None if uri else (place / "artifacts").as_uri())
        name = kept_id(folder)
        found = self._client.search_runs([experiment], f"tags.`{TAG}` = '{name}'")
        run = found[0] if found else self._client.create_run(
            experiment, tags={TAG: name}, run_name=folder.resolve().name
        )  # fmt: skip
        self._id = run.info.run_id
        self._client.update_run(self._id, status="RUNNING")
        # MLflow never changes a parameter, such as the steps of a run that is extended
        settings = {k: v for k, v in as_settings(config).items() if k not in run.data.params}
        params = [Param(key, str(value)[:LONGEST]) for key, value in settings.items()]
        self._client.log_batch(self._id, params=params)

    def _experiment(self, artifacts: str | None) -> str:
        from mlflow.exceptions import MlflowException

        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", "autobeta")
        if (found := self._client.get_experiment_by_name(name)) is not None:
            return found.experiment_id
        try:
            return self._client.create_experiment(name, artifacts)
        except MlflowException:  # another run has made it just now
            if (found := self._client.get_experiment_by_name(name)) is None:
                raise
            return found.experiment_id

    def last_step(self) -> int:
        """The last step of the curve of the loss."""
        history = self._client.get_metric_history(self._id, "loss")
        return max((point.step for point in history), default=0)

    def log(self, step: int, numbers: Numbers) -> None:
        """A point of each curve."""
        from mlflow.entities import Metric

        now = int(1000 * time.time())
        points = [Metric(_name(key), value, now, step) for key, value in numbers.items()]
        for first in range(0, len(points), MOST):
            self._client.log_batch(self._id, metrics=points[first : first + MOST])

    def add_pictures(self, step: int, pictures: Pictures) -> None:
        """Files with the step in their name."""
        for name, picture in pictures.items():
            self._client.log_image(self._id, picture, f"{name}-{step:06}.png")

    def add_results(self, step: int, scores: Numbers, pictures: Pictures) -> None:
        """Scores as curves of one point; pictures, settings and scores as files."""
        for name, picture in pictures.items():
            self._client.log_image(self._id, picture, f"{name}.png")
        for name in (files.CONFIG, files.METRICS):
            self._client.log_artifact(self._id, str(self._folder / name))
        self.log(step, scores)

    def close(self, *, complete: bool) -> None:
        """Say how the run ended."""
        self._client.set_terminated(self._id, "FINISHED" if complete else "KILLED")


def _name(name: str) -> str:
    """A name that MLflow takes: `metrics/mig[bins=20]` is `metrics/mig_bins_20`."""
    return re.sub(r"[^\w\-./: ]+", "_", name).strip("_")
