"""List, info, prepare, verify."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from autobeta import registry
from autobeta.cli._run import DataFlags


def main(args: Sequence[str]) -> None:
    """The command `autobeta data`, given what follows it on the command line."""
    actions: dict[str, Any] = {a.__name__[1:]: a for a in (_list, _info, _prepare, _verify)}
    tyro.extras.subcommand_cli_from_dict(actions, prog="autobeta data", args=args)


_Options = Annotated[DataFlags, tyro.conf.arg(name="")]


@dataclass(frozen=True, kw_only=True)
class SourceFlags(DataFlags):
    """`DataOptions` of data that are prepared."""

    path: Annotated[Path | None, tyro.conf.arg(name="from", aliases=("--data-path",))] = None
    """The published file, archive or folder; the data set's cache folder if not given."""


def _list() -> None:
    """List the data sets."""
    from autobeta.cli.list import command as list_all

    list_all("data")


def _info(name: tyro.conf.Positional[str], options: _Options = DataFlags()) -> None:
    """Say what a data set holds: licence, factors, files and disk; nothing is fetched.

    Args:
        name: Name of a data set, a folder of images, or a file of arrays.
        options: What the data set is asked for.
    """
    if name in registry.available("data"):
        _facts(name, options)
        return
    from autobeta.data import load_data

    print(load_data(name, options.options()))


def _prepare(
    name: tyro.conf.Positional[str],
    options: Annotated[SourceFlags, tyro.conf.arg(name="")] = SourceFlags(),
    *,
    download: bool = False,
) -> None:
    """Make the cache of a data set from its published files, once.

    Args:
        name: Name of a data set, a folder of images, or a file of arrays.
        options: What the data set is asked for.
        download: Fetch published files that are not in the cache folder, where they have an
            address.
    """
    from autobeta.data import load_data, prepare_data

    path = prepare_data(name, options.options(), download=download)
    dataset = load_data(name, options.options())
    print(f"{dataset.name}: {dataset.num_images} images, {dataset.source}, {path or 'no file'}")


def _verify(
    name: tyro.conf.Positional[str],
    options: _Options = DataFlags(),
    *,
    against: Path | None = None,
) -> None:
    """Compare the prepared images with a file of known ones, or with a fresh rendering.

    Args:
        name: Name of a data set.
        options: What the data set is asked for.
        against: An .npz with imgs and original_dataset_indices, or latents_classes.
    """
    from autobeta.data import check, load_data, verify

    dataset = load_data(name, options.options())
    print(check(dataset) if against is None else verify(dataset, against))


def _facts(name: str, options: DataFlags) -> None:
    """Licence, factors, files and disk of a named data set."""
    from autobeta.data import official_files

    module = registry.load("data", name)
    print(module.__doc__)
    kinds = getattr(module, "KINDS", {})
    sizes = getattr(module, "FACTORS", {}).items()
    if hasattr(module, "space_of"):  # a set of several variants
        space = module.space_of(options.variant)
        sizes = zip(space.names, space.sizes, strict=True)
    facts = {
        "source": module.SOURCE,
        "licence": getattr(module, "LICENSE", ""),
        "disk": getattr(module, "DISK", ""),
        "factors": ", ".join(
            " ".join(f"{n} {size} {kinds.get(n, '')}".split()) for n, size in sizes
        ),
        "by hand": getattr(module, "BY_HAND", ""),
    }
    for label, fact in facts.items():
        if fact:
            print(f"{label}: {fact}")
    files = official_files(name, options.options())
    for file in files:
        size = f", {file.size:,} bytes" if file.size else ""
        print(f"file: {file.name}{size}, {file.url or 'no address'} {file.checksum}")
    if files:
        print("Addresses were not tried when this version was made.")
    if citation := getattr(module, "CITATION", ""):
        print(f"\n{citation}")
