import math

import numpy as np
import pytest
from PIL import Image

from autobeta.control import suggest
from autobeta.reports import save_suggestion
from autobeta.reports.suggestion import suggestion_figure


def pilot():
    rows = []
    for step in range(2, 2001, 2):
        beta = 0.1 * 10 ** (4 * max(0.0, step / 1000 - 1))
        kl = 6 * np.logaddexp(0, 20 / 6 - math.log(beta))
        terms = {"reconstruction": 80 + 6 * beta + 400 * math.exp(-step / 100)}
        rows.append({"step": step, "beta": beta, "kl_average": float(kl), "terms": terms})
    return rows


def test_tangent_touches_the_curve_at_the_set_point_with_slope_minus_one():
    log = pilot()
    found = suggest(log)
    plane, bounds, learning = suggestion_figure(log, found).axes
    lines = {line.get_label(): line for line in plane.lines}
    (x0, x1), (y0, y1) = lines["slope −1"].get_data()
    assert (y1 - y0) / (x1 - x0) == pytest.approx(-1)
    middle = (x0 + x1) / 2
    kl, reconstruction = lines["its curve"].get_data()
    order = np.argsort(kl)
    assert np.interp(middle, kl[order], reconstruction[order]) == pytest.approx(
        (y0 + y1) / 2, abs=1
    )
    assert lines["set point"].get_xdata()[0] == found.target
    shown = {text.get_text() for text in bounds.texts}
    assert shown == {
        f"hold {found.beta_hold:g}",
        f"floor {found.beta_min:g}",
        f"start {found.beta_initial:g}",
    }
    assert learning.get_title("left") == f"learned after {found.learned} steps"


def test_figure_is_written_as_a_picture(tmp_path):
    log = pilot()
    save_suggestion(tmp_path / "figure.png", log, suggest(log))
    with Image.open(tmp_path / "figure.png") as picture:
        assert min(picture.size) > 500
