"""Options of the command line: one frozen dataclass per command, a string under each field."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from autobeta.control.conventions import OURS, Convention

LikelihoodName = Literal["bernoulli", "gaussian"]


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Settings of a run that all methods share."""

    out: Path
    """Run folder; one that holds a run of the same settings is resumed."""
    data: str = "dsprites"
    """Name of a data set, a folder of images, or an .npy or .npz file of arrays."""
    steps: int = 20_000
    """Number of optimiser updates."""
    seed: int = 0
    """The one integer behind the run's randomness."""
    batch_size: int = 64
    """Images per update."""
    lr: float = 5e-4
    """Adam's learning rate of the network."""
    device: str = "cpu"
    """cpu, cuda, or cuda:N."""
    threads: int | None = None
    """Threads of torch on the CPU; its own choice if not given."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """bfloat16 computes the networks in mixed precision."""
    log_every: int = 50
    """Steps between two lines of the log."""
    checkpoint_every: int = 1000
    """Steps between two checkpoints."""
    checkpoint_minutes: float = 10.0
    """Minutes after which a checkpoint is written even between two of these."""
    architecture: str = "conv64"
    """conv64 (DynamicVAE and ControlVAE), burgess, or mlp (Higgins)."""
    num_latents: int = 10
    """Number of latents."""
    data_path: Path | None = None
    """File or folder of a named data set that is kept outside the cache."""
    image_size: int = 64
    """Height and width that the images are brought to: 32, 64 or 128."""
    channels: int | None = None
    """1 for grey, 3 for RGB; what the images have if not given."""
    variant: str | None = None
    """One of several sets under a name, such as mpi3d's real; the first if not given."""
    unofficial: bool = False
    """Take data prepared from files that are not as published."""
    test_fraction: float = 0.1
    """Held-out part of data without a full factor grid."""
    split_seed: int = 0
    """Seed of the held-out part."""


@dataclass(frozen=True, kw_only=True)
class TrainOptions(RunOptions):
    """Settings of `autobeta train` that all methods share."""

    preset: str | None = None
    """Settings of the method published for some data; `autobeta list methods` names them."""
    extend: bool = False
    """Train a run further than it was meant to go; fitted schedules change with it."""
    metrics: tuple[str, ...] | None = None
    """Metrics at the end; all that the data allow if not given."""
    num_points: int = 10_000
    """Images of the evaluation at the end."""


@dataclass(frozen=True, kw_only=True)
class Suggest(RunOptions):
    """Propose a KL set point, a schedule and bounds of beta, from a short pilot run."""

    steps: int = 2000
    """Updates of the pilot."""
    log_every: int = 2
    """Steps between two lines of the pilot's log, from which the curve is read."""
    planned_steps: int = 20_000
    """Updates of the run that the proposal is for."""
    likelihood: LikelihoodName = "bernoulli"
    """p(x|z): bernoulli (BCE on logits), or gaussian (half the squared error)."""


@dataclass(frozen=True, kw_only=True)
class TrainAgain:
    """Repeat or resume a run from its config.json."""

    config: Path
    """The config.json of a run."""
    out: Path
    """Run folder; the run's own folder to resume it."""
    threads: int | None = None
    """Threads of torch on the CPU; its own choice if not given."""
    metrics: tuple[str, ...] | None = None
    """Metrics at the end; all that the data allow if not given."""
    num_points: int = 10_000
    """Images of the evaluation at the end."""


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Evaluate a trained run: losses, metrics, reconstructions, traversals."""

    run: tyro.conf.Positional[Path]
    """Run folder."""
    metrics: tuple[str, ...] | None = None
    """Metrics, or variants such as dci[gbt]; those that the data allow if not given."""
    num_points: int = 10_000
    """Images in the sample of each part of the data."""
    jobs: int = 1
    """Processes or threads for the metrics."""
    seed: int = 0
    """Seed of the metrics."""


@dataclass(frozen=True, kw_only=True)
class Encode:
    """Write codes and log-variances of images, and factors where the data has them."""

    run: tyro.conf.Positional[Path]
    """Run folder."""
    data: str
    """Name of a data set, a folder of images, or an .npy or .npz file of arrays."""
    out: Path
    """The .npz file to write."""
    num_points: int | None = None
    """Size of a seeded sample; all images if not given."""


@dataclass(frozen=True, kw_only=True)
class Traverse:
    """Draw latent traversals as PNG and GIF, and samples from the prior."""

    run: tyro.conf.Positional[Path]
    """Run folder."""
    image: tuple[Path, ...] = ()
    """Images whose codes the traversals start from; the prior's mean if not given."""
    out: Path | None = None
    """Folder for the pictures; RUN/pictures if not given."""
    num_values: int = 11
    """Values per latent."""
    span: float = 2.0
    """Range of each latent, in the prior's standard deviations to both sides."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """Write one self-contained HTML report about runs."""

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Run folders."""
    out: Path
    """The HTML file to write."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """Compute metrics of codes and factors, without any model."""

    file: tyro.conf.Positional[Path]
    """An .npz with codes (N, D), optional factors (N, K), logvars, codes_test, factors_test."""
    metrics: tuple[str, ...] | None = None
    """Metrics, or variants such as mig[bins=10] or dci[gbt]; the default suite if not given."""
    intervals: bool = False
    """Add 95 % intervals, from the spread over random halves of the points; 20 times the time."""
    jobs: int = 1
    """Processes or threads."""
    seed: int = 0
    """Seed of the metrics."""
    json: bool = False
    """Print JSON instead of a table."""


@dataclass(frozen=True, kw_only=True)
class Udr:
    """Rank runs by how much their latents agree with those of the others, without factors."""

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Run folders of one data set and evaluation sample, alike but for the seed at least."""
    spearman: bool = False
    """Rank correlation of pairs of latents instead of lasso."""
    json: bool = False
    """Print JSON instead of a table."""


@dataclass(frozen=True, kw_only=True)
class List:
    """List the methods, data sets and metrics that there are."""

    what: tyro.conf.Positional[Literal["all", "methods", "data", "metrics"]] = "all"
    """What to list."""


@dataclass(frozen=True, kw_only=True)
class Control:
    """Tell how a controlled run tracked, and how its loop answers: gain, lag, margin, damping."""

    run: tyro.conf.Positional[Path]
    """Run folder."""


@dataclass(frozen=True, kw_only=True)
class Convert:
    """Convert beta from one convention of the loss to another; ours is the default of both."""

    beta: tyro.conf.Positional[float]
    """Weight of the KL where it comes from."""
    origin: Convention = OURS
    """Convention that it was stated in."""
    target: Convention = OURS
    """Convention that it is wanted in."""
    image_size: int = 64
    """Height and width of the images."""
    channels: int = 1
    """1 for grey, 3 for RGB."""
    num_latents: int = 10
    """Number of latents."""


@dataclass(frozen=True, kw_only=True)
class Cite:
    """Print the BibTeX entry of a method or a data set."""

    name: tyro.conf.Positional[str]
    """Name of the method or data set."""


@dataclass(frozen=True, kw_only=True)
class DataName:
    """Say what a data set holds."""

    name: tyro.conf.Positional[str]
    """Name of a data set, a folder of images, or a file of arrays."""
    path: Path | None = None
    """File or folder of a named data set that is kept outside the cache."""
    image_size: int = 64
    """Height and width that the images are brought to."""
    channels: int | None = None
    """1 for grey, 3 for RGB; what the images have if not given."""
    variant: str | None = None
    """One of several sets under a name, such as mpi3d's real; the first if not given."""
    unofficial: bool = False
    """Take files that are not as published: another checksum, or a part of the images."""


@dataclass(frozen=True, kw_only=True)
class DataPrepare(DataName):
    """Make the cache of a data set from its published files, once."""

    path: Annotated[Path | None, tyro.conf.arg(name="from", aliases=("--path",))] = None
    """The published file, archive or folder; the data set's cache folder if not given."""
    download: bool = False
    """Fetch published files that are not in the cache folder, where they have an address."""


@dataclass(frozen=True, kw_only=True)
class DataVerify(DataName):
    """Compare the prepared images with a file of known ones, or with a fresh rendering."""

    against: Path | None = None
    """An .npz with imgs and original_dataset_indices, or latents_classes."""


def parse(command: type, name: str, args: Sequence[str]) -> Any:  # noqa: ANN401
    """Arguments of a command as its dataclass; bad usage exits with 2.

    Args:
        command: Dataclass of the command's options.
        name: Name of the command, for its help.
        args: What follows the name on the command line.
    """
    return tyro.cli(command, prog=f"autobeta {name}", args=list(args))
