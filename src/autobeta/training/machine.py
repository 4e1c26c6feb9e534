"""What this machine has, and does best: devices, memory that stays, precision, a compiler."""

import ctypes
import functools
import os
import shutil
import sysconfig
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

import torch
from joblib import cpu_count

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # of glibc's malloc.h
_LARGEST = 2**31 - 1


@functools.cache
def keep_freed_memory() -> bool:
    """Have glibc keep memory that tensors free for the tensors of the next step.

    Each map of features would else be fresh memory of the system, of thousands of pages to be
    cleared, in every step. The process keeps what it once needed until it ends. It is done once;
    False where the C library is another.
    """
    try:
        libc = ctypes.CDLL(None)
        mallopt, _ = libc.mallopt, libc.gnu_get_libc_version
    except (AttributeError, OSError, TypeError):
        return False
    # some versions take no threshold above 32 MiB
    kept = mallopt(_MMAP_THRESHOLD, 1 << 30) or mallopt(_MMAP_THRESHOLD, 32 << 20)
    return bool(kept and mallopt(_TRIM_THRESHOLD, _LARGEST) and mallopt(_TOP_PAD, 64 << 20))


@contextmanager
def denormals_as_zero() -> Iterator[None]:
    """Count numbers below 1.2e-38 as 0 on the CPU; afterwards again as before.

    Adam's mean gradient of a dead unit decays into them and never out, since 0.9 of the least of
    them is rounded to itself. On some processors each costs a hundred cycles, so that a step takes
    twice as long after some thousand.
    """
    before = not torch.full((1,), 1e-39).mul(0.5).item()
    _flush_denormals(True)
    try:
        yield
    finally:
        _flush_denormals(before)


def _flush_denormals(on: bool) -> None:
    """Set it in this thread, and in the others that torch computes with, where it has OpenMP."""
    torch.set_flush_denormal(on)
    body = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda _: torch.set_flush_denormal(on))
    number, flags = ctypes.c_uint(torch.get_num_threads()), ctypes.c_uint(0)
    for library in Path(torch.__file__).parent.glob("lib/libgomp*"):
        with suppress(OSError, AttributeError):
            ctypes.CDLL(str(library)).GOMP_parallel(body, None, number, flags)


def free_cores(seconds: float = 0.1) -> int:
    """How many cores are free for this process now, at least 1: those that others leave idle.

    On Linux the machine is watched for some `seconds`; elsewhere nobody else is counted.
    """
    usable = cpu_count()
    before = _idle_time()
    if before is None:
        return usable
    begin = time.monotonic()
    time.sleep(seconds)
    after = _idle_time()
    assert after is not None
    idle = (after - before) / (time.monotonic() - begin)
    return max(1, min(usable, round(idle)))


def warn_of_too_many(threads: int) -> None:
    """Warn if there are more threads than cores that this process may use."""
    if threads > (usable := cpu_count()):
        warnings.warn(
            f"`threads` is {threads}, and this process may use {usable} of the machine's cores; "
            "the others wait and slow all down. Leave it out to take the cores that are free.",
            stacklevel=3,
        )


def _idle_time() -> float | None:
    """Seconds that all cores together have been idle, since the machine was started."""
    try:
        words = Path("/proc/stat").read_text().split(maxsplit=6)
        return (int(words[4]) + int(words[5])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return None


def quickest_precision(device: torch.device) -> Literal["float32", "bfloat16"]:
    """bfloat16 where the device has instructions that multiply it, else float32.

    That is AMX or AVX-512 BF16 on a CPU, and compute capability 8 on CUDA.
    """
    if device.type == "cuda":
        has = torch.cuda.get_device_capability(device) >= (8, 0)
    elif device.type == "cpu" and hasattr(torch.cpu, "get_capabilities"):
        found = torch.cpu.get_capabilities()
        has = bool(found.get("amx_bf16") or found.get("avx512_bf16"))
    else:
        has = False
    return "bfloat16" if has else "float32"


def check_compiler(device: torch.device) -> None:
    """Refuse torch.compile where what it needs is missing; on CUDA it is not used.

    Raises:
        ValueError: If there is no C++ compiler with Python's headers.
    """
    if device.type == "cuda":
        return
    compilers = [os.environ.get("CXX", ""), "g++", "clang++"]
    missing = [] if any(map(shutil.which, filter(None, compilers))) else ["g++ or clang++"]
    if not (Path(sysconfig.get_path("include")) / "Python.h").exists():
        missing.append("Python's headers (Python.h)")
    if missing:
        raise ValueError(
            f"`compile` must be left out here; found no {' and no '.join(missing)}. Install what "
            "is missing, or train without --compile."
        )


def find_device(name: str) -> torch.device:
    """The device of a name that this machine has; "auto" takes the quickest.

    Raises:
        ValueError: If there is none of that name; the message lists what there is.
    """
    found = ["cpu"]
    if torch.cuda.is_available():
        found += ["cuda", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
    if torch.backends.mps.is_available():
        found.append("mps")
    if name == "auto":
        return torch.device(_quickest(found))
    if name not in found:
        raise ValueError(
            f"`device` must be auto or one that torch {torch.__version__} finds here, "
            f"{', '.join(found)}; got {name!r}. Take auto, which is {_quickest(found)} here."
        )
    return torch.device(name)


def _quickest(found: list[str]) -> str:
    return found[1] if len(found) > 1 else "cpu"
