"""One place that seeds everything and reads and restores the random state."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


def seed_everything(seed: int) -> None:
    """Seed torch on every device; data batches and metrics have generators of their own.

    Runs are reproducible bit for bit on one machine with one number of threads. Another number of
    threads, another processor or CUDA's atomic additions change the last bits.
    """
    torch.manual_seed(seed)


def random_states(device: torch.device) -> dict[str, Tensor]:
    """The state of torch's generators: the CPU's, and that of the device that a run is on."""
    states = {"random.cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["random.cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        states["random.mps"] = torch.mps.get_rng_state()
    return states


def restore_random_states(states: dict[str, Tensor], device: torch.device) -> None:
    """Go on with the random numbers where `random_states` was taken, on a device of its kind."""
    torch.set_rng_state(states["random.cpu"])
    earlier = states.get(f"random.cuda.{device.index or 0}")  # as version 0.1 wrote it
    if device.type == "cuda" and (found := states.get("random.cuda", earlier)) is not None:
        torch.cuda.set_rng_state(found, device)
    elif device.type == "mps" and "random.mps" in states:
        torch.mps.set_rng_state(states["random.mps"])


@contextmanager
def random_numbers_of(seed: int, device: torch.device) -> Iterator[None]:
    """Draw from a seed of one's own, then go on with the random numbers where they were."""
    kept = random_states(device)
    try:
        torch.manual_seed(seed)
        yield
    finally:
        restore_random_states(kept, device)
