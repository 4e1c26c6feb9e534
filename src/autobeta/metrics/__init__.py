"""Disentanglement metrics: functions of codes and ground-truth factors.

Each metric is a module of its own name; here the functions stand in front of the modules, so
`autobeta.metrics.mig` is the function and `autobeta.registry.load("metrics", "mig")` the module.
"""

from autobeta.metrics._intervals import intervals
from autobeta.metrics._names import check_metrics, printed_name
from autobeta.metrics._quality import ImageQuality, image_quality
from autobeta.metrics._suite import score
from autobeta.metrics._udr import udr, udr_spearman
from autobeta.metrics._validate import live_latents
from autobeta.metrics.betavae import betavae
from autobeta.metrics.chenmig import chenmig
from autobeta.metrics.dci import DCI, dci, dci_gbt, dci_lasso, dci_rf
from autobeta.metrics.dcimig import dcimig
from autobeta.metrics.explicitness import explicitness
from autobeta.metrics.factorvae import factorvae
from autobeta.metrics.gaussian_total_correlation import gaussian_total_correlation
from autobeta.metrics.gaussian_wasserstein import gaussian_wasserstein
from autobeta.metrics.infomec import InfoMEC, infomec
from autobeta.metrics.irs import irs
from autobeta.metrics.jemmig import jemmig
from autobeta.metrics.mcc import mcc, mcc_spearman
from autobeta.metrics.mig import mig
from autobeta.metrics.modularity import modularity
from autobeta.metrics.probes import probes
from autobeta.metrics.rmig import rmig
from autobeta.metrics.sap import sap

__all__ = [
    "DCI",
    "ImageQuality",
    "InfoMEC",
    "betavae",
    "check_metrics",
    "chenmig",
    "dci",
    "dci_gbt",
    "dci_lasso",
    "dci_rf",
    "dcimig",
    "explicitness",
    "factorvae",
    "gaussian_total_correlation",
    "gaussian_wasserstein",
    "image_quality",
    "infomec",
    "intervals",
    "irs",
    "jemmig",
    "live_latents",
    "mcc",
    "mcc_spearman",
    "mig",
    "modularity",
    "printed_name",
    "probes",
    "rmig",
    "sap",
    "score",
    "udr",
    "udr_spearman",
]
