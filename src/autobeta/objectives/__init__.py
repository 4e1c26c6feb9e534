"""Objectives: what a method counts, unweighted."""

from autobeta.objectives._base import AbstractObjective
from autobeta.objectives.elbo import Elbo

__all__ = ["AbstractObjective", "Elbo"]
