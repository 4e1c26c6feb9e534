"""One place that seeds everything and reads and restores the random state."""

import torch
from torch import Tensor


def seed_everything(seed: int) -> None:
    """Seed torch on every device; data batches and metrics have generators of their own.

    Runs are reproducible bit for bit on one machine with one number of threads. Another number of
    threads, another processor or CUDA's atomic additions change the last bits.
    """
    torch.manual_seed(seed)


def random_states() -> dict[str, Tensor]:
    """The state of torch's generators, on the CPU and on each CUDA device."""
    states = {"random.cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        for i, state in enumerate(torch.cuda.get_rng_state_all()):
            states[f"random.cuda.{i}"] = state
    return states


def restore_random_states(states: dict[str, Tensor]) -> None:
    """Go on with the random numbers where `random_states` was taken."""
    torch.set_rng_state(states["random.cpu"])
    if torch.cuda.is_available():
        for i in range(torch.cuda.device_count()):
            if f"random.cuda.{i}" in states:
                torch.cuda.set_rng_state(states[f"random.cuda.{i}"], i)
