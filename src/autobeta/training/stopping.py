"""Turn Ctrl-C and SIGTERM into a request to stop after the current step."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StopRequest:
    """Which signal asked for a stop; 0 as long as none did."""

    signal_number: int = 0


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Collect SIGINT and SIGTERM while a run is going; a second Ctrl-C interrupts at once.

    A second SIGTERM does not: schedulers send several, and so does Linux for each thread of a
    parent that is killed.
    """
    request = StopRequest()

    def handle(number: int, frame: FrameType | None) -> None:
        del frame
        if request.signal_number and number == signal.SIGINT:
            raise KeyboardInterrupt("interrupted; the steps since the last checkpoint are lost")
        request.signal_number = request.signal_number or number

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
