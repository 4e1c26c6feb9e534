"""Settings: every field of a run, its rule, its JSON, and what of it is the run's identity.

Plain data without torch. A rule stands in the annotation, `steps: Count`; `check_settings` reads
it, for these classes and for the `Config` of every method.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from autobeta import registry
from autobeta.settings._rules import (
    Count,
    Finite,
    Fraction,
    Index,
    NonNegative,
    Positive,
    Range,
    Seed,
    check_settings,
    from_stored,
)
from autobeta.settings._stored import FORMAT, OBJECT, check_name, upgraded

__all__ = [
    "FORMAT",
    "OBJECT",
    "Count",
    "DataOptions",
    "EvaluationConfig",
    "Finite",
    "Fraction",
    "Index",
    "ModelConfig",
    "NonNegative",
    "Positive",
    "Range",
    "RunConfig",
    "Seed",
    "TrainConfig",
    "check_settings",
    "identity",
    "upgraded",
]


@dataclass(frozen=True, kw_only=True)
class DataOptions:
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

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Settings of the network and its likelihood."""

    architecture: str = "conv64"
    """Encoder and decoder; `autobeta list networks` names them."""
    num_latents: Annotated[int, Range(1, 10_000)] = 10
    """Number of latents."""
    likelihood: str = "bernoulli"
    """p(x|z); `autobeta list likelihoods` names them. sigmavae brings its own."""

    def __post_init__(self) -> None:
        check_settings(self)
        check_name("models/networks", self.architecture)
        check_name("models/likelihoods", self.likelihood)


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
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
    precision: Literal["float32", "bfloat16"] = "float32"
    """bfloat16 computes the networks in mixed precision; losses and weights stay float32."""
    device: str = "auto"
    """auto (CUDA or MPS where there is one, else the CPU), cpu, cuda, cuda:N or mps."""
    threads: Annotated[int, Range(1, 1024)] | None = None
    """Threads of torch on the CPU; its own choice if not given."""
    log_every: Count = 50
    """Steps between two lines of the log."""
    checkpoint_every: Count = 1000
    """Steps between two checkpoints; the end of the run has one in any case."""
    checkpoint_minutes: Positive = 10.0
    """Minutes after which a checkpoint is written even within `checkpoint_every` steps."""

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """Settings of an evaluation."""

    num_points: Annotated[int, Range(2)] = 10_000
    """Images in the sample of each part of the data; all, where there are fewer."""
    metrics: tuple[str, ...] | None = None
    """Metrics, or variants such as dci[gbt]; those that the data allow if not given."""
    metrics_seed: Seed = 0
    """Seed of the metrics."""
    jobs: Annotated[int, Range(1, 1024)] = 1
    """Processes or threads for metrics that can use several."""
    num_pictures: Count = 16
    """Reconstructions that are kept as images."""

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Everything that defines a run; `config.json` holds it.

    Args:
        method: Name of a method.
        method_config: Its `Config`; None takes the defaults.
        data: Name of a data set, a folder of images, or a file of arrays.
        data_options: What the data set is asked for.
        model: Settings of the network.
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
        data = dict(stored["data"])
        name = data.pop("name")
        known = {item.name for item in dataclasses.fields(DataOptions)}
        options = {key: value for key, value in data.items() if key in known}
        if isinstance(options.get("path"), str):
            options["path"] = Path(options["path"])
        method = stored["method"]
        own = None
        if method != OBJECT:
            own = from_stored(registry.load("methods", method).Config, stored["method_config"])
        return cls(
            method=method,
            method_config=own,
            data=name,
            data_options=from_stored(DataOptions, options),
            model=from_stored(ModelConfig, stored["model"]),
            train=from_stored(TrainConfig, stored["train"]),
        )


_EXECUTION = {"device", "threads", "log_every", "checkpoint_every", "checkpoint_minutes"}


def identity(stored: Mapping[str, Any]) -> dict[str, Any]:
    """What of a stored configuration changes the run's result: flat, dotted names to values.

    Missing fields take their defaults. Left out are how the run is carried out (device, threads,
    intervals) and where its data lie; images of one's own are known by their fingerprint.

    Args:
        stored: Contents of a `config.json`, of any format.

    Raises:
        ValueError: If it is no configuration.
    """
    new = upgraded(stored)
    parts = {
        "method": {"": new["method"]},
        "method_config": _method_defaults(new["method"]) | new["method_config"],
        "data": _defaults(DataOptions) | new["data"],
        "model": _defaults(ModelConfig) | new["model"],
        "train": _defaults(TrainConfig) | new["train"],
        "objects": new.get("objects") or {},
    }
    if parts["data"]["name"] not in registry.available("data"):
        parts["data"]["name"] = OBJECT
    left_out = {"train": _EXECUTION, "data": {"path", "source"}}
    return {
        f"{part}.{key}".rstrip("."): value
        for part, settings in parts.items()
        for key, value in settings.items()
        if key not in left_out.get(part, ())
    }


def _defaults(kind: type) -> dict[str, Any]:
    return {item.name: item.default for item in dataclasses.fields(kind)}


def _method_defaults(method: str) -> dict[str, Any]:
    """Defaults of a method's settings, read without importing it; none for one not at hand."""
    if method not in registry.available("methods"):
        return {}
    return registry.defaults("methods", method)
