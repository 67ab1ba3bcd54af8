"""Turn: whose turn it is to read a source, the reader's own thread or one that awaits a reply."""

from collections.abc import Callable
from threading import Event, Lock, get_ident


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
        self._spare = spare
        self._lock = Lock()
        self._wanted = Event()
        self._resting = False
        #: True when a thread would have read its own reply.
        self._asked = False
        self._taken = 0
        self._owner: int | None = None

    @property
    def mine(self) -> bool:
        """True in the thread whose turn it is."""
        return self._owner == get_ident()

    # ----- the reader's own thread

    def __enter__(self) -> None:
        self._lock.acquire()
        self._owner = get_ident()

    def __exit__(self, *_: object) -> None:
        self._owner = None
        self._lock.release()

    def rest(self) -> None:
        """Let others read for a while, if that is of use to anybody."""
        if not self._asked or not self._spare():
            return
        self._resting = True
        self.__exit__()
        try:
            self._sleep()
        finally:
            self.__enter__()
            self._resting = self._asked = False
            self._wanted.clear()

    def _sleep(self) -> None:
        """Sleep for as long as others take turns: who awaits anything else says so."""
        pause, seen = self._spare(), -1
        while pause and (self._lock.locked() or seen != self._taken):
            seen = self._taken
            if self._wanted.wait(pause):
                return

    # ----- any other thread

    def want(self) -> None:
        """Let the reader's thread read: something is awaited by nobody who reads."""
        if self._resting:
            self._wanted.set()

    @property
    def wanted(self) -> bool:
        return self._wanted.is_set()

    def take(self) -> bool:
        """Take the turn; False when it is not free."""
        self._asked = True
        if self._wanted.is_set() or not self._lock.acquire(blocking=False):
            return False
        self._owner = get_ident()
        return True

    def pause(self) -> None:
        """Give up the turn, if it is mine, to take it again at once."""
        if self.mine:
            self._taken += 1
            self.__exit__()

    def end(self) -> None:
        """Give up the turn, if it is mine; the reader's thread goes on if anything is awaited."""
        if self.mine:
            self.pause()
            if not self._spare():
                self.want()
