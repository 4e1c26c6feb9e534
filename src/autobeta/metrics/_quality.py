"""How close images are to their originals."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike
from scipy.ndimage import gaussian_filter

_REACH = 5  # pixels from the middle of SSIM's window to its edge
SSIM_PIXELS = 2 * _REACH + 1
"""Height and width of that window, which images must have at least."""

Image = Float[np.ndarray, "_ _ channel"]


class ImageQuality(NamedTuple):
    """Means over images."""

    mse: float  # squared error per pixel and channel of images in [0, 1]
    psnr: float  # peak signal-to-noise ratio in dB, at most 100
    ssim: float  # structural similarity, 1 for equal images


def image_quality(originals: ArrayLike, images: ArrayLike) -> ImageQuality:
    """Mean squared error, peak signal-to-noise ratio and structural similarity.

    Both arrays are of shape (num_images, height, width, channels), uint8 or real in [0, 1], at
    least 11 pixels high and wide. SSIM is that of Wang et al.: a Gaussian window of standard
    deviation 1.5 pixels, mean over channels and pixels. Images of few pixels that are not
    background, as in dSprites, have a high PSNR and SSIM whatever stands in them; compare on one
    data set only. Other arrays than these, or of two shapes, are a TypeError or a ValueError.

    Source:
        Wang et al., Image Quality Assessment: From Error Visibility to Structural Similarity,
        2004, https://doi.org/10.1109/TIP.2003.819861, eq. 13; scikit-image 0.26 has the same.

    Example:
        >>> x = np.zeros((1, 16, 16, 1))
        >>> image_quality(x, x + 0.1).psnr.__round__(6)
        20.0
    """
    x, y = _unit_images(originals, "originals"), _unit_images(images, "images")
    if x.shape != y.shape:
        raise ValueError(f"`images` must have the shape of `originals`, {x.shape}; got {y.shape}.")
    mse = ((x - y) ** 2).mean(axis=(1, 2, 3))
    ssim = [_structural_similarity(a, b) for a, b in zip(x, y, strict=True)]
    psnr = -10 * np.log10(np.maximum(mse, 1e-10))
    return ImageQuality(float(mse.mean()), float(psnr.mean()), float(np.mean(ssim)))


def _structural_similarity(x: Image, y: Image) -> float:
    """Mean over the windows that lie whole in the image, and over channels."""

    def mean(values: Image) -> Image:
        smooth = gaussian_filter(values, (1.5, 1.5, 0), radius=(_REACH, _REACH, 0))
        return smooth[_REACH:-_REACH, _REACH:-_REACH]

    mean_x, mean_y = mean(x), mean(y)
    variances = mean(x * x) - mean_x**2 + mean(y * y) - mean_y**2
    covariance = mean(x * y) - mean_x * mean_y
    c1, c2 = 0.01**2, 0.03**2  # of images whose values span 1
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    structure = (2 * covariance + c2) / (variances + c2)
    return float((luminance * structure).mean())


def _unit_images(images: ArrayLike, name: str) -> Float[np.ndarray, "image height width channel"]:
    array = np.asarray(images)
    if array.dtype.kind != "f" and array.dtype != np.uint8:
        raise TypeError(f"`{name}` must be uint8 or real; got dtype {array.dtype}.")
    if array.ndim != 4 or array.size == 0 or min(array.shape[1:3]) < SSIM_PIXELS:
        raise ValueError(
            f"`{name}` must have shape (num_images, height, width, channels), at least "
            f"{SSIM_PIXELS} pixels high and wide; got {array.shape}."
        )
    unit = array.astype(np.float64) / (255 if array.dtype == np.uint8 else 1)
    if not (unit.min() >= 0 and unit.max() <= 1):
        raise ValueError(
            f"`{name}` must lie in [0, 1]; got {unit.min():g} to {unit.max():g}. Scale them."
        )
    return unit
