"""Figures made of images: reconstructions, traversals and prior samples."""

import numpy as np
from matplotlib.figure import Figure

from autobeta.reports._load import Run
from autobeta.reports._montage import centres, factor, filled, montage, paled
from autobeta.reports._style import GREY, INK, SMALL, style
from autobeta.run import folder

WIDTH = 6.4


def reconstructions(
    run: Run, *, count: int = 16, columns: int = 8, width: float = WIDTH
) -> Figure:
    """Originals, and below each its reconstruction.

    Args:
        run: A run as `load_runs` reads it.
        count: Number of images at most.
        columns: Images beside each other.
        width: Width in inches.

    Returns:
        The figure.

    Raises:
        ValueError: If the run has no reconstructions.
    """
    arrays = run.arrays(folder.RECONSTRUCTIONS)
    if not arrays:
        raise ValueError(f"`run` must have {folder.RECONSTRUCTIONS}; `{run.name}` has none.")
    rows, names = [], []
    for start in range(0, min(count, len(arrays["originals"])), columns):
        for key, name in (("originals", "data"), ("reconstructions", "model")):
            rows.append(filled(arrays[key][:count][start : start + columns], columns))
            names.append(name)
    return _grid_figure(np.stack(rows), labels=names, width=width)


def traversals(run: Run, *, width: float = WIDTH) -> Figure:
    """A row per latent, sorted by falling KL; dead latents are paled and marked `dead`.

    Args:
        run: A run as `load_runs` reads it.
        width: Width in inches.

    Returns:
        The figure.

    Raises:
        ValueError: If the run has no traversals.
    """
    arrays = run.arrays(folder.TRAVERSALS)
    if not arrays:
        raise ValueError(f"`run` must have {folder.TRAVERSALS}; `{run.name}` has none.")
    order = np.argsort(-arrays["kl"], kind="stable")
    kl, active = arrays["kl"][order], arrays["active"][order]
    labels = [
        f"z{latent}  " + (f"{nats:.2f} nats" if alive else "dead")
        for latent, nats, alive in zip(arrays["latents"][order], kl, active, strict=True)
    ]
    images = paled(arrays["images"][order], active)
    figure = _grid_figure(images, labels=labels, width=width, dead=~active)
    axis = figure.axes[0]
    axis.set_xticks(centres(images.shape[1], images.shape[3] * factor(images)))
    axis.set_xticklabels([f"{value:.2g}" for value in arrays["values"]])
    axis.set_xlabel("value given to the latent (prior standard deviations)")
    return figure


def samples(run: Run, *, count: int = 32, columns: int = 8, width: float = WIDTH) -> Figure:
    """Images decoded from draws of the prior.

    Args:
        run: A run as `load_runs` reads it.
        count: Number of images at most.
        columns: Images beside each other.
        width: Width in inches.

    Returns:
        The figure.

    Raises:
        ValueError: If the run has no prior samples.
    """
    images = run.arrays(folder.TRAVERSALS).get("samples", np.empty(0))[:count]
    if not len(images):
        raise ValueError(f"`run` must have prior samples; `{run.name}` has none.")
    rows = [filled(images[i : i + columns], columns) for i in range(0, len(images), columns)]
    return _grid_figure(np.stack(rows), labels=[""] * len(rows), width=width)


def _grid_figure(
    images: np.ndarray, *, labels: list[str], width: float, dead: np.ndarray | None = None
) -> Figure:
    """Rows of images (rows, columns, H, W, C) as a figure, a label before each row."""
    tiles = montage(images)
    label_inches = 0.075 * max(map(len, labels))
    height = (width - label_inches) * tiles.shape[0] / tiles.shape[1]
    with style():
        figure = Figure(figsize=(width, height + (0.15 if dead is None else 0.6)))
        axis = figure.subplots()
        axis.imshow(tiles)
        axis.grid(visible=False)
        axis.spines[:].set_visible(False)
        axis.tick_params(length=0, labelsize=SMALL)
        axis.set_xticks([])
        axis.set_yticks(centres(len(images), images.shape[2] * factor(images)), labels)
        for number, text in enumerate(axis.get_yticklabels()):
            text.set_color(GREY if dead is not None and dead[number] else INK)
    return figure
