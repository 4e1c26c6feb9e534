"""Traversals as picture files: a PNG grid and an animated GIF."""

from pathlib import Path

import numpy as np
from matplotlib import get_data_path

from autobeta.reports._montage import centres, factor, filled, montage, paled
from autobeta.reports._style import GREY, INK
from autobeta.run import folder

_FONT = str(Path(get_data_path()) / "fonts/ttf/DejaVuSans.ttf")


def save_traversal_grid(
    path: Path, images: np.ndarray, *, latents: np.ndarray, kl: np.ndarray, active: np.ndarray
) -> None:
    """Write traversals as one PNG: a labelled row per latent, sorted by falling KL.

    Args:
        path: File to write.
        images: Decoded images, shape (num_latents, num_values, H, W, C), uint8.
        latents: The latent of each row, shape (num_latents,).
        kl: KL of each row's latent in nats, shape (num_latents,).
        active: Whether each row's latent is active, shape (num_latents,).
    """
    from PIL import Image, ImageDraw, ImageFont

    order = np.argsort(-kl, kind="stable")
    images = paled(images[order], active[order])
    tiles = montage(images)
    side = images.shape[2] * factor(images)
    margin = 120
    picture = Image.new("RGB", (tiles.shape[1] + margin, tiles.shape[0]), "white")
    picture.paste(Image.fromarray(tiles), (margin, 0))
    draw, font = ImageDraw.Draw(picture), ImageFont.truetype(_FONT, 15)
    for middle, row in zip(centres(len(images), side), order, strict=True):
        text = f"z{latents[row]}  " + (f"{kl[row]:.2f} nats" if active[row] else "dead")
        colour = INK if active[row] else GREY
        draw.text((8, middle), text, fill=colour, font=font, anchor="lm")
    folder.write_atomic(path, lambda file: picture.save(file, format="png"))


def save_traversal_gif(
    path: Path,
    images: np.ndarray,
    *,
    latents: np.ndarray,
    kl: np.ndarray,
    active: np.ndarray,
    columns: int = 5,
    milliseconds: int = 90,
) -> None:
    """Write traversals as an endless GIF that moves all latents at once, to and fro.

    Args:
        path: File to write.
        images: Decoded images, shape (num_latents, num_values, H, W, C), uint8.
        latents: The latent of each row, shape (num_latents,).
        kl: KL of each row's latent in nats, shape (num_latents,).
        active: Whether each row's latent is active, shape (num_latents,).
        columns: Latents beside each other.
        milliseconds: Time of each of the 2 num_values - 2 frames.
    """
    from PIL import Image

    order = np.argsort(-kl, kind="stable")
    images = paled(images[order], active[order])
    labels = [f"z{latents[row]}" + ("" if active[row] else " dead") for row in order]
    colours = [INK if active[row] else GREY for row in order]
    columns = min(columns, len(images))
    still = [_frame(images[:, s], labels, colours, columns) for s in range(images.shape[1])]
    palette = Image.fromarray(np.concatenate(still)).quantize(256)  # one, or colours would flicker
    frames = [
        Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE)
        for frame in still
    ]
    frames += frames[-2:0:-1]
    options = {"save_all": True, "append_images": frames[1:], "duration": milliseconds, "loop": 0}
    folder.write_atomic(path, lambda file: frames[0].save(file, format="gif", **options))


def _frame(images: np.ndarray, labels: list[str], colours: list[str], columns: int) -> np.ndarray:
    """One moment of the GIF: an image per latent, its label below it."""
    from PIL import Image, ImageDraw, ImageFont

    caption = 18
    rows = [filled(images[i : i + columns], columns) for i in range(0, len(images), columns)]
    strips = [montage(row[None]) for row in rows]
    high, wide = strips[0].shape[0] + caption, strips[0].shape[1]
    picture = Image.new("RGB", (wide, high * len(strips)), "white")
    for number, strip in enumerate(strips):
        picture.paste(Image.fromarray(strip), (0, number * high))
    draw, font = ImageDraw.Draw(picture), ImageFont.truetype(_FONT, 13)
    middles = centres(columns, images.shape[2] * factor(images))
    for number, (label, colour) in enumerate(zip(labels, colours, strict=True)):
        row, column = divmod(number, columns)
        place = (middles[column], (row + 1) * high - caption / 2)
        draw.text(place, label, fill=colour, font=font, anchor="mm")
    return np.asarray(picture)


def save_montage(path: Path, images: np.ndarray, *, columns: int = 8) -> None:
    """Write images side by side as one PNG.

    Args:
        path: File to write.
        images: Shape (n, H, W, C), uint8.
        columns: Images per row.
    """
    from PIL import Image

    rows = [filled(images[i : i + columns], columns) for i in range(0, len(images), columns)]
    picture = Image.fromarray(montage(np.stack(rows)))
    folder.write_atomic(path, lambda file: picture.save(file, format="png"))
