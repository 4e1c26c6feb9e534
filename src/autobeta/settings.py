"""Settings: every field of a run, its rule, its JSON, and what of it is the run's identity.

Plain data without torch. A rule stands in the annotation, `steps: Count`; `check_settings` reads
it, for these classes and for the `Config` of every method.
"""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from autobeta import registry, rules
from autobeta.formats import FORMAT, is_same, upgraded
from autobeta.rules import Count, Positive, Range, Seed, Settings, check_settings, from_stored

OBJECT = "object"
"""In place of a name: the user gave an object; `config.json` has its import path."""


@dataclass(frozen=True, kw_only=True)
class DataOptions(Settings):
    """What a data set may be asked for; each loader says which of these it reads."""

    path: Path | None = None
    """File or folder of a named data set that is kept outside the cache."""
    variant: str | None = None
    """One of several sets under a name, such as mpi3d's real; the first if not given."""
    unofficial: bool = False
    """Take files that are not as published: another checksum, or a part of the images."""
    skip_broken: bool = False
    """Leave out images of one's own that can't be read; they are named in a warning."""
    image_size: Annotated[int, Range(1, 4096)] | None = 64
    """Height and width that the images are brought to, pixels; None keeps those that they have,
    of one's own images the same for all. Networks have their own limits."""
    channels: Count | None = None
    """1 for grey, 3 for RGB; what the images have if not given."""
    test_fraction: Annotated[float, Range(0, 1, below=True)] = 0.1
    """Held-out part of data without a full factor grid."""
    split_seed: Seed = 0
    """Seed of the held-out part; it does not change with the run's seed."""


@dataclass(frozen=True, kw_only=True)
class ModelConfig(Settings):
    """Settings of the network and its likelihood."""

    architecture: str = "conv64"
    """Encoder and decoder; `autobeta list networks` names them."""
    num_latents: Annotated[int, Range(1, 10_000)] = 10
    """Number of latents."""
    likelihood: str = "bernoulli"
    """p(x|z); `autobeta list likelihoods` names them. sigmavae brings its own."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for folder, name in (("networks", self.architecture), ("likelihoods", self.likelihood)):
            if name != OBJECT:
                registry.check_name(f"models/{folder}", name)


@dataclass(frozen=True, kw_only=True)
class TrainConfig(Settings):
    """Settings of the training."""

    steps: Count = 20_000
    """Number of optimiser updates."""
    batch_size: Count = 64
    """Images per update."""
    lr: Positive = 5e-4
    """Adam's learning rate of the network; DynamicVAE and ControlVAE publish 1e-4 for runs of over
    a million steps."""
    seed: Seed = 0
    """The one integer behind the run's randomness."""
    precision: Literal["auto", "float32", "bfloat16"] = "float32"
    """bfloat16 computes the networks in mixed precision, losses and weights stay float32; auto
    takes it where the machine multiplies it quicker."""
    device: str = "auto"
    """auto (CUDA or MPS where there is one, else the CPU), cpu, cuda, cuda:N or mps."""
    threads: Annotated[int, Range(1, 1024)] | None = None
    """Threads of torch on the CPU; if not given, as many as there are free cores at the start."""
    compile: bool = False
    """Compile the network with torch.compile, which takes a minute; on CUDA, take networks of your
    own for fit to be captured as a graph; see `autobeta docs performance`."""
    log_every: Count = 50
    """Steps between two lines of the log."""
    checkpoint_every: Count = 1000
    """Steps between two checkpoints; the end of the run has one in any case."""
    checkpoint_minutes: Positive = 10.0
    """Minutes after which a checkpoint is written even within `checkpoint_every` steps."""
    lr_schedule: Literal["constant", "cosine", "linear", "step"] = "constant"
    """How the network's learning rate falls over the run; step: after half and three quarters."""
    lr_warmup: rules.StepsOrNone = 0
    """Steps in which the network's learning rate rises to `lr`, before the schedule."""
    lr_final: rules.Share = 0.01
    """Factor on `lr` at the end of a schedule that falls."""
    clip_grad: Positive | None = None
    """Norm that the network's gradient is clipped to; not clipped if not given."""
    held_out: rules.BelowOne = 0.0
    """Part of the training images that is kept for validation, chosen by the seed; with 0,
    validation takes the data's own held-out part."""
    validate_every: Count | None = None
    """Steps between two validations on held-out images; none if not given."""
    keep_best: bool = False
    """Keep the network of the highest held-out ELBO, in `best/` of the run folder."""
    patience: Count | None = None
    """Validations in a row without a higher held-out ELBO after which the run ends early."""
    pictures_every: Count | None = None
    """Steps between pictures of reconstructions and traversals; none if not given."""
    evaluate_every: Count | None = None
    """Steps between evaluations before the end, with all its metrics; none if not given."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.lr_warmup > self.steps:
            raise ValueError(
                f"`lr_warmup` must be at most the run's {self.steps} steps; got {self.lr_warmup}. "
                "Lower it, or train longer."
            )
        if self.validate_every is None and (self.keep_best or self.patience is not None):
            raise ValueError(
                "`validate_every` must be given with keep_best and patience; got None. Give the "
                "steps between two validations, such as 500."
            )


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig(Settings):
    """Settings of an evaluation."""

    num_points: Annotated[int, Range(2)] = 10_000
    """Images in the sample of each part of the data; all, where there are fewer."""
    metrics: tuple[str, ...] | None = None
    """Metrics, or variants such as dci[gbt]; those that the data allow if not given."""
    metrics_seed: Annotated[int, Range(0, 2**32, below=True)] = 0
    """Seed of the metrics."""
    jobs: Annotated[int, Range(1, 1024)] | None = None
    """Processes or threads for metrics that can use several; torch's threads if not given."""
    num_pictures: Count = 16
    """Reconstructions that are kept as images."""


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Everything that defines a run; `config.json` holds it.

    Args:
        method: Name of a method.
        method_config: Its `Config`; None takes the defaults.
        data: Name of a data set, a folder of images, or a file of arrays.
        data_options: What the data set is asked for.
        model: Settings of the network and its likelihood.
        train: Settings of the training.

    Raises:
        ValueError: If a name is unknown, or a setting breaks its rule or is another method's.

    Example:
        >>> RunConfig(method="betavae").method_config.beta
        4.0
    """

    method: str = "dynamicvae"
    method_config: Any = None
    data: str = "dsprites"
    data_options: DataOptions = field(default_factory=DataOptions)
    model: ModelConfig = field(default_factory=ModelConfig)
    train: TrainConfig = field(default_factory=TrainConfig)

    def __post_init__(self) -> None:
        if self.method != OBJECT:
            expected = registry.load("methods", self.method).Config
            if self.method_config is None:
                object.__setattr__(self, "method_config", expected())
            elif not isinstance(self.method_config, expected):
                raise ValueError(
                    f"`method_config` must be the Config of {self.method!r}; got one of "
                    f"{type(self.method_config).__module__}. Import it from the method's module."
                )
            check_settings(self.method_config)
        # a run must find its images from any working directory
        if self.data != OBJECT and self.data not in registry.available("data"):
            if "\0" in self.data or not self.data:
                raise ValueError(f"`data` must be a name or a path; got {self.data!r}.")
            object.__setattr__(self, "data", str(Path(self.data).expanduser().resolve()))
        if self.data_options.path is not None:
            path = self.data_options.path.expanduser().resolve()
            options = dataclasses.replace(self.data_options, path=path)
            object.__setattr__(self, "data_options", options)

    def to_json(self) -> dict[str, Any]:
        """As `config.json` holds it; the run adds facts about its data to "data"."""
        options = dataclasses.asdict(self.data_options)
        options["path"] = None if options["path"] is None else str(options["path"])
        method = {} if self.method_config is None else dataclasses.asdict(self.method_config)
        return {
            "format": FORMAT,
            "method": self.method,
            "method_config": method,
            "data": {"name": self.data, **options},
            "model": dataclasses.asdict(self.model),
            "train": dataclasses.asdict(self.train),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "RunConfig":
        """Read what `to_json` gave; a missing field takes its default.

        Raises:
            ValueError: If a setting is unknown to this version, or breaks its rule.
        """
        stored = upgraded(stored)
        data, method, own = stored["data"], stored["method"], None
        options = {key: data[key] for key in _defaults(DataOptions) if key in data}
        if isinstance(options.get("path"), str):
            options["path"] = Path(options["path"])
        if method != OBJECT:
            own = from_stored(registry.load("methods", method).Config, stored["method_config"])
        return cls(
            method=method,
            method_config=own,
            data=data["name"],
            data_options=from_stored(DataOptions, options),
            model=from_stored(ModelConfig, stored["model"]),
            train=from_stored(TrainConfig, stored["train"]),
        )


def identity(stored: Mapping[str, Any]) -> dict[str, Any]:
    """What of a stored configuration changes the run's result: flat, dotted names to values.

    Missing fields take their defaults. Left out are how the run is carried out (device, threads,
    compiled or not, intervals) and where its data lie; images of one's own are known by their
    fingerprint.

    Args:
        stored: Contents of a `config.json`, of any format.

    Raises:
        ValueError: If it is no configuration.
    """
    new = upgraded(stored)
    known = new["method"] in registry.available("methods")  # else a method not at hand
    defaults = registry.defaults("methods", new["method"]) if known else {}
    parts = {
        "method": {"": new["method"]},
        "method_config": defaults | new["method_config"],
        "data": _defaults(DataOptions) | new["data"],
        "model": _defaults(ModelConfig) | new["model"],
        "train": _defaults(TrainConfig) | new["train"],
        "objects": new.get("objects") or {},
    }
    if parts["data"]["name"] not in registry.available("data"):
        parts["data"]["name"] = OBJECT
    execution = {"device", "threads", "compile", "log_every", "checkpoint_every"}
    execution |= {"checkpoint_minutes", "pictures_every", "evaluate_every"}
    if parts["train"]["patience"] is None and not parts["train"]["keep_best"]:
        execution.add("validate_every")  # it looks on, and nothing depends on it
    left_out = {"train": execution, "data": {"path", "source"}}
    return {
        f"{part}.{key}".rstrip("."): value
        for part, settings in parts.items()
        for key, value in settings.items()
        if key not in left_out.get(part, ())
    }


def differences(a: dict[str, Any], b: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Settings of two stored configurations that change the result and differ.

    A fact about the data or an object that one of them lacks, being of an earlier version, is no
    difference.

    Returns:
        Dotted name to both values.
    """
    x, y = identity(a), identity(b)
    both = x.keys() & y.keys()
    found = {key: (x[key], y[key]) for key in x if key in both and not is_same(x[key], y[key])}
    unknown = "data.fingerprint"
    if None in found.get(unknown, ()):
        del found[unknown]
    return found


def bounds_of(stored: Mapping[str, Any]) -> dict[str, float]:
    """`beta_min` and `beta_max` of a stored run's controller, infinite where nothing bounds it."""
    # version 0.1 wrote no `control`; its controllers' lower bound was a setting of their methods
    known = stored.get("control") or {"beta_min": identity(stored).get("method_config.beta_min")}
    found = {"beta_min": known.get("beta_min"), "beta_max": known.get("beta_max")}
    ends = {"beta_min": -math.inf, "beta_max": math.inf}
    return {key: ends[key] if value is None else float(value) for key, value in found.items()}


def _defaults(kind: type) -> dict[str, Any]:
    return {item.name: item.default for item in dataclasses.fields(kind)}
