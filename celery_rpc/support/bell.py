"""Bell: wakes threads that wait for something to become true."""

from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from typing import Any

from celery_rpc.support.deadline import Deadline

#: Seconds after which a thread that waits looks by itself: whatever would have woken it may have
#: been broken off right before.
LOOK = 1.0


class Bell:
    """Rung after each change; whoever waits looks whether it was the one.

    It does what threading.Condition does, without a lock that an exception, or a fork, could leave
    locked: each thread that waits has a gate of its own.
    """

    def __init__(self) -> None:
        self._gates: list[Any] = []

    def ring(self) -> None:
        """Wake all who wait."""
        for gate in self._gates[:]:
            with suppress(RuntimeError):  # rung before, and not looked at since
                gate.release()

    def wait_for(self, reached: Callable[[], bool], deadline: Deadline) -> bool:
        """Wait until something is true; False when the deadline came first."""
        if reached():
            return True
        gate = Lock()
        gate.acquire()
        try:
            self._gates.append(gate)
            while not reached():
                if not gate.acquire(timeout=deadline.capped(LOOK)) and deadline.passed:
                    return reached()
            return True
        finally:
            with suppress(ValueError):
                self._gates.remove(gate)
