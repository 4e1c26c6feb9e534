"""A Laplace distribution with scale 1 for each pixel: the absolute error, without constants."""

from autobeta.models.likelihoods._base import AbstractLikelihood, Mean, PerImage, link_of
from autobeta.rules import Positive, checked
from autobeta.types import Images

SOURCE = "Laplace's first law of error; as a decoder it is the sum of absolute errors"


class Laplace(AbstractLikelihood):
    """Laplace with one fixed scale: the absolute error over it, nats.

    Its constants are left out, as those of `Gaussian`.

    Args:
        scale: Mean absolute deviation of a pixel, in units of the pixel range [0, 1].
        mean: linear, as the decoder gives it, or logistic, its logistic function.
    """

    @checked
    def __init__(self, scale: Positive = 1.0, mean: Mean = "linear") -> None:
        super().__init__()
        self.link, self.scale = link_of(mean), scale

    def nll(self, outputs: Images, x: Images) -> PerImage:
        """Absolute error over the scale, summed over pixels."""
        return (self.link(outputs) - x).abs().sum(dim=(1, 2, 3)) / self.scale


build = Laplace
