"""Launchers: each carries out the runs of a study somewhere, and knows nothing of what they are.

A module has `OPTIONS`, the dataclass of its own settings, and

    check(options) -> None
    launch(study, names, options, *, workers, told) -> None

`check` refuses what can be refused before the study's folder is claimed: a library that is
missing, by an ImportError that names the extra, or a cluster that can't be reached.

`launch` has `autobeta.study.worker` carry out the runs of these names, in their order, so many at
a time as `workers` says, and calls `told` as each begins, comes further and ends. A run that some
process already trains ("busy") is tried again; a failed one does not stop the others. It returns
when nothing is left to do. When it is interrupted, it stops what it has started, or says how.
"""

from collections.abc import Callable

Told = Callable[[str, str, str], object]
"""Called with a run's name, its state (running, done, failed or stopped), and the reason of a
failure, or how far a running one is."""

AGAIN = 10.0
"""Seconds until a run that another process trains is tried again."""
