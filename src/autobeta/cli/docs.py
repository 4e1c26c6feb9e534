"""Print a page of the documentation."""

from pathlib import Path

import tyro

import autobeta

_HOME = Path(autobeta.__file__).parent
_PLACES = (_HOME / "pages", _HOME.parents[1] / "docs")  # of a wheel, of a checkout


def command(page: tyro.conf.Positional[str] = "") -> None:
    """Print a page of the documentation, as Markdown, or the names of all.

    Args:
        page: A page, such as data or methods/lvae.
    """
    folder = next(place for place in _PLACES if place.is_dir())
    found = {file.relative_to(folder).with_suffix("").as_posix(): file
             for file in [*folder.glob("*.md"), *folder.glob("methods/*.md")]}  # fmt: skip
    if not page:
        print("\n".join(sorted(found)))
        return
    name = page.removeprefix("docs/").removesuffix(".md")
    if name not in found:
        raise ValueError(f"`page` must be one of {', '.join(sorted(found))}; got {page!r}.")
    print(found[name].read_text("utf-8"), end="")
