"""How much memory there is, and how much a process holds; Linux tells, others don't."""

import os
from pathlib import Path

GUESS = 3 * 2**29
"""Bytes that a run is taken to need as long as none like it has ended."""


def available_memory() -> int | None:
    """Bytes that can be had without swapping, within a container's limit; None if not known."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        free = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError, IndexError):
        return None
    return min(1024 * free, *_left_in_container(Path("/sys/fs/cgroup")))


def _left_in_container(folder: Path) -> list[int]:
    """Bytes that a container's limit leaves, if there is one; with a number beyond any memory."""
    try:
        most, used = (
            int((folder / name).read_text()) for name in ("memory.max", "memory.current")
        )
    except (OSError, ValueError):  # "max", that is no limit
        return [2**63]
    return [max(0, most - used)]


def resident_memory(pid: int) -> int:
    """Bytes that a process holds; 0 if not known."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0
