"""Interrupts: requests to end, put off while child processes are started or ended."""

import signal
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self

#: What asks a process to end: Ctrl-C, a supervisor, a terminal that is closed.
REQUESTS = ("SIGINT", "SIGTERM", "SIGHUP")


class Interrupts:
    """Makes a KeyboardInterrupt of every request to end, and none while they are held.

    One that came in the middle of a start would leave a process that nobody knows of.
    """

    def __init__(self) -> None:
        self._before: dict[int, Any] = {}
        self._holding = False
        self._missed = False

    def __enter__(self) -> Self:
        for name in REQUESTS:
            number = getattr(signal, name, None)
            # What is ignored stays so: that is how nohup works.
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._take)
        return self

    def __exit__(self, *exc_info: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _take(self, number: int, frame: FrameType | None) -> None:
        if not self._holding:
            raise KeyboardInterrupt
        self._missed = True

    def hold(self) -> None:
        """Put off every request from now on."""
        self._holding = True

    @contextmanager
    def held(self) -> Generator[None, None, None]:
        """Put off requests for a while.

        Raises:
            KeyboardInterrupt: in the end, if there was one.
        """
        self.hold()
        try:
            yield
        finally:
            self._holding = False
        if self._missed:
            raise KeyboardInterrupt
