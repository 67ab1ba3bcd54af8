"""Mutex: a lock that is free again whatever strikes the thread that had it."""

from collections.abc import Callable
from threading import RLock
from typing import Any, ParamSpec, TypeVar

from celery_rpc.support.deadline import NEVER, Deadline

P = ParamSpec("P")
T = TypeVar("T")


class Busy(Exception):
    """Another thread had the mutex until the deadline, or this one has it already."""


class Mutex:
    """Lets one thread at a time act, and waits for that no longer than it may.

    An exception may strike a thread between any two of its steps: Ctrl-C, a soft time limit,
    ``PyThreadState_SetAsyncExc``. ``lock.acquire()`` before a ``try``, a context manager written in
    Python, and a ``finally`` that calls a Python function all have a place where it leaves the lock
    locked. Here the lock is let go of twice, one time around the other: what strikes during one
    of them leaves the other.
    """

    def __init__(self) -> None:
        # Of all locks this kind knows whose it is, from the moment in which it is acquired.
        self._lock: Any = RLock()  # typeshed leaves out _is_owned, which Condition needs of a lock

    @property
    def mine(self) -> bool:
        """True in the thread that has it."""
        return bool(self._lock._is_owned())

    def run(self, act: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Act while no other thread does.

        Raises:
            Busy: this thread does already; a signal handler was called meanwhile.
        """
        return self.run_by(NEVER, act, *args, **kwargs)

    def run_by(
        self, deadline: Deadline, act: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Act while no other thread does, beginning by the deadline.

        Raises:
            Busy: others did until then, or this thread does already.
        """
        if self.mine:
            raise Busy
        try:
            try:
                if not self._lock.acquire(timeout=deadline.wait()):
                    raise Busy
                return act(*args, **kwargs)
            finally:
                self._let_go()
        finally:
            self._let_go()

    def _let_go(self) -> None:
        if self._lock._is_owned():
            self._lock.release()
