"""Configuration to objects: the one place that turns names into objects."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import torch

from autobeta import registry
from autobeta.data import Batches, DataOptions, FactorDataset, load_data
from autobeta.methods import Recipe
from autobeta.models import VAE, AbstractLikelihood, decoders, encoders
from autobeta.training import TrainConfig, TrainState, make_state

FORMAT = 1

ARCHITECTURES = {
    "conv64": (encoders.conv64, decoders.conv64),
    "burgess": (encoders.burgess, decoders.burgess),
    "mlp": (encoders.mlp, decoders.mlp),
}


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Settings of the network."""

    architecture: str = "conv64"
    """conv64 (DynamicVAE and ControlVAE), burgess, or mlp (Higgins)."""
    num_latents: int = 10
    """Number of latents."""


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Everything that defines a run; `config.json` holds it.

    Args:
        method: Name of a module in `methods`.
        method_config: Its `Config`; None takes the defaults.
        data: Name of a data set, a folder of images, or a file of arrays.
        data_options: What the data set is asked for.
        model: Settings of the network.
        train: Settings of the training.

    Raises:
        ValueError: If the method is unknown, or the settings are another method's.

    Example:
        >>> RunConfig(method="betavae").method_config.beta
        4.0
    """

    method: str
    method_config: Any = None
    data: str = "dsprites"
    data_options: DataOptions = field(default_factory=DataOptions)
    model: ModelConfig = field(default_factory=ModelConfig)
    train: TrainConfig = field(default_factory=TrainConfig)

    def __post_init__(self) -> None:
        expected = registry.load("methods", self.method).Config
        if self.method_config is None:
            object.__setattr__(self, "method_config", expected())
        elif not isinstance(self.method_config, expected):
            raise ValueError(
                f"`method_config` must be the Config of {self.method!r}; "
                f"got {type(self.method_config).__module__}. Import it from the method's module."
            )
        for part in (self.method_config, self.model, self.train):
            check_choices(part)
        # a run must find its images from any working directory
        if self.data not in registry.available("data") and Path(self.data).exists():
            object.__setattr__(self, "data", str(Path(self.data).resolve()))
        if self.data_options.path is not None:
            options = dataclasses.replace(self.data_options, path=self.data_options.path.resolve())
            object.__setattr__(self, "data_options", options)

    def to_json(self, dataset: FactorDataset) -> dict[str, Any]:
        """As `config.json` holds it, with facts about the images that were there."""
        options = dataclasses.asdict(self.data_options)
        options["path"] = None if options["path"] is None else str(options["path"])
        facts = {
            "source": dataset.source,
            "image_shape": list(dataset.image_shape),
            "num_train": len(dataset.splits["train"]),
        }
        return {
            "format": FORMAT,
            "method": self.method,
            "method_config": dataclasses.asdict(self.method_config),
            "data": {"name": self.data, **facts, **options},
            "model": dataclasses.asdict(self.model),
            "train": dataclasses.asdict(self.train),
        }

    @classmethod
    def from_json(cls, config: dict[str, Any]) -> "RunConfig":
        """Read what `to_json` gave.

        Raises:
            ValueError: If a setting is unknown to this version.
        """
        known = {field.name for field in dataclasses.fields(DataOptions)}
        options = {k: v for k, v in config["data"].items() if k in known}
        options["path"] = None if options.get("path") is None else Path(options["path"])
        module = registry.load("methods", config["method"])
        try:
            return cls(
                method=config["method"],
                method_config=module.Config(**config["method_config"]),
                data=config["data"]["name"],
                data_options=DataOptions(**options),
                model=ModelConfig(**config["model"]),
                train=TrainConfig(**config["train"]),
            )
        except TypeError as error:
            raise ValueError(
                f"`config` must hold settings of this version; got {error}. "
                "Use the version that wrote it, or train again."
            ) from error


def check_choices(config: Any) -> None:  # noqa: ANN401 - any dataclass of settings
    """Refuse a setting that is none of its choices, such as one read from a file.

    Raises:
        ValueError: If a field annotated with a `Literal` has another value.
    """
    for name, hint in get_type_hints(type(config)).items():
        value = getattr(config, name)
        if get_origin(hint) is Literal and value not in get_args(hint):
            choices = ", ".join(map(str, get_args(hint)))
            raise ValueError(f"`{name}` must be one of {choices}; got {value!r}.")


def load_dataset(config: RunConfig) -> FactorDataset:
    """The data set that a configuration names."""
    return load_data(config.data, config.data_options)


def build_model(
    config: ModelConfig, likelihood: AbstractLikelihood, image_shape: tuple[int, int, int]
) -> VAE:
    """A VAE of a published architecture, in the memory format that is quickest.

    Raises:
        ValueError: If the architecture is unknown, the image size unfit, or there are no latents.
    """
    if config.architecture not in ARCHITECTURES:
        names = ", ".join(ARCHITECTURES)
        raise ValueError(f"`architecture` must be one of {names}; got {config.architecture!r}.")
    if config.num_latents < 1:
        raise ValueError(f"`num_latents` must be at least 1; got {config.num_latents}.")
    encoder, decoder = ARCHITECTURES[config.architecture]
    vae = VAE(
        encoder(image_shape, config.num_latents),
        decoder(image_shape, config.num_latents),
        likelihood,
    )
    return vae.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def build_recipe(config: RunConfig, image_shape: tuple[int, int, int], num_train: int) -> Recipe:
    """The objects of the configured method.

    Args:
        config: Method, its settings, number of latents and steps.
        image_shape: (height, width, channels).
        num_train: Number of training images.
    """
    return registry.load("methods", config.method).build(
        config.method_config,
        num_latents=config.model.num_latents,
        num_train=num_train,
        image_shape=image_shape,
        num_steps=config.train.steps,
    )


def build_state(config: RunConfig, dataset: FactorDataset) -> TrainState:
    """A training state at step 0. Seed first: the network's initial weights are random."""
    recipe = build_recipe(config, dataset.image_shape, len(dataset.splits["train"]))
    model = build_model(config.model, recipe.likelihood, dataset.image_shape)
    train = config.train
    return make_state(
        model,
        recipe.objective,
        recipe.weighting,
        Batches(dataset, train.batch_size, train.seed, device=train.device),
        train,
        weighting_lr=recipe.weighting_lr,
    )
