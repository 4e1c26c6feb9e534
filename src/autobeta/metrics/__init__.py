"""Disentanglement metrics: functions of codes and ground-truth factors.

A metric is a module of this folder, or of an entry point, with a function of its own name and
the constants

- `SOURCE`, `RANGE`, `HIGHER_IS_BETTER`; `NEEDS`, the inputs it can't do without; `DEFAULT`,
  whether it belongs to the default suite;
- `LAWS`, what may be done to the input without moving the score (for each function, where there
  are several): points, latents, factors (their order), signs, values (renamed), scale (one for
  all), scales (one for each latent), shift, bend (a rising function of each latent), rotation;
- where there are any: `OPTIONS`, option to (least, largest), whole numbers for whole numbers;
  `VARIANTS`, word to function; `VARIANT`, what the printed name has in brackets; `TOLERANCE` of
  the laws, where a solver or a draw moves the score; `DEAD_RULE`, true if it takes `logvars` to
  leave out dead latents; `NOT_FINITE`, why it may be; `LIBRARIES`, function to the extras that it
  can't do without.

They are literals, read without importing. The package has the functions and classes of these
modules under their names: `autobeta.metrics.mig` is the function, and
`autobeta.registry.load("metrics", "mig")` the module.
"""

import sys
from types import ModuleType
from typing import Any

from autobeta.metrics._factors import constant_factors, has_too_many
from autobeta.metrics._intervals import INTERVALS_COVER, intervals
from autobeta.metrics._libraries import check_libraries, left_out
from autobeta.metrics._names import check_metrics, needed, printed_name
from autobeta.metrics._quality import SSIM_PIXELS, ImageQuality, image_quality
from autobeta.metrics._shares import information_shares
from autobeta.metrics._suite import score
from autobeta.metrics._udr import udr, udr_spearman
from autobeta.metrics._validate import live_latents
from autobeta.registry import available, load

__all__ = [
    "INTERVALS_COVER",
    "SSIM_PIXELS",
    "ImageQuality",
    "check_libraries",
    "check_metrics",
    "constant_factors",
    "has_too_many",
    "image_quality",
    "information_shares",
    "intervals",
    "left_out",
    "live_latents",
    "needed",
    "printed_name",
    "score",
    "udr",
    "udr_spearman",
]
__all__ += available("metrics")


class _Package(ModuleType):
    def __setattr__(self, name: str, value: Any) -> None:  # noqa: ANN401 - any attribute
        # importing a submodule binds it here; a metric's function stands in front of its module
        own = isinstance(value, ModuleType) and getattr(value, name, None)
        super().__setattr__(name, own or value)


def __getattr__(name: str) -> Any:  # noqa: ANN401 - functions and classes of metrics
    if name in __all__:
        return getattr(load("metrics", name), name)
    if not name.startswith("_"):
        # a variant or a class is most likely in the module whose name it starts with
        for base in sorted(available("metrics"), key=lambda b: not name.lower().startswith(b)):
            found = vars(load("metrics", base)).get(name)
            if getattr(found, "__module__", None) == load("metrics", base).__name__:
                return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


sys.modules[__name__].__class__ = _Package
