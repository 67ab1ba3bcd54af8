"""Turn: whose turn it is to read a source, the reader's own thread or one that awaits a reply."""

from collections.abc import Callable
from contextlib import suppress
from typing import ParamSpec

from celery_rpc.support.bell import Bell
from celery_rpc.support.deadline import NOW, Deadline
from celery_rpc.support.mutex import Busy, Mutex

P = ParamSpec("P")


class Turn:
    """The right to read, which one thread at a time has.

    A thread that waits for its reply, alone, does best to read it itself: to hand it over from
    thread to thread takes longer than all the rest that a client does for a call. So the reader's
    thread, which has the turn otherwise, rests while single calls follow one another. It is back
    as soon as anything else is awaited.

    Whoever awaits something registers it before calling want() or take(), and the thread that gives
    the turn up asks how long nobody need read after that: so one of the two sees the other.

    Args:
        spare: gives the seconds for which nobody need read; none while a call awaits its reply.
    """

    def __init__(self, spare: Callable[[], float]) -> None:
        self.spare = spare
        self._mutex = Mutex()
        self._changed = Bell()
        self._wanted = False
        self._resting = False
        #: True when a thread would have read its own reply.
        self._asked = False
        self._taken = 0

    # ----- the reader's own thread

    def hold(self, act: Callable[[], object]) -> None:
        """Act when other threads have ended their turns."""
        self._mutex.run(self._hold, act)

    def _hold(self, act: Callable[[], object]) -> None:
        self._resting = self._asked = self._wanted = False
        act()
        self._resting = True  # from now on threads say when they want it back

    @property
    def may_rest(self) -> bool:
        """True when it is of use to others if the reader's thread rests."""
        return self._asked and self.spare() > 0

    def rest(self) -> None:
        """Sleep for as long as others take turns, unless one of them wants the reader's thread."""
        pause, seen = self.spare(), -1
        while pause and seen != self._taken and not self._wanted:
            seen = self._taken
            self._changed.wait_for(lambda: self._wanted, Deadline.after(pause))

    # ----- any other thread

    def want(self) -> None:
        """Let the reader's thread read: something is awaited by nobody who reads."""
        if self._resting and not self._wanted:
            self._wanted = True
            self._changed.ring()

    @property
    def wanted(self) -> bool:
        return self._wanted

    def take(self, act: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
        """Act, unless the turn is not free."""
        self._asked = True
        if not self._wanted:
            with suppress(Busy):
                self._mutex.run_by(NOW, act, *args, **kwargs)
            self._taken += 1
