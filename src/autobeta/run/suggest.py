"""Propose set point, schedule and bounds of beta, from a short pilot run."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from autobeta.control import Suggestion
from autobeta.control import suggest as read_suggestion
from autobeta.run import folder as files
from autobeta.run.train import train
from autobeta.settings import EvaluationConfig, RunConfig
from autobeta.training import Callback


def suggest(
    config: RunConfig,
    out: Path | str,
    *,
    num_steps: int = 20_000,
    callbacks: Sequence[Callback] = (),
) -> Suggestion:
    """Propose a KL set point, a schedule and bounds of beta for a data set.

    Trains a pilot, or goes on with it, and writes `suggestion.json` and `suggestion.png` beside
    its log.

    Args:
        config: A run of the method `pilot` with the data, network and batches that the proposal
            is for. 2,000 steps with a line of the log for each are usual.
        out: The pilot's run folder.
        num_steps: Length of the run that the proposal is for.
        callbacks: Called with each new line of the log.

    Raises:
        ValueError: If the configuration is not a pilot's, or its log shows no curve to read from;
            see `autobeta.control.suggest`.
    """
    from autobeta.reports import save_suggestion

    if config.method != "pilot":
        raise ValueError(f"`config` must be of the method pilot; got {config.method!r}.")
    if num_steps < 1:
        raise ValueError(f"`num_steps` must be at least 1; got {num_steps}.")
    folder = Path(out)
    few = EvaluationConfig(metrics=(), num_points=1000)
    train(config, folder, evaluation=few, callbacks=callbacks)
    log = files.read_log(folder)
    found = read_suggestion(log)
    settings = {"num_steps": num_steps, "settings": found.settings(num_steps)}
    files.write_json(folder / files.SUGGESTION, {**asdict(found), **settings})
    save_suggestion(folder / files.SUGGESTION_FIGURE, log, found)
    return found
