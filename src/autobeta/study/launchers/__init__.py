"""Launchers: each carries out the runs of a study somewhere, and knows nothing of what they are.

A module has `Options`, a dataclass of its own settings, and

    launch(study, names, options, *, workers, told) -> None

which has `autobeta.study.worker.carry_out` done for the runs of these names, in their order, so
many at a time as `workers` says, and calls `told(name, outcome)` as each begins ("running") and
ends. A run that some process already trains ("busy") is tried again; a failed one does not stop
the others. It returns when nothing is left to do, and stops its workers when it is interrupted.
What a library is missing for is said in an ImportError that names the extra.
"""
