"""Pictures of the site from finished runs: a method's curves, a run's traversals.

python reproductions/claims/gallery.py RUN ... [--out docs/images]

Of each method, `methods/METHOD.png` has reconstruction, KL with its set point and equivalent beta
over the steps, a row for each data set; of each run, `gallery/METHOD-DATA` has its latents.
"""

import argparse
import io
from collections import defaultdict
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from autobeta.run import folder as files

POINTS = 150  # of a curve
LATENTS = 6  # rows of a picture
GAP = 2  # pixels
BLUE, INK, PALE = "#0072B2", "#222222", "#E6E6E6"
STYLE = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
STYLE |= {"axes.grid": True, "grid.color": PALE, "axes.titlesize": 9, "axes.titlelocation": "left"}
TITLES = ("reconstruction, nats", "KL, nats", "equivalent β")


def name_of(run):
    config = files.read_config(run)
    return config["method"], config["data"]["name"]


def column(rows, *names):
    """Means of a log's numbers over as many rows as leave `POINTS`; nan where there is none."""
    found = []
    for row in rows:
        for name in names:
            row = row.get(name) if isinstance(row, dict) else None
        found.append(np.nan if row is None else float(row))
    step = max(1, len(found) // POINTS)
    return np.array(found[: len(found) // step * step]).reshape(-1, step).mean(axis=1)


def limits(values):
    """Room for all but the first steps, which tower over the rest."""
    kept = values[len(values) // 20 :]
    room = 0.1 * (kept.max() - kept.min()) + 1e-9
    return kept.min() - room, kept.max() + room


def draw_curves(runs, path):
    """A row a run: reconstruction, KL and set point, beta."""
    size = (7.5, 0.3 + 1.9 * len(runs))
    shape = {"nrows": len(runs), "ncols": 3, "squeeze": False}
    with plt.rc_context(STYLE):
        figure, rows = plt.subplots(**shape, figsize=size, layout="constrained")
        for run, axes in zip(runs, rows, strict=True):
            log = files.read_log(run)
            steps, cost = column(log, "step"), column(log, "terms", "reconstruction")
            kl, beta = column(log, "terms", "kl"), column(log, "equivalent_beta")
            for axis, values, title in zip(axes, (cost, kl, beta), TITLES, strict=True):
                axis.plot(steps, values, color=BLUE)
                axis.set_title(f"{name_of(run)[1]}: {title}")
            axes[0].set_ylim(*limits(cost))
            axes[1].plot(steps, column(log, "target"), "--", color=INK, linewidth=1)
            axes[1].set_ylim(0, limits(kl)[1])
            axes[2].set_yscale("log" if (beta > 0).all() else "linear")
        for axis in rows[-1]:
            axis.set_xlabel("step")
        drawn = io.BytesIO()
        figure.savefig(drawn, format="png", dpi=120)
        plt.close(figure)
    save(Image.open(drawn).convert("RGB").quantize(48), path)


def draw_traversals(run, path):
    """The latents of most KL, a row each, from -2 to 2 beside each other."""
    with np.load(run / files.TRAVERSALS) as arrays:
        images = arrays["images"][np.argsort(-arrays["kl"], kind="stable")[:LATENTS]]
    padded = np.pad(images, [(0, 0), (0, 0), (0, GAP), (0, GAP), (0, 0)], constant_values=255)
    rows, columns, high, wide, channels = padded.shape
    tiles = padded.swapaxes(1, 2).reshape(rows * high, columns * wide, channels)[:-GAP, :-GAP]
    if channels == 1:
        save(Image.fromarray(tiles[..., 0]).quantize(32), path.with_suffix(".png"))
    else:
        save(Image.fromarray(tiles), path.with_suffix(".jpg"))


def save(picture, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, optimize=True, quality=82)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    given = parser.parse_args()
    by_method = defaultdict(dict)
    for run in given.runs:
        method, data = name_of(run)
        by_method[method][data] = run
        draw_traversals(run, given.out / "gallery" / f"{method}-{data}")
    for method, runs in by_method.items():
        draw_curves([runs[data] for data in sorted(runs)], given.out / "methods" / f"{method}.png")


if __name__ == "__main__":
    main()
