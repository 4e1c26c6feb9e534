"""Tells of runs that are carried out elsewhere, from the study's folder, which all nodes see."""

import time
from collections.abc import Iterable

from autobeta.study.folder import Study
from autobeta.study.launchers import Told
from autobeta.study.progress import progress_of

LOOK = 3.0
"""Seconds between two looks into the folder."""
TELL = 15.0
"""Seconds between two words on one run."""


class Follower:
    """Tells when a run begins, and now and then how far it is.

    Args:
        study: The study.
        told: Called as launchers do.
    """

    def __init__(self, study: Study, told: Told) -> None:
        self._study = study
        self._told = told
        self._begun: dict[str, object] = {}
        self._last: dict[str, tuple[float, int]] = {}
        self._next = 0.0

    def expect(self, name: str) -> None:
        """Take note of a run's former attempt, so that the next one is known as new."""
        self._begun[name] = self._attempt(name)

    def look(self, names: Iterable[str]) -> None:
        """Tell what is new about these runs, if the last look is a while ago."""
        begin = time.monotonic()
        if begin < self._next:
            return
        for name in names:
            self._look(name)
        now = time.monotonic()
        self._next = now + max(LOOK, 20 * (now - begin))  # many runs on a slow disk

    def _look(self, name: str) -> None:
        attempt = self._attempt(name)
        if attempt is None:
            return
        now = time.monotonic()
        if attempt != self._begun.get(name):
            self._begun[name] = attempt
            self._last[name] = now, 0
            self._told(name, "running", "")
        when, step = self._last.get(name, (now, 0))
        if now - when < TELL:
            return
        found = progress_of(self._study, name)
        self._last[name] = now, found.step
        if found.step != step and found.speed is not None:
            done = f"step {found.step:,} of {found.steps:,}"
            self._told(name, "running", f"{done}, {found.speed:,.0f} images/s")

    def _attempt(self, name: str) -> object:
        """What tells the present attempt at a run from another; None if there is none now."""
        found = self._study.attempt(name)
        if found.get("state") != "running":
            return None
        return found.get("host"), found.get("pid"), found.get("started")
