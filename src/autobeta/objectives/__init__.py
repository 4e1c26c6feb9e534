"""Objectives: what a method counts, unweighted."""

from autobeta.objectives._base import AbstractAdversarialObjective, AbstractObjective
from autobeta.objectives.density_ratio import DensityRatio
from autobeta.objectives.elbo import Elbo
from autobeta.objectives.mmd import MaximumMeanDiscrepancy, squared_mmd
from autobeta.objectives.moments import CovariancePenalty
from autobeta.objectives.total_correlation import Parts, SplitKL, split_kl

__all__ = [
    "AbstractAdversarialObjective",
    "AbstractObjective",
    "CovariancePenalty",
    "DensityRatio",
    "Elbo",
    "MaximumMeanDiscrepancy",
    "Parts",
    "SplitKL",
    "split_kl",
    "squared_mmd",
]
