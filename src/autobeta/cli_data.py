"""The command `autobeta data`: list, info, prepare, verify.

Imports stand inside the functions, so that help and lists need not wait for torch.
"""

from collections.abc import Callable, Sequence
from typing import Any

from autobeta import printing, registry
from autobeta.options import DataName, DataPrepare, DataVerify, parse

_DATA_USAGE = "list | info NAME | prepare NAME [--from PATH] | verify NAME [--against FILE]"


def data(args: Sequence[str]) -> None:
    """The command `autobeta data`.

    Args:
        args: What follows it on the command line.
    """
    actions: dict[str, Callable[[Sequence[str]], None]] = {
        "list": lambda rest: printing.listing("data"),
        "info": lambda rest: _data_info(parse(DataName, "data info", rest)),
        "prepare": lambda rest: _data_prepare(parse(DataPrepare, "data prepare", rest)),
        "verify": lambda rest: _data_verify(parse(DataVerify, "data verify", rest)),
    }
    if not args or args[0] not in actions:
        print(f"usage: autobeta data {_DATA_USAGE}")
        raise SystemExit(0 if set(args) & {"-h", "--help"} else 2)
    actions[args[0]](args[1:])


def _data_options(command: DataName) -> Any:  # noqa: ANN401 - DataOptions, imported late
    from autobeta.data import DataOptions

    return DataOptions(
        path=command.path,
        image_size=command.image_size,
        channels=command.channels,
        variant=command.variant,
        unofficial=command.unofficial,
    )


def _data_info(command: DataName) -> None:
    if command.name in registry.available("data"):
        printing.data_info(command.name, _data_options(command))
        return
    from autobeta.data import load_data

    dataset = load_data(command.name, _data_options(command))
    print(f"{dataset.num_images} images of shape {dataset.image_shape}, {dataset.source}")


def _data_prepare(command: DataPrepare) -> None:
    from autobeta.data import load_data, prepare_data

    options = _data_options(command)
    path = prepare_data(command.name, options, download=command.download)
    dataset = load_data(command.name, options)
    print(f"{dataset.name}: {dataset.num_images} images, {dataset.source}, {path or 'no file'}")


def _data_verify(command: DataVerify) -> None:
    from autobeta.data import check, load_data, verify

    dataset = load_data(command.name, _data_options(command))
    print(check(dataset) if command.against is None else verify(dataset, command.against))
