"""What the commands that train share: their options, and how they go on after a stop."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from autobeta.errors import InterruptedRunError
from autobeta.settings import DataOptions, ModelConfig, RunConfig, TrainConfig

REPEAT = "Give the same command again to go on."


@dataclass(frozen=True, kw_only=True)
class DataFlags(DataOptions):
    """`DataOptions`, whose path is told from others by its flag."""

    path: Annotated[Path | None, tyro.conf.arg(name="data-path")] = None
    """File or folder of a named data set that is kept outside the cache."""

    def options(self) -> DataOptions:
        """As the loaders take them."""
        return DataOptions(**{f.name: getattr(self, f.name) for f in dataclasses.fields(self)})


@dataclass(frozen=True, kw_only=True)
class RunFlags:
    """Options of a run that all methods share."""

    out: Path
    """Run folder; one that holds a run of the same settings is resumed."""
    data: str = "dsprites"
    """Name of a data set, a folder of images, or a file of arrays."""
    data_options: Annotated[DataFlags, tyro.conf.arg(name="")] = DataFlags()
    model: Annotated[ModelConfig, tyro.conf.arg(name="")] = ModelConfig()
    train: Annotated[TrainConfig, tyro.conf.arg(name="")] = TrainConfig()

    def config(self, method: str, method_config: object) -> RunConfig:
        """The run's configuration."""
        return RunConfig(
            method=method,
            method_config=method_config,
            data=self.data,
            data_options=self.data_options.options(),
            model=self.model,
            train=self.train,
        )


@contextlib.contextmanager
def stoppable(go_on: Callable[[], str]) -> Iterator[None]:
    """Add to a stop that was asked for how to go on."""
    try:
        yield
    except (InterruptedRunError, KeyboardInterrupt) as stop:
        stop.add_note(go_on())
        raise


def changed(given: object, default: object) -> list[str]:
    """Flags of the fields that are not as in a default; nested settings are flat."""
    found: list[str] = []
    for item in dataclasses.fields(given):  # type: ignore[arg-type]
        value, usual = getattr(given, item.name), getattr(default, item.name)
        name = "data-path" if isinstance(given, DataFlags) and item.name == "path" else item.name
        flag = f"--{name.replace('_', '-')}"
        if dataclasses.is_dataclass(value):
            found += changed(value, usual)
        elif value != usual:
            values = value if isinstance(value, tuple) else [value]
            found += [flag] if value is True else [flag, *map(str, values)]
    return found
