"""Pictures made of images: reconstructions, traversals, samples of the prior; as Pillow images.

Images are uint8, shape (..., H, W, C), with one channel or three; small ones are enlarged by a
whole factor. A picture of a run that has no such images raises ValueError.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import get_data_path
from PIL import Image, ImageDraw, ImageFont

from autobeta.reports._load import RunRecord
from autobeta.reports._style import GREY, INK
from autobeta.run import folder
from autobeta.run.out import write_out

GAP = 4  # pixels between two images, after they are enlarged
SIDE = 96  # pixels that images are enlarged to, about
PAGE_SIDE = 64  # on a page
PAGE_MOST = 128  # on a page, whose file they are in
WHITE = 255
FOOT = 34  # pixels for labels below a row
MOST_ROWS = 24  # latents of a traversal on a page
FRAME = 90  # milliseconds

Array = np.ndarray

_FONT = str(Path(get_data_path()) / "fonts/ttf/DejaVuSans.ttf")


def reconstructions(run: RunRecord, *, count: int = 16, columns: int = 8) -> Image.Image:
    """Originals, and below each its reconstruction."""
    arrays = _need(run, folder.RECONSTRUCTIONS, "originals")
    keys = ("originals", "reconstructions")
    pair = [_rows(_page_sized(arrays[key][:count]), columns) for key in keys]
    rows = np.stack(pair, axis=1).reshape(-1, *pair[0].shape[1:])
    return grid(rows, ["data", "model"] * len(pair[0]), side=PAGE_SIDE)


def traversals(run: RunRecord) -> Image.Image:
    """A row per latent by falling KL, at most `MOST_ROWS`; dead latents are paled and marked."""
    arrays = _need(run, folder.TRAVERSALS, "images")
    named = {key: arrays[key] for key in ("latents", "kl", "active")}
    images, labels = _sorted(arrays["images"], **named)
    values = [f"{value:.2g}" for value in arrays["values"]]
    shown = _page_sized(images[:MOST_ROWS])
    return grid(shown, labels[:MOST_ROWS], values, side=PAGE_SIDE)


def strip(run: RunRecord, width: int) -> dict[str, Any]:
    """Where the images of `traversals`, `width` pixels wide, are, and which: for a page's sliders.

    The images of row r and column c begin at (left + c (width + gap), r (height + gap)).
    """
    arrays = _need(run, folder.TRAVERSALS, "images")
    named = {key: arrays[key] for key in ("latents", "kl", "active")}
    images, labels = _sorted(_page_sized(arrays["images"]), **named)
    times = _times(images, PAGE_SIDE)
    height, wide = (times * side for side in images.shape[2:4])
    return {
        "left": width - images.shape[1] * (wide + GAP) + GAP,
        **{"width": wide, "height": height, "gap": GAP, "labels": labels[:MOST_ROWS]},
        "values": [round(float(value), 4) for value in arrays["values"]],
    }


def samples(run: RunRecord, *, count: int = 32, columns: int = 8) -> Image.Image:
    """Images decoded from draws of the prior."""
    images = _page_sized(_need(run, folder.TRAVERSALS, "samples")["samples"][:count])
    return grid(_rows(images, columns), side=PAGE_SIDE)


def save_traversal_grid(
    path: Path, images: Array, *, latents: Array, kl: Array, active: Array
) -> None:
    """Write traversals as one PNG: a labelled row per latent, sorted by falling KL.

    Images have shape (num_latents, num_values, H, W, C); `latents`, `kl` in nats and `active` are
    number, KL and state of each row's latent, shape (num_latents,).
    """
    picture = grid(*_sorted(images, latents=latents, kl=kl, active=active))
    write_out(path, lambda file: picture.save(file, format="png"))


def save_traversal_gif(
    path: Path, images: Array, *, latents: Array, kl: Array, active: Array, columns: int = 5
) -> None:
    """Write traversals as an endless GIF that moves all latents at once, to and fro.

    It has 2 num_values - 2 frames, in each `columns` latents beside each other; further arguments
    are those of `save_traversal_grid`.
    """
    images, labels = _sorted(images, latents=latents, kl=kl, active=active)
    labels = [label if label.endswith("dead") else label.split()[0] for label in labels]
    columns = min(columns, len(images))
    blocks = [slice(first, first + columns) for first in range(0, len(images), columns)]
    still = []
    for moment in images.swapaxes(0, 1):
        strips = [grid(_rows(moment[b], columns), below=labels[b]) for b in blocks]
        still.append(np.concatenate([np.asarray(strip) for strip in strips]))
    palette = Image.fromarray(np.concatenate(still)).quantize(256)  # one, or colours would flicker
    plain = Image.Dither.NONE
    frames = [Image.fromarray(f).quantize(palette=palette, dither=plain) for f in still]
    frames += frames[-2:0:-1]
    options = {"save_all": True, "append_images": frames[1:], "duration": FRAME, "loop": 0}
    write_out(path, lambda file: frames[0].save(file, format="gif", **options))


def save_montage(path: Path, images: Array, *, columns: int = 8) -> None:
    """Write images (n, H, W, C), uint8, side by side as one PNG."""
    picture = grid(_rows(images, columns))
    write_out(path, lambda file: picture.save(file, format="png"))


def grid(
    images: Array, labels: Sequence[str] = (), below: Sequence[str] = (), *, side: int = SIDE
) -> Image.Image:
    """Images (rows, columns, H, W, C) in a grid, labels before rows and below columns.

    Small images are enlarged to about `side` pixels; a label that ends in "dead" is grey.
    """
    times = _times(images, side)
    images = images.repeat(times, axis=2).repeat(times, axis=3)
    images = np.broadcast_to(images, (*images.shape[:4], 3))
    gaps = [(0, 0), (0, 0), (0, GAP), (0, GAP), (0, 0)]
    padded = np.pad(images, gaps, constant_values=WHITE)
    rows, columns, high, wide, _ = padded.shape
    tiles = padded.swapaxes(1, 2).reshape(rows * high, columns * wide, 3)[:-GAP, :-GAP]
    font = ImageFont.truetype(_FONT, 22)
    margin = max([int(font.getlength(label)) + 14 * bool(label) for label in labels], default=0)
    foot = FOOT * bool(below)
    picture = Image.new("RGB", (margin + tiles.shape[1], tiles.shape[0] + foot), "white")
    picture.paste(Image.fromarray(tiles), (margin, 0))
    draw = ImageDraw.Draw(picture)
    texts = [(text, (6, row * high + (high - GAP) / 2), "lm") for row, text in enumerate(labels)]
    for column, text in enumerate(below):
        place = (margin + column * wide + (wide - GAP) / 2, tiles.shape[0] + foot / 2)
        texts.append((text, place, "mm"))
    for text, place, anchor in texts:
        fill = GREY if text.endswith("dead") else INK
        draw.text(place, text, fill=fill, font=font, anchor=anchor)
    return picture


def _times(images: Array, side: int) -> int:
    return max(1, round(side / max(images.shape[2:4])))


def _page_sized(images: Array) -> Array:
    """Images (..., H, W, C) of a page: large ones are reduced by a whole factor, to its means."""
    height, width, channels = images.shape[-3:]
    factor = -(-max(height, width) // PAGE_MOST)
    if factor == 1:
        return images
    high, wide = height // factor, width // factor
    cut = images[..., : high * factor, : wide * factor, :]
    blocks = cut.reshape(*images.shape[:-3], high, factor, wide, factor, channels)
    return blocks.mean(axis=(-4, -2)).round().astype(np.uint8)


def _sorted(images: Array, *, latents: Array, kl: Array, active: Array) -> tuple[Array, list[str]]:
    """Rows by falling KL with their labels; the rows of dead latents half faded to white."""
    order = np.argsort(-kl, kind="stable")
    images = images[order]
    dead = ~active[order]
    images[dead] = WHITE - (WHITE - images[dead]) // 2
    return images, [
        f"z{latents[d]}  " + (f"{kl[d]:.2f} nats" if active[d] else "dead") for d in order
    ]


def _rows(images: Array, columns: int) -> Array:
    """Images (n, H, W, C) in rows of some columns, white ones added where the last is short."""
    short = -len(images) % columns
    images = np.pad(images, [(0, short), (0, 0), (0, 0), (0, 0)], constant_values=WHITE)
    return images.reshape(-1, columns, *images.shape[1:])


def _need(run: RunRecord, file: str, key: str) -> dict[str, Array]:
    arrays = run.arrays(file)
    if key not in arrays:
        raise ValueError(f"`run` must have {key} in {file}; `{run.name}` has none.")
    return arrays
