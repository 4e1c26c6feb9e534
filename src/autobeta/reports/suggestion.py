"""The figure of a suggestion: how it was read from the pilot's curve."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from autobeta.control import Suggestion, read_pilot
from autobeta.reports._style import COLOURS, GREY, INK, panels, steps_axis, style
from autobeta.run import folder


def suggestion_figure(log: Sequence[Mapping[str, Any]], found: Suggestion) -> Figure:
    """The rate-distortion curve with its tangent, KL over beta, and the pilot's learning.

    `found` is what `autobeta.control.suggest` read from the lines of the pilot's log.
    """
    pilot = read_pilot(log)
    rising, beta, kl, reconstruction = pilot.rising, pilot.beta, pilot.kl, pilot.reconstruction
    _, curve_kl, curve_r, *_ = (np.array(column) for column in zip(*found.curve, strict=True))
    at_target = found.choices[0]
    dots: dict[str, Any] = {"linestyle": "", "marker": ".", "markersize": 2, "color": GREY}
    beside: dict[str, Any] = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
    beside |= {"xytext": (2, 0), "rotation": 90, "va": "top", "size": 8}
    with style():
        figure, (plane, bounds, learning) = panels(3, width=6.4, height=2.3)
        plane.plot(kl[rising], reconstruction[rising], **dots, label="pilot, log lines")
        plane.plot(curve_kl, curve_r, color=COLOURS[0], label="its curve")
        reach = np.array([0.6, 1.4]) * at_target.kl
        tangent = at_target.reconstruction - (reach - at_target.kl)
        plane.plot(reach, tangent, color=COLOURS[1], label="slope −1")
        plane.axvline(found.target, color=INK, linestyle="--", label="set point")
        plane.set(xlabel="rate: KL (nats per image)", ylabel="reconstruction (nats)")
        plane.legend()
        bounds.semilogx(beta[rising], kl[rising], **dots)
        bounds.semilogx([p.beta for p in found.curve], curve_kl, color=COLOURS[0])
        bounds.axhline(found.target, color=INK, linestyle="--")
        names = {"hold": found.beta_hold, "floor": found.beta_min, "start": found.beta_initial}
        for name, value in names.items():
            bounds.axvline(value, color=COLOURS[2], linewidth=1)
            bounds.annotate(f"{name} {value:g}", (value, 0.97), **beside)
        bounds.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        bounds.xaxis.set_minor_formatter(NullFormatter())
        bounds.set(xlabel="β", ylabel="KL (nats)")
        learning.plot(pilot.step[~rising], reconstruction[~rising], **dots)
        learning.axvline(found.learned, color=INK, linestyle="--")
        learning.set_title(f"learned after {found.learned} steps")
        learning.set_ylabel("reconstruction (nats)")
        steps_axis(learning)
    return figure


def save_suggestion(path: Path, log: Sequence[Mapping[str, Any]], found: Suggestion) -> None:
    """Write `suggestion_figure` as a PNG."""
    figure = suggestion_figure(log, found)
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=150)
    folder.write_together({path: buffer.getvalue()})
