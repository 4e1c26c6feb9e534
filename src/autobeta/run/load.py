"""Load a run: its settings, its network, its controller."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from autobeta.data import FactorDataset, as_dataset, with_validation
from autobeta.errors import MissingDataError, pasted
from autobeta.methods import Recipe
from autobeta.models import VAE, AbstractLikelihood
from autobeta.run import folder as files
from autobeta.run.build import build_model, open_dataset
from autobeta.run.hub import local
from autobeta.run.objects import Images, MakeRecipe, Network, Objects, known_by
from autobeta.settings import RunConfig, differences
from autobeta.training.checkpoint import (
    find_checkpoint,
    read_counts,
    read_facts,
    read_with_facts,
)
from autobeta.training.machine import find_device
from autobeta.training.seeding import random_numbers_of


@dataclass(frozen=True)
class Run:
    """A run whose network can be used.

    Args:
        folder: Its run folder.
        config: Its configuration.
        model: The network, in `eval()`.
        image_shape: (height, width, channels) of the images it takes.
        step: Updates that the network has had: all, or as many as the last checkpoint.
        objects: What it was made with in place of names.
        best: Whether it is the network that validation found best.
    """

    folder: Path
    config: RunConfig
    model: VAE
    image_shape: tuple[int, int, int]
    step: int
    objects: Objects = field(default_factory=Objects, repr=False)
    best: bool = False

    @property
    def results(self) -> Path:
        """The folder that its evaluation goes to."""
        return self.folder / files.BEST if self.best else self.folder

    @property
    def progress(self) -> str:
        """How far it was trained, in words."""
        steps, done = self.config.train.steps, f"step {self.step}"
        if self.best:
            return f"{done}, the best on held-out images"
        if self.step == steps:
            return done
        stopped = self.step == files.stopped_at(self.folder)
        return f"{done} of {steps}, {'stopped early' if stopped else 'not finished'}"

    @property
    def image_size(self) -> int | None:
        """Height and width of the images that it takes; None if these are not square."""
        height, width, _ = self.image_shape
        return height if height == width else None

    @property
    def dataset(self) -> FactorDataset:
        """What it was trained on, opened anew; encoding other images does not need it."""
        return self.open()

    def open(self, data: Images | Path | str | None = None) -> FactorDataset:
        """The images that it was trained on, from where they lie now.

        Raises:
            ValueError: If these are other images.
        """
        try:
            if data is None:
                dataset = open_dataset(self.config, self.objects)
            else:
                dataset = as_dataset(data, self.config.data_options)
        except MissingDataError as error:
            raise MissingDataError(f"{error} Say where they lie now by --data PLACE.") from error
        known = files.read_config(self.folder)["data"].get("fingerprint")
        if known is not None and dataset.fingerprint != known:
            raise ValueError(
                f"`data` must be the images that {self.folder} was trained on; got others, from "
                f"{dataset.source}. To score other images, use `autobeta encode` and `autobeta "
                "score`."
            )
        return self.as_trained(dataset)

    def as_trained(self, dataset: FactorDataset) -> FactorDataset:
        """Its own images with the part that was held out of the training."""
        return with_validation(dataset, self.config.train.held_out, self.config.train.seed)


def trained_steps(folder: Path) -> int | None:
    """Updates that the kept network has had; None if none is kept."""
    if not (folder / files.MODEL).exists():
        return None
    step = read_facts(folder / files.MODEL).get("step")
    if type(step) is int:
        return step
    log = files.read_jsonl(folder / files.LOG)  # version 0.1 wrote the network at the end alone
    return log[-1]["step"] if log else files.read_config(folder)["train"].get("steps")


def _see_an_image(model: VAE, shape: tuple[int, int, int], place: torch.device) -> None:
    """Let a network of one's own take a first image, where some make tensors of theirs."""
    height, width, channels = shape
    with torch.random.fork_rng([]), torch.no_grad():
        model.eval()(torch.zeros(1, channels, height, width, device=place))


def load_weights(model: VAE, path: Path) -> int | None:
    """Put the tensors of a file into the network that they are of; its step, if it is kept."""
    tensors, facts = read_with_facts(path)
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise ValueError(f"`{path}` must fit the run's configuration; got {error}") from error
    for name, tensor in model.named_parameters():
        if not tensor.isfinite().all():
            raise ValueError(f"`{path}` must hold a network; got NaN or infinity in {name}.")
    return step_of(facts, path) if "step" in facts else None


def step_of(facts: Mapping[str, Any], path: Path) -> int:
    """The updates that a kept network has had, as was written with it."""
    step = facts.get("step")
    if type(step) is not int or not 0 <= step < 2**63:
        raise ValueError(f"`{path}` must hold the step of a network; got {step!r:.40}.")
    return step


def load_run(
    folder: Path | str,
    *,
    device: str | None = None,
    best: bool = False,
    data: Images | None = None,
    network: Network | None = None,
    likelihood: AbstractLikelihood | None = None,
    recipe: Recipe | MakeRecipe | None = None,
) -> Run:
    """Load a run: its network as trained, or as in its last checkpoint.

    Args:
        folder: Run folder; or hf://OWNER/REPO, or hf://OWNER/REPO@REVISION, which is fetched from
            the Hugging Face Hub into the cache folder first.
        best: Take the network that validation found best, of a run with `keep_best`.
        device: Where the network goes; the run's own if not given, or the best that is here.
        data: The object that the run was made with in place of a name; see `train`. No file of a
            run can bring objects back. Only what reads the run's own images needs it.
        network: Likewise.
        likelihood: Likewise.
        recipe: Likewise.

    Raises:
        FileNotFoundError: If the folder holds no run, or nothing of its network yet, or none that
            was best.
        ValueError: If a file is damaged, or an object is missing.
        OSError: If it can't be fetched.
    """
    folder = local(folder)
    given = Objects(data=data, network=network, likelihood=likelihood, recipe=recipe)
    config, shape, model, _ = _rebuild(folder, given)
    path, step = best_network(folder) if best else newest(folder, config.train.steps)
    place = _place(device, config)
    _see_an_image(model.to(place), shape, place)
    step = load_weights(model, path) or step  # a training may have gone on between the two
    return Run(folder, config, model, shape, step, given, best)


def controller_of(folder: Path, objects: Objects = Objects()) -> object:
    """The controller of a run, for its gains and bounds; None where there is none.

    Raises:
        FileNotFoundError: If the folder holds no run.
        ValueError: If its configuration is damaged, or an object is missing.
    """
    recipe = _rebuild(folder, objects)[3]
    return getattr(recipe.weighting, "controller", None)


def _rebuild(folder: Path, given: Objects) -> tuple[RunConfig, tuple[int, int, int], VAE, Recipe]:
    """Configuration, image shape, untrained network and recipe of a run, without its data."""
    stored = files.read_config(folder)
    config = RunConfig.from_json(stored)
    shape, num_train = _facts(folder, stored)
    with random_numbers_of(config.train.seed, torch.device("cpu")):  # as in the training
        model, recipe = build_model(config, given, shape, num_train)
    found = {**stored, "objects": known_by(given, model, recipe)}
    for key, (there, got) in differences(stored, found).items():
        name = key.removeprefix("objects.")
        raise ValueError(
            f"`{name}` must be what {folder} was made with, {there['path']}; got {got['path']} of "
            "other content. Give the same object."
        )
    return config, shape, model, recipe


def newest(folder: Path, steps: int) -> tuple[Path, int]:
    """The file of a run's network that has had most updates, and how many."""
    found = []
    if (trained := trained_steps(folder)) is not None:
        found.append((trained, folder / files.MODEL))
    if trained != steps and (checkpoint := find_checkpoint(folder / files.CHECKPOINT)):
        found.append((read_counts(checkpoint)["step"], checkpoint / files.MODEL))
    if not found:
        begin = ("autobeta", "train", "--config")
        raise FileNotFoundError(
            f"`{folder}` must hold a network; it has no {files.MODEL} and no {files.CHECKPOINT}. "
            f"Begin with `{pasted(*begin, folder / files.CONFIG, '--out', folder)}`."
        )
    step, path = max(found, key=lambda pair: pair[0])
    return path, step


def best_network(folder: Path) -> tuple[Path, int]:
    """The file of the network that validation found best, and how many updates it has had."""
    path = folder / files.BEST / files.MODEL
    if not path.exists():
        raise FileNotFoundError(
            f"`{folder}` must hold a best network; it has no {files.BEST}/{files.MODEL}. Train "
            "with --validate-every STEPS and --keep-best."
        )
    return path, step_of(read_facts(path), path)


def _facts(folder: Path, stored: dict[str, Any]) -> tuple[tuple[int, int, int], int]:
    """Shape and number of the training images that a run's configuration tells."""
    shape, num_train = stored["data"].get("image_shape"), stored["data"].get("num_train")
    numbers = [*shape, num_train] if isinstance(shape, list) else []
    if len(numbers) != 4 or not all(
        type(n) is int and 0 < n <= most
        for n, most in zip(numbers, (4096, 4096, 64, 2**40), strict=True)
    ):
        raise ValueError(
            f"`{folder / files.CONFIG}` must have image_shape and num_train of its data; got "
            f"{shape!r} and {num_train!r}. Restore the file."
        )
    return (shape[0], shape[1], shape[2]), numbers[3]


def _place(device: str | None, config: RunConfig) -> torch.device:
    if device is not None:
        return find_device(device)
    try:
        return find_device(config.train.device)
    except ValueError:  # the run's own is not on this machine
        return find_device("auto")
