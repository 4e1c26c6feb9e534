"""Libraries that a few metrics need and that come with an extra of their name, `LIBRARIES`."""

from collections.abc import Iterable, Sequence
from importlib import import_module
from types import ModuleType

from autobeta.metrics._names import facts, parse, printed_name
from autobeta.registry import available


def load_lightgbm() -> ModuleType:
    """LightGBM, or an ImportError that says what to install."""
    try:
        return import_module("lightgbm")
    except (ImportError, OSError) as error:
        raise ImportError(
            f"LightGBM must be there for this score; got: {error}. Run: pip install "
            '"autobeta[lightgbm]" (its OpenMP runtime is libgomp1 on Debian, libomp on macOS), '
            "or ask for dci[rf]."
        ) from error


def check_libraries(names: Iterable[str]) -> None:
    """Refuse, before there are any codes, metrics whose library can't be loaded; ImportError."""
    for name in names:
        if _needs_lightgbm(name):
            load_lightgbm()


def left_out(names: Sequence[str] | None = None) -> dict[str, str]:
    """Printed name and reason of metrics whose library can't be loaded.

    Args:
        names: Metrics to look at; those of the default suite if None.
    """
    if names is None:
        names = [name for name in available("metrics") if facts(name)["DEFAULT"]]
    try:
        check_libraries(names)
    except ImportError as error:
        return {printed_name(name): str(error) for name in names if _needs_lightgbm(name)}
    return {}


def _needs_lightgbm(name: str) -> bool:
    asked = parse(name)
    return "lightgbm" in facts(asked.base).get("LIBRARIES", {}).get(asked.function, ())
