"""Methods, one file each; a module's name is the method's name."""

from autobeta.methods._base import Facts, Recipe
from autobeta.rules import Settings

__all__ = ["Facts", "Recipe", "Settings"]
