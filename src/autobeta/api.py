"""The main jobs in Python: train a run, load it again, encode images with it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from autobeta import runs
from autobeta.assemble import RunConfig, build_model, build_recipe, build_state, load_dataset
from autobeta.claim import claim
from autobeta.control import Suggestion
from autobeta.control import suggest as read_suggestion
from autobeta.data import DataOptions, FactorDataset, load_data, read_image
from autobeta.evaluation import (
    EvaluationConfig,
    encode_dataset,
    evaluate,
    sample_index,
    traverse,
)
from autobeta.metrics import udr, udr_spearman
from autobeta.models import VAE
from autobeta.reports import (
    save_montage,
    save_suggestion,
    save_traversal_gif,
    save_traversal_grid,
)
from autobeta.training.checkpoint import read_tensors, write_tensors
from autobeta.training.loop import Report, fit
from autobeta.training.seeding import seed_everything
from autobeta.types import Representation


@dataclass(frozen=True)
class Run:
    """A trained run.

    Args:
        folder: Its run folder.
        config: Its configuration.
        model: The trained network, in `eval()`.
        image_shape: (height, width, channels) of the images it takes.
    """

    folder: Path
    config: RunConfig
    model: VAE
    image_shape: tuple[int, int, int]

    @property
    def dataset(self) -> FactorDataset:
        """What it was trained on, opened anew; encoding other images does not need it."""
        return load_dataset(self.config)


def train(
    config: RunConfig,
    out: Path | str,
    *,
    extend: bool = False,
    evaluation: EvaluationConfig | None = None,
    report: Report | None = None,
) -> Run:
    """Train a run and evaluate it, or go on where an earlier call stopped.

    Args:
        config: What to train.
        out: Run folder. One that holds a run of the same configuration is resumed; a finished
            run is returned as it is.
        extend: Allow the configuration to have more steps than the run in the folder. A schedule
            that is fitted to the run's length changes with it.
        evaluation: Settings of the evaluation at the end.
        report: Called with each new line of the log and images per second.

    Returns:
        The trained run.

    Raises:
        ValueError: If the folder holds a run of another configuration, or other files.
        RuntimeError: If another process trains in the folder.
        DivergedError: If the loss left the finite numbers.
        InterruptedRunError: After a checkpoint, if Ctrl-C or SIGTERM asked for a stop.

    Example:
        >>> import tempfile
        >>> from autobeta.training import TrainConfig
        >>> settings = TrainConfig(steps=2, batch_size=8)
        >>> config = RunConfig(method="vae", data="toy", train=settings)
        >>> few = EvaluationConfig(num_points=50, metrics=("mig",))
        >>> run = train(config, tempfile.mkdtemp(), evaluation=few)
        >>> encode(run, run.dataset).codes.shape
        (2304, 10)
    """
    folder = Path(out)
    dataset = load_dataset(config)
    with runs.held(folder):
        claim(folder, config, dataset, extend=extend)
        if not is_trained(folder):
            seed_everything(config.train.seed)
            state = build_state(config, dataset)
            fit(state, config.train, folder=folder, report=report)
            write_tensors(folder / runs.MODEL, state.model.state_dict())
        run = load_run(folder)
        if not (folder / runs.METRICS).exists():
            evaluate(run.model, dataset, folder, evaluation)
    return run


def suggest(
    config: RunConfig, out: Path | str, *, num_steps: int = 20_000, report: Report | None = None
) -> Suggestion:
    """Propose a KL set point, a schedule and bounds of beta for a data set.

    Trains a pilot, or goes on with it, and writes `suggestion.json` and `suggestion.png` beside
    its log.

    Args:
        config: A run of the method `pilot` with the data, network and batches that the proposal
            is for. 2,000 steps with a line of the log every 2 are usual.
        out: The pilot's run folder.
        num_steps: Length of the run that the proposal is for.
        report: Called with each new line of the log and images per second.

    Raises:
        ValueError: If the configuration is not a pilot's, or its log shows no curve to read from;
            see `autobeta.control.suggest`.
    """
    if config.method != "pilot":
        raise ValueError(f"`config` must be of the method pilot; got {config.method!r}.")
    if num_steps < 1:
        raise ValueError(f"`num_steps` must be at least 1; got {num_steps}.")
    folder = Path(out)
    train(config, folder, evaluation=EvaluationConfig(metrics=(), num_points=1000), report=report)
    log = runs.read_jsonl(folder / runs.LOG)
    found = read_suggestion(log)
    settings = {"num_steps": num_steps, "settings": found.settings(num_steps)}
    runs.write_json(folder / runs.SUGGESTION, {**asdict(found), **settings})
    save_suggestion(folder / runs.SUGGESTION_FIGURE, log, found)
    return found


def controller_of(config: RunConfig) -> object:
    """The controller of the configured method, for its bounds; None where there is none."""
    dataset = load_dataset(config)
    recipe = build_recipe(config, dataset.image_shape, len(dataset.splits["train"]))
    return getattr(recipe.weighting, "controller", None)


def rank_runs(folders: Sequence[Path], *, spearman: bool = False) -> dict[str, float]:
    """UDR of runs that differ by their seed, the best first; without any factors.

    Args:
        folders: Run folders, evaluated on the same images.
        spearman: Whether latents are compared by rank correlation, not by a lasso.

    Returns:
        Score by folder.

    Raises:
        ValueError: If they were not evaluated on the same images.
    """
    parts = [runs.read_npz(folder / runs.REPRESENTATION) for folder in folders]
    for folder, part in zip(folders, parts, strict=True):
        if not np.array_equal(part["index"], parts[0]["index"]):
            raise ValueError(
                f"`runs` must be evaluated on the same images; {folder} and {folders[0]} "
                "differ. Evaluate them with the same --num-points and data."
            )
    rank = udr_spearman if spearman else udr
    scores = rank([(part["codes"], part["logvars"]) for part in parts])
    named = dict(zip(map(str, folders), scores.tolist(), strict=True))
    return dict(sorted(named.items(), key=lambda item: -item[1]))


def is_trained(folder: Path) -> bool:
    """Whether the folder holds a run that reached its last step."""
    return (folder / runs.MODEL).exists()


def load_run(folder: Path | str, *, device: str | None = None) -> Run:
    """Load a trained run.

    Args:
        folder: Run folder.
        device: Where the network goes; the run's own device if not given, and the CPU if that
            one is not there.

    Raises:
        FileNotFoundError: If the folder holds no run, or its training has not finished.
        ValueError: If a file is damaged.
    """
    folder = Path(folder)
    stored = runs.read_config(folder)
    config = RunConfig.from_json(stored)
    if not is_trained(folder):
        raise FileNotFoundError(
            f"`{folder}` must hold a finished run; it has no {runs.MODEL}. "
            f"Finish it with `autobeta train --config {folder / runs.CONFIG} --out {folder}`."
        )
    height, width, channels = stored["data"]["image_shape"]
    image_shape = (height, width, channels)
    recipe = build_recipe(config, image_shape, stored["data"]["num_train"])
    model = build_model(config.model, recipe.likelihood, image_shape)
    try:
        model.load_state_dict(read_tensors(folder / runs.MODEL))
    except RuntimeError as error:
        raise ValueError(
            f"`{folder / runs.MODEL}` must fit the run's configuration; got {error}"
        ) from error
    wanted = device or config.train.device
    present = wanted == "cpu" or torch.cuda.is_available()
    return Run(folder, config, model.to(wanted if present else "cpu").eval(), image_shape)


def encode(
    run: Run | Path | str,
    data: FactorDataset | np.ndarray | Path | str,
    *,
    num_points: int | None = None,
) -> Representation:
    """Codes of images under a trained run.

    Args:
        run: A run, or its folder.
        data: A data set, its name, a folder of images, a file of arrays, or an array of images,
            shape (n, H, W) or (n, H, W, C), uint8.
        num_points: Size of a seeded sample; all images of all parts if not given.

    Returns:
        Codes, log-variances, positions, and factors where the data have them.

    Raises:
        ValueError: If the images have another shape than those of the training.
    """
    run = run if isinstance(run, Run) else load_run(run)
    dataset = _as_dataset(data, run)
    if dataset.image_shape != run.image_shape:
        raise ValueError(
            f"`data` must have images of shape {run.image_shape}, as in the training; "
            f"got {dataset.image_shape}. Resize or convert them."
        )
    index = np.arange(dataset.num_images)
    if num_points is not None and num_points < dataset.num_images:
        index = sample_index(dataset, "train", num_points)
    return encode_dataset(run.model, dataset, index)


def _as_dataset(data: FactorDataset | np.ndarray | Path | str, run: Run) -> FactorDataset:
    if isinstance(data, FactorDataset):
        return data
    if not isinstance(data, np.ndarray):
        height, _, channels = run.image_shape
        own = str(data) == run.config.data
        return (
            run.dataset
            if own
            else load_data(str(data), DataOptions(image_size=height, channels=channels))
        )
    images = data[..., None] if data.ndim == 3 else data
    if images.ndim != 4 or images.dtype != np.uint8:
        raise ValueError(
            "`data` must be uint8 images of shape (n, H, W) or (n, H, W, C); "
            f"got {data.dtype} of shape {data.shape}. Scale to 0..255 and convert."
        )
    return FactorDataset(
        name="array",
        source="array",
        num_images=len(images),
        image_shape=(images.shape[1], images.shape[2], images.shape[3]),
        images=lambda index: np.ascontiguousarray(images[index]),
    )


def draw_traversals(
    run: Run,
    folder: Path,
    *,
    images: Sequence[Path] = (),
    num_values: int = 11,
    span: float = 2.0,
) -> list[Path]:
    """Write traversals as a PNG grid and a GIF each, and samples from the prior as a PNG.

    Args:
        run: A trained run.
        folder: Where the pictures go.
        images: Image files whose codes the traversals start from; the prior's mean without any.
        num_values: Values per latent.
        span: Range of each latent to both sides, in the prior's standard deviations.

    Returns:
        The files written.
    """
    dataset = run.dataset
    sample = encode_dataset(run.model, dataset, sample_index(dataset, "train", 1000))
    height, _, channels = run.image_shape
    bases: dict[str, np.ndarray | None] = {}
    for i, path in enumerate(images):
        pixels = read_image(path, height, channels)
        bases[f"traversal-{i}-{path.stem}"] = encode(run, pixels[None]).codes[0]
    written: list[Path] = []
    for name, base in (bases or {"traversal": None}).items():
        rows = traverse(run.model, sample, base=base, num_values=num_values, span=span)
        for save, suffix in ((save_traversal_grid, "png"), (save_traversal_gif, "gif")):
            path = folder / f"{name}.{suffix}"
            kl, active = rows["kl"], rows["active"]
            save(path, rows["images"], latents=rows["latents"], kl=kl, active=active)
            written.append(path)
    save_montage(folder / "samples.png", rows["samples"])
    return [*written, folder / "samples.png"]
