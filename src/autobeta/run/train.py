"""Train a run: build, claim its folder, fit, save, evaluate."""

import inspect
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import torch

from autobeta import registry
from autobeta.methods import Recipe
from autobeta.models import AbstractLikelihood
from autobeta.run import folder as files
from autobeta.run.build import BuiltRun, build
from autobeta.run.during import TrainingEvaluations, TrainingPictures
from autobeta.run.evaluate import evaluate_model
from autobeta.run.evaluated import lacks_evaluations, missing_evaluation
from autobeta.run.identity import claim, refuse_foreign
from autobeta.run.load import Run, load_weights, trained_steps
from autobeta.run.objects import Images, MakeRecipe, Network, Objects
from autobeta.run.scores import check_asked
from autobeta.settings import EvaluationConfig, RunConfig
from autobeta.training import Callback, fit
from autobeta.training.checkpoint import write_module
from autobeta.training.machine import free_cores, warn_of_too_many
from autobeta.training.ranks import Ranks, all_do, first_does, joined, naming_the_rank
from autobeta.training.seeding import seed_everything


def train(
    config: RunConfig,
    out: Path | str,
    *,
    extend: bool = False,
    evaluation: EvaluationConfig | None = None,
    callbacks: Sequence[Callback | str] = (),
    data: Images | None = None,
    network: Network | None = None,
    likelihood: AbstractLikelihood | None = None,
    recipe: Recipe | MakeRecipe | None = None,
) -> Run:
    """Train a run and evaluate it, or go on where an earlier call stopped.

    Nothing is written before all that can be refused has been. Processes that torchrun started
    train one run together, each a part of every batch.

    Args:
        config: What to train.
        out: Run folder. One that holds a run of the same configuration is resumed; a finished
            run is not trained again.
        extend: Allow the configuration to have more steps than the run in the folder. A schedule
            that is fitted to the run's length changes with it.
        evaluation: Settings of the evaluation at the end.
        callbacks: Called with each new line of the log; see `autobeta.training.Callback`. One
            that is a context manager is entered while the run is trained; a text is a name.
        data: A `FactorDataset`, a torch `Dataset` of images, or an array of them, in place of
            the name in `config`.
        network: Encoder and decoder, or a function from (height, width, channels) and the number
            of latents to both, in place of the architecture. Modules are copied.
        likelihood: An `AbstractLikelihood` in place of the named one; copied.
        recipe: A `Recipe`, copied, or a function from `Facts` to one, in place of the method.

    Returns:
        The trained run.

    Raises:
        ValueError: If a setting is refused, or the folder holds another run, or other files.
        RuntimeError: If another process trains in the folder.
        RankError: If another of the processes that torchrun started has refused the run.
        DivergedError: If the loss left the finite numbers.
        InterruptedRunError: After a checkpoint, if Ctrl-C or SIGTERM asked for a stop.

    Example:
        >>> import tempfile
        >>> from autobeta import RunConfig, TrainConfig, encode
        >>> settings = TrainConfig(steps=2, batch_size=8)
        >>> config = RunConfig(method="vae", data="toy", train=settings)
        >>> few = EvaluationConfig(num_points=50, metrics=("mig",))
        >>> run = train(config, tempfile.mkdtemp(), evaluation=few)
        >>> encode(run, run.dataset).codes.shape
        (2304, 10)
    """
    folder = Path(out)
    following = _followers(callbacks, folder)
    given = Objects(data=data, network=network, likelihood=likelihood, recipe=recipe)
    evaluation = evaluation or EvaluationConfig()
    with joined() as ranks, _threads(config, folder):
        parts = all_do(ranks, lambda: _prepared(config, folder, given, evaluation, ranks))
        with ExitStack() as held:
            first_does(ranks, lambda: _take(folder, parts, held, extend=extend))
            making = _during(folder, parts, evaluation, following)
            following = [*making, *following] if ranks.first else []
            for callback in following:
                if isinstance(callback, AbstractContextManager):
                    held.enter_context(callback)
            with naming_the_rank(ranks):
                step = _fit(folder, parts, following)
            model = parts.state.model.eval()
            wanted = _wanted(folder, parts, evaluation, step) if ranks.first else None
            if wanted is not None:
                evaluate_model(model, parts.dataset, folder, wanted, step=step)
                for callback in following:
                    if (end := getattr(callback, "end", None)) is not None:
                        end(folder)
    return Run(folder, parts.config, model, parts.dataset.image_shape, step, given)


def _during(
    folder: Path, parts: BuiltRun, evaluation: EvaluationConfig, followers: Sequence[Callback]
) -> Iterator[Callback]:
    """What makes pictures and evaluations while the run is trained, where that is asked for."""
    asked = parts.config.train
    if every := asked.pictures_every:
        yield TrainingPictures(parts.dataset, folder, every, followers)
    if every := asked.evaluate_every:
        yield TrainingEvaluations(
            parts.dataset, folder, every, evaluation, last=asked.steps, followers=followers
        )


def _wanted(
    folder: Path, parts: BuiltRun, asked: EvaluationConfig, step: int
) -> EvaluationConfig | None:
    """The evaluation that the folder still lacks."""
    num_train = parts.json["data"]["num_train"]
    return missing_evaluation(folder, asked, steps=step, num_train=num_train)


def _prepared(
    config: RunConfig, folder: Path, given: Objects, evaluation: EvaluationConfig, ranks: Ranks
) -> BuiltRun:
    """The run's parts, once all that needs no folder to be refused has been."""
    seed_everything(config.train.seed)
    parts = build(_as_begun(config, folder), given, ranks)
    check_asked(evaluation, parts.dataset)
    return parts


def _take(folder: Path, parts: BuiltRun, held: ExitStack, *, extend: bool) -> None:
    """Make the folder the run's, locked until the run ends."""
    refuse_foreign(folder)
    held.enter_context(files.locked(folder))
    claim(folder, parts, extend=extend)


def _as_begun(config: RunConfig, folder: Path) -> RunConfig:
    """With the precision "auto", that of the folder's run, if there is one."""
    if config.train.precision != "auto" or not (folder / files.CONFIG).exists():
        return config
    kept = RunConfig.from_json(files.read_config(folder)).train.precision
    return replace(config, train=replace(config.train, precision=kept))


def _followers(given: Iterable[Callback | str], folder: Path) -> list[Callback]:
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise TypeError(f"`callbacks` must be a list of them; got {given!r}. Give [{given!r}].")
    return [_callback(each, folder) for each in given]


def _callback(given: Callback | str, folder: Path) -> Callback:
    if isinstance(given, str):
        return registry.load("training/callbacks", given).build(folder)
    if not callable(given):
        raise TypeError(f"`callbacks` must be functions, or names; got {given!r}.")
    try:
        inspect.signature(given).bind({}, 0.0)
    except TypeError as error:
        raise TypeError(
            f"`callbacks` must take a line of the log and images per second; {given!r} does not: "
            f"{error}."
        ) from error
    except ValueError:  # a built-in says nothing about its arguments
        pass
    return given


def _fit(folder: Path, parts: BuiltRun, callbacks: Sequence[Callback]) -> int:
    """Train the parts to the end and keep the network, or take up one that was kept; its step."""
    state, trained = parts.state, trained_steps(folder)
    if trained is not None and trained in (parts.config.train.steps, files.stopped_at(folder)):
        load_weights(state.model, folder / files.MODEL)
        if state.ranks.first and lacks_evaluations(folder, parts.config.train):
            warnings.warn(
                "`evaluate_every` changes nothing: the run is finished, and was not evaluated on "
                "its way. For scores by step train it in a new folder.",
                stacklevel=4,
            )
        return trained
    fit(state, parts.config.train, folder=folder, callbacks=callbacks)
    if state.ranks.first:
        if state.step < parts.config.train.steps:
            files.write_json(folder / files.CONFIG, {**parts.json, "stopped_at": state.step})
        write_module(folder / files.MODEL, state.model, step=state.step)
    return state.step


def _kept_threads(folder: Path) -> int | None:
    """Threads that the folder's run was begun with."""
    try:
        found = files.read_json(folder / files.ENVIRONMENT).get("threads")
    except (OSError, ValueError):  # none, or damaged, which is said where it is read
        return None
    return found if type(found) is int and found > 0 else None


@contextmanager
def _threads(config: RunConfig, folder: Path) -> Iterator[None]:
    """Torch on as many threads as are asked for, and as before afterwards.

    Left out, they are as many as the run in the folder had, to the last bit, or as many as there
    are free cores; but no more than torch has been given.
    """
    before = torch.get_num_threads()
    number = config.train.threads
    if number is None and before > 1:
        number = min(before, _kept_threads(folder) or free_cores())
    if config.train.threads is not None:
        warn_of_too_many(config.train.threads)
    torch.set_num_threads(number or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
