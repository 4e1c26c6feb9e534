"""Studies that come with autobeta, one TOML file each, with the source of its numbers."""

import difflib
import tomllib
from pathlib import Path

_FOLDER = Path(__file__).parent


def presets() -> tuple[str, ...]:
    """Names of the studies; sorted."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


def preset_file(name: str) -> Path:
    """The file of a study.

    Raises:
        ValueError: If there is none of this name.
    """
    names = presets()
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"`preset` must be one of {', '.join(names)}; got {name!r}.{hint}")
    return _FOLDER / f"{name}.toml"


def title(name: str) -> str:
    """What a study is, in a line."""
    return str(tomllib.loads(preset_file(name).read_text("utf-8"))["title"])
