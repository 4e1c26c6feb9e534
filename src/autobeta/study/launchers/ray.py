"""Runs as tasks of Ray, on this machine or on a cluster.

The study's folder must lie on storage that all nodes see, by the same path, and autobeta must be
installed on each. A task starts the run's worker as a process of its own and waits for it, so a
run leaves nothing behind in Ray's own processes. Where a node is lost, Ray begins its tasks on
another, and the runs go on from their checkpoints.
"""

import logging
import math
import os
import socket
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autobeta.rules import Index, NonNegative, Positive, Settings
from autobeta.study.folder import Study, read_study
from autobeta.study.launchers import AGAIN, Told
from autobeta.study.launchers._follow import Follower
from autobeta.study.launchers._process import Attempts, start
from autobeta.study.worker import Outcome

_POLL = 0.2
_REACH = 5.0  # seconds until a cluster must have answered
_STOP = 120.0  # seconds for the checkpoints of runs that are stopped
_STORE = 80 * 2**20  # bytes of Ray's object store; ours are numbers


@dataclass(frozen=True, kw_only=True)
class RayOptions(Settings):
    """How runs are carried out by Ray."""

    address: str | None = None
    """A cluster: host:port, ray://host:port, or auto for the one that this machine belongs to; one
    of this machine alone is started if not given."""
    cpus: Positive = 1.0
    """Cores that a run reserves; it computes on one thread unless train.threads says more."""
    gpus: NonNegative = 0.0
    """GPUs that a run reserves, such as 0.25 for four runs on each."""
    retries: Index = 2
    """How often a run is begun again that was lost before it came a step further."""


OPTIONS = RayOptions


@dataclass
class _Tasks:
    """The runs that wait, those that Ray has, and when a busy one is tried again."""

    study: Study
    told: Told
    attempts: Attempts
    follower: Follower
    waiting: deque[str]
    most: int
    running: dict[Any, str] = field(default_factory=dict)
    later: dict[str, float] = field(default_factory=dict)


def check(options: RayOptions) -> None:
    """Refuse to begin without Ray, or where its cluster does not answer.

    Raises:
        ImportError: If Ray is not installed.
        ValueError: If the address is none, or nothing answers there.
    """
    try:
        import ray  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "The launcher ray needs the library ray, which is not installed. "
            "Run: pip install 'autobeta[ray]'"
        ) from error
    address = os.environ.get("RAY_ADDRESS") if options.address == "auto" else options.address
    if address is not None and address != "local":
        _reach(address)


def _reach(address: str) -> None:
    """Refuse an address where nothing answers; Ray itself would wait for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():
        raise ValueError(
            f"`ray.address` must be host:port, ray://host:port or auto; got {address!r}. Ray's "
            "own port is 6379, that of ray:// is 10001."
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_REACH).close()
    except (OSError, OverflowError) as error:
        raise ValueError(
            f"`ray.address` must be a Ray cluster; nothing answers at {address}: {error}. Start "
            f"it with `ray start --head --port {port}`, or leave the address out."
        ) from error


def launch(
    study: Path, names: Sequence[str], options: RayOptions, *, workers: int | None, told: Told
) -> None:
    """Carry out runs of a study by Ray; see `autobeta.study.launchers`.

    Without a number of workers, Ray is given all runs and begins as many as its nodes have cores
    and GPUs for.
    """
    check(options)
    found = read_study(study)
    attempts = Attempts(found, options.retries)
    most = workers or len(names)
    tasks = _Tasks(found, told, attempts, Follower(found, told), deque(names), most)
    with _connected(options, workers):
        task = _task(options)
        try:
            while tasks.waiting or tasks.running or tasks.later:
                _submit(tasks, task)
                _collect(tasks)
        finally:
            _stop(tasks)


@contextmanager
def _connected(options: RayOptions, workers: int | None) -> Iterator[None]:
    """Connected to the cluster; one that the caller is connected to is left as it is."""
    import ray

    if ray.is_initialized():
        yield
        return
    own: dict[str, Any] = {}
    if options.address is None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nobody is told of this study
        cores = None if workers is None else max(1, math.ceil(workers * options.cpus))
        own = {"num_cpus": cores, "include_dashboard": False, "object_store_memory": _STORE}
    try:
        ray.init(
            address=options.address or "local",
            log_to_driver=False,
            logging_level=logging.WARNING,
            **own,
        )
    except ConnectionError as error:
        raise ValueError(
            f"`ray.address` must be a Ray cluster; got {options.address}: {error}"
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def _task(options: RayOptions) -> Any:  # noqa: ANN401 - a function of Ray
    """The task as Ray takes it; refused where a cluster of this machine can never run it."""
    import ray

    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    room = [
        node.get("GPU", 0) >= options.gpus and node.get("CPU", 0) >= options.cpus for node in nodes
    ]
    if options.address is None and not any(room):
        has = f"{nodes[0].get('CPU', 0):g} cores and {nodes[0].get('GPU', 0):g} GPUs"
        raise ValueError(
            f"`ray.cpus` and `ray.gpus` must fit a node; got {options.cpus:g} and "
            f"{options.gpus:g}, where this machine has {has}. Ask for less."
        )
    remote = ray.remote(num_cpus=options.cpus, num_gpus=options.gpus, max_retries=options.retries)
    return remote(_carry_out)


def _carry_out(folder: str, name: str) -> int:
    """Have a run carried out on this node; the exit status of its worker."""
    process = start(read_study(Path(folder)), name)
    try:
        while (status := process.poll()) is None:
            time.sleep(_POLL)
        return status
    finally:  # Ray cancels a task by KeyboardInterrupt
        if process.poll() is None:
            process.terminate()
            process.wait()


def _submit(tasks: _Tasks, task: Any) -> None:  # noqa: ANN401 - a function of Ray
    now = time.monotonic()
    for name in [name for name, due in tasks.later.items() if due <= now]:
        del tasks.later[name]
        tasks.waiting.append(name)
    while tasks.waiting and len(tasks.running) < tasks.most:
        name = tasks.waiting.popleft()
        tasks.attempts.begin(name)
        tasks.follower.expect(name)
        tasks.running[task.remote(str(tasks.study.folder.resolve()), name)] = name


def _collect(tasks: _Tasks) -> None:
    import ray

    if not tasks.running:
        time.sleep(_POLL)
    ended, _ = ray.wait([*tasks.running], timeout=_POLL) if tasks.running else ([], [])
    tasks.follower.look(tasks.running.values())
    for reference in ended:
        name = tasks.running.pop(reference)
        outcome = _outcome(tasks, name, reference)
        if outcome is None:
            tasks.waiting.appendleft(name)
        elif outcome.state == "busy":
            tasks.later[name] = time.monotonic() + AGAIN
        else:
            tasks.told(name, outcome.state, outcome.reason)


def _outcome(tasks: _Tasks, name: str, reference: Any) -> Outcome | None:  # noqa: ANN401
    """What became of a task; None if its run is to be begun again."""
    import ray

    try:
        return tasks.attempts.outcome(name, ray.get(reference))
    except ray.exceptions.RayError as error:  # lost too often, or autobeta is not on the node
        lines = str(error).strip().splitlines() or [repr(error)]
        reason = lines[-1] if isinstance(error, ray.exceptions.RayTaskError) else lines[0]
        return tasks.attempts.fail(name, f"Ray lost it: {reason}")


def _stop(tasks: _Tasks) -> None:
    """Have the runs write their checkpoints and end, and wait for it."""
    import ray

    if not tasks.running:
        return
    for reference in tasks.running:
        ray.cancel(reference, recursive=False)
    ray.wait([*tasks.running], num_returns=len(tasks.running), timeout=_STOP)
    for name in tasks.running.values():
        tasks.told(name, "stopped", "")
