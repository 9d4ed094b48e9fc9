"""SIGTERM and Ctrl-C during training: noticed at once, obeyed when the step is done."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Generator
from types import FrameType

# timeout(1) sends its signal twice, to the process and to its group; a person takes longer.
_DOUBLE_SIGNAL_SECONDS = 0.5


class Interrupted(KeyboardInterrupt):
    """Training stopped for a signal after its state was saved; running it again goes on from there.

    `signal` is SIGINT or SIGTERM, `step` the number of steps that are done and saved.
    """

    def __init__(self, received: signal.Signals, step: int) -> None:
        super().__init__(
            f"stopped by {received.name} after step {step}, which is saved; run again to go on"
        )
        self.signal = received
        self.step = step


class Interruption:
    """Whether a signal came in."""

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._first = 0.0

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Remember the signal; a second Ctrl-C raises KeyboardInterrupt at once."""
        now = time.monotonic()
        if self.received is None:
            self.received = signal.Signals(number)
            self._first = now
        elif number == signal.SIGINT and now - self._first > _DOUBLE_SIGNAL_SECONDS:
            raise KeyboardInterrupt


@contextlib.contextmanager
def noticed_interruption() -> Generator[Interruption]:
    """Catch SIGINT and SIGTERM for the time of the block; the earlier handlers return after it.

    Outside the main thread signals cannot be caught, and none is.
    """
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    before = {
        number: signal.signal(number, interruption.handle)
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            # None stands for a handler that was not installed by Python and cannot come back.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
