"""BibTeX of a method or a data set."""

import tyro

from autobeta import registry


def command(name: tyro.conf.Positional[str]) -> None:
    """Print the BibTeX entry of a method or a data set.

    Args:
        name: Name of the method or data set.
    """
    known = {n: f for f in ("data", "methods") for n in registry.available(f)}
    if name not in known:
        registry.check_name("methods", name)
    print(registry.describe(known[name], name).get("CITATION") or "% there is nothing to cite")
