"""Losses, metrics, traversals of a run."""

from pathlib import Path
from typing import Annotated

import tyro

from autobeta.cli._print import print_results
from autobeta.settings import EvaluationConfig


def command(
    run: tyro.conf.Positional[Path],
    evaluation: Annotated[EvaluationConfig, tyro.conf.arg(name="")] = EvaluationConfig(),
    *,
    best: bool = False,
    data: str | None = None,
    device: str | None = None,
) -> None:
    """Evaluate a run, finished or not: losses, metrics, reconstructions, traversals.

    Args:
        run: Run folder.
        evaluation: Settings.
        best: Take the network that validation found best; results go into best/ of the folder.
        data: Where the run's own images lie now; where they were in the training if not given.
        device: auto, cpu, cuda, cuda:N or mps; the run's own if not given.
    """
    from autobeta.run.evaluate import evaluate
    from autobeta.run.load import load_run

    loaded = load_run(run, device=device, best=best)
    print(f"{run}: {loaded.progress}")
    print_results(evaluate(loaded, evaluation, data=data))
