"""How figures look: one palette, one type size, the same colour for a method everywhere."""

import base64
import io
import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import matplotlib
import matplotlib.style
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from PIL import Image

from autobeta.reports._read import grouped

# Okabe and Ito, https://jfly.uni-koeln.de/color/: told apart with every kind of colour vision.
# Yellow is left out, too pale on white; black is kept for targets.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINES = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (5, 1.5, 1.2, 1.5)))
GREY = "#6E6E6E"
INK = "#222222"
SMALL = 9

STYLE = Path(__file__).with_name("figures.mplstyle")


class StyledFigure(Figure):
    """A figure that is saved in this style too, whatever the user's own settings are."""

    def savefig(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - as matplotlib's
        """Save as matplotlib does."""
        with style(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph")  # only the width of a text is guessed
            super().savefig(*args, **options)


class Look(NamedTuple):
    """Colour of a method; marker and line of one group of its runs."""

    colour: str
    marker: str
    line: str | tuple[int, tuple[float, ...]]


def style() -> AbstractContextManager[None]:
    """Context in which figures are made and drawn, whatever the user's own settings are."""
    return matplotlib.style.context(["default", STYLE])


@runtime_checkable
class Labelled(Protocol):
    """A run, or a group of runs."""

    @property
    def method(self) -> str:
        """Name of its method."""
        ...

    @property
    def label(self) -> str:
        """Label of its group."""
        ...


def looks(runs: Sequence[Labelled]) -> dict[str, Look]:
    """Look of every label: colour by method in alphabetical order, marker and line by group.

    Past six methods colours repeat with other markers and lines.
    """
    labels = grouped((run.method, run.label) for run in runs)
    found = {}
    for place, method in enumerate(sorted(labels)):
        turn, colour = divmod(place, len(COLOURS))
        for number, label in enumerate(dict.fromkeys(labels[method]), start=turn):
            marker, line = MARKERS[number % len(MARKERS)], LINES[number % len(LINES)]
            found[label] = Look(COLOURS[colour], marker, line)
    return found


def panels(rows: int, *, width: float, height: float) -> tuple[Figure, list[Axes]]:
    """A figure of equal panels, each `height` inches high, and its panels from the top."""
    figure = StyledFigure(figsize=(width, rows * height + 0.35))
    axes = list(figure.subplots(rows, squeeze=False).flat)
    for axis in axes:
        axis.tick_params(labelsize=SMALL, width=0.7, colors=INK)
    return figure, axes


def steps_axis(axis: Axes) -> None:
    """Mark the horizontal axis as training steps."""
    axis.set_xlabel("training (steps)")
    axis.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))


def legend(figure: Figure, axes: Sequence[Axes], width: float) -> None:
    """One legend below the panels, in as many columns as fit; none for a single label."""
    found: dict[str, Artist] = {}
    for axis in axes:
        handles, labels = axis.get_legend_handles_labels()
        found |= dict(zip(labels, handles, strict=True))
    if len(found) > 1:
        names = [short(label, width) for label in found]
        columns = max(1, min(len(names), int(width * 14 / (max(map(len, names)) + 6))))
        lines = -(-len(names) // columns)
        figure.set_figheight(figure.get_figheight() + 0.2 * lines)
        figure.legend(found.values(), names, loc="outside lower center", ncols=columns)


def short(text: str, width: float) -> str:
    """The text with its middle left out where it is longer than a figure `width` inches wide.

    Example:
        >>> short("dynamicvae-dsprites-target18-seed0", 2.0)
        'dynamicvae…t18-seed0'
    """
    most = int(10 * width)
    if len(text) <= most:
        return text
    return f"{text[: most // 2]}…{text[len(text) - (most - 1 - most // 2) :]}"


def svg_uri(figure: Figure) -> str:
    """The figure as an SVG data URI."""
    file = io.BytesIO()
    figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return "data:image/svg+xml;base64," + base64.b64encode(file.getvalue()).decode()


def webp_uri(picture: Image.Image) -> str:
    """The picture as a WebP data URI, a tenth of what PNG would take."""
    file = io.BytesIO()
    picture.save(file, format="webp", quality=60)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()
