"""Beta of another convention of the loss."""

import tyro

from autobeta.control.conventions import OURS, Convention
from autobeta.rules import Count, NonNegative


def command(
    beta: tyro.conf.Positional[NonNegative],
    *,
    origin: Convention = OURS,
    target: Convention = OURS,
    image_size: Count = 64,
    channels: Count = 1,
    num_latents: Count = 10,
) -> None:
    """Convert beta from one convention of the loss to another; ours is the default of both.

    Args:
        beta: Weight of the KL where it comes from.
        origin: Convention that it was stated in.
        target: Convention that it is wanted in.
        image_size: Height and width of the images.
        channels: 1 for grey, 3 for RGB.
        num_latents: Number of latents.
    """
    from autobeta.control import convert_beta

    values = image_size**2 * channels
    print(f"{convert_beta(beta, origin, target, num_values=values, num_latents=num_latents):.6g}")
