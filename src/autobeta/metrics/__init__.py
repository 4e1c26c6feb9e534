"""Disentanglement metrics: functions of codes and ground-truth factors.

Each metric is a module of its own name; here the functions stand in front of the modules, so
`autobeta.metrics.mig` is the function and `autobeta.registry.load("metrics", "mig")` the module.
"""

from autobeta.metrics._suite import printed_name, score
from autobeta.metrics._validate import live_latents
from autobeta.metrics.dci import DCI, dci
from autobeta.metrics.factorvae import factorvae
from autobeta.metrics.irs import irs
from autobeta.metrics.mig import mig
from autobeta.metrics.modularity import modularity
from autobeta.metrics.rmig import rmig
from autobeta.metrics.sap import sap

__all__ = [
    "DCI",
    "dci",
    "factorvae",
    "irs",
    "live_latents",
    "mig",
    "modularity",
    "printed_name",
    "rmig",
    "sap",
    "score",
]
