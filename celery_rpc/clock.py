"""Clock: calls back at a time, from one thread of its own."""

import logging
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from itertools import count
from operator import itemgetter
from threading import Condition, Thread
from time import monotonic

from celery_rpc.fork import renew_after_fork

log = logging.getLogger("celery_rpc.clock")


#: Cancelled alarms that are kept, if they are not the most.
FEW = 100


class Alarm:
    """One call to come."""

    __slots__ = ("_forget", "callback")

    def __init__(self, callback: Callable[[], object], forget: Callable[[], object]) -> None:
        self.callback: Callable[[], object] | None = callback
        self._forget = forget

    def cancel(self) -> None:
        """Do not call; what the callback held is let go of."""
        if self.callback is not None:
            self.callback = None
            self._forget()


class Clock:
    """Alarms in the order of their times. Its thread starts with the first, and ends by close()."""

    def __init__(self, name: str = "clock") -> None:
        self._name = name
        self._alarms: list[tuple[float, int, Alarm]] = []
        self._cancelled = 0
        self._number = count()
        self._changed = Condition()
        self._thread: Thread | None = None
        self._closed = False
        renew_after_fork(self)

    def after(self, seconds: float, callback: Callable[[], object]) -> Alarm:
        """Call back in so many seconds, in the clock's thread: the callback must not block."""
        alarm = Alarm(callback, self._forget)
        with self._changed:
            heappush(self._alarms, (monotonic() + seconds, next(self._number), alarm))
            if self._thread is None and not self._closed:
                self._thread = Thread(
                    target=self._run, name=f"celery-rpc-{self._name}", daemon=True
                )
                self._thread.start()
            self._changed.notify()
        return alarm

    def __len__(self) -> int:
        """Return how many alarms are kept, cancelled ones included."""
        return len(self._alarms)

    def _forget(self) -> None:
        """Count a cancelled alarm; when most of them are, they are dropped."""
        with self._changed:
            self._cancelled += 1
            if self._cancelled > max(FEW, len(self._alarms) // 2):
                self._alarms = [each for each in self._alarms if each[2].callback is not None]
                heapify(self._alarms)
                self._cancelled = 0

    def _run(self) -> None:
        while (alarm := self._next()) is not None:
            ring(alarm)

    def _next(self) -> Alarm | None:
        with self._changed:
            while not self._closed:
                if not self._alarms:
                    self._changed.wait()
                elif (wait := self._alarms[0][0] - monotonic()) > 0:
                    self._changed.wait(wait)
                else:
                    alarm = heappop(self._alarms)[2]
                    self._cancelled -= alarm.callback is None
                    return alarm
        return None

    def close(self) -> None:
        """End the thread, and call what was to come: whoever waits for it has to end, too."""
        with self._changed:
            self._closed = True
            left, self._alarms = self._alarms, []
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(timeout=2.0)
        for _, _, alarm in sorted(left, key=itemgetter(0)):
            ring(alarm)

    def after_fork(self) -> None:
        """In a child process: the thread is gone, and so is what it was to call."""
        self._alarms, self._cancelled = [], 0
        self._changed = Condition()
        self._thread = None


def ring(alarm: Alarm) -> None:
    """Call back, unless that was cancelled."""
    callback = alarm.callback
    try:
        if callback is not None:
            callback()
    except Exception:  # the other alarms must be heard
        log.exception("an alarm failed")
