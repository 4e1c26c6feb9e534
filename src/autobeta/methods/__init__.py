"""Methods, one file each; a module's name is the method's name."""

from autobeta.methods._base import Facts, Recipe, Settings

__all__ = ["Facts", "Recipe", "Settings"]
