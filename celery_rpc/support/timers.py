"""Clock: calls back at a time, from one thread of its own."""

import logging
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from itertools import count
from math import inf
from time import monotonic

from celery_rpc.support.bell import Bell
from celery_rpc.support.daemon import Daemon
from celery_rpc.support.deadline import NEVER, Deadline
from celery_rpc.support.fork import renew_after_fork
from celery_rpc.support.mutex import Mutex

log = logging.getLogger("celery_rpc.support.timers")

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


#: When, a number that no other entry has, and what.
Entry = tuple[float, int, Alarm]


class Clock:
    """Alarms in the order of their times. Its thread starts with the first, and ends by close()."""

    def __init__(self, name: str = "clock") -> None:
        self._name = name
        self._number = count()
        self._closed = False
        self._begin()
        renew_after_fork(self)

    def _begin(self) -> None:
        self._alarms: list[Entry] = []
        self._cancelled = 0
        self._mutex = Mutex()
        self._changed = Bell()
        self._daemon = Daemon(self._run, f"celery-rpc-{self._name}")

    def after(self, seconds: float, callback: Callable[[], object]) -> Alarm:
        """Call back in so many seconds, in the clock's thread: the callback must not block."""
        alarm = Alarm(callback, self._forget)
        entry = (monotonic() + seconds, next(self._number), alarm)
        self._mutex.run(self._put, entry)
        if not self._closed:
            self._daemon.ensure()
        if self._head() is entry:
            self._changed.ring()
        return alarm

    def _put(self, entry: Entry) -> None:
        heappush(self._alarms, entry)

    def __len__(self) -> int:
        """Return how many alarms are kept, cancelled ones included."""
        return len(self._alarms)

    def _forget(self) -> None:
        self._mutex.run(self._count_cancelled)

    def _count_cancelled(self) -> None:
        """Count a cancelled alarm; when most of them are, they are dropped."""
        self._cancelled += 1
        if self._cancelled > max(FEW, len(self._alarms) // 2):
            kept = [each for each in self._alarms if each[2].callback is not None]
            heapify(kept)
            self._alarms, self._cancelled = kept, 0

    def _run(self) -> None:
        while self._daemon.current and not self._closed:
            alarm = self._mutex.run(self._take, monotonic())
            if alarm is not None:
                ring(alarm)
            else:
                self._sleep()

    def _head(self) -> Entry | None:
        alarms = self._alarms
        return alarms[0] if alarms else None

    def _take(self, until: float) -> Alarm | None:
        """Return the first alarm, if it is due by then."""
        head = self._head()
        if head is None or head[0] > until:
            return None
        alarm = heappop(self._alarms)[2]
        self._cancelled -= alarm.callback is None
        return alarm

    def _sleep(self) -> None:
        """Sleep until the first alarm is due, or another one comes before it."""
        head = self._head()
        due = NEVER if head is None else Deadline(head[0])
        self._changed.wait_for(lambda: self._closed or self._head() is not head, due)

    def close(self) -> None:
        """End the thread, and call what was to come: whoever waits for it has to end, too."""
        self._closed = True
        self._changed.ring()
        self._daemon.join(timeout=2.0)
        while (alarm := self._mutex.run(self._take, inf)) is not None:
            ring(alarm)

    def after_fork(self) -> None:
        """In a child process: the thread is gone, and so is what it was to call."""
        self._begin()


def ring(alarm: Alarm) -> None:
    """Call back, unless that was cancelled."""
    callback = alarm.callback
    try:
        if callback is not None:
            callback()
    except Exception:  # the other alarms must be heard
        log.exception("an alarm failed")
