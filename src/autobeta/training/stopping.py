"""Turn Ctrl-C and SIGTERM into a request to stop after the current step."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StopRequest:
    """Which signal asked for a stop; 0 as long as none did."""

    signal_number: int = 0


class InterruptedRunError(Exception):
    """A run stopped on a signal after writing its checkpoint.

    Args:
        step: Updates done.
        signal_number: The signal, 2 for Ctrl-C and 15 for SIGTERM.
    """

    def __init__(self, step: int, signal_number: int) -> None:
        super().__init__(f"stopped at step {step} by {signal.Signals(signal_number).name}")
        self.step = step
        self.signal_number = signal_number


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Collect SIGINT and SIGTERM while a run is going; a second Ctrl-C interrupts at once."""
    request = StopRequest()

    def handle(number: int, frame: FrameType | None) -> None:
        del frame
        if request.signal_number:
            raise KeyboardInterrupt
        request.signal_number = number

    former = {}
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            former[number] = signal.signal(number, handle)
    except ValueError:
        pass  # not in the main thread: signals stay with the caller
    try:
        yield request
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
