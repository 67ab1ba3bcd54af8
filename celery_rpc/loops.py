"""Loops: event loops woken from the reader thread, many futures by one call."""

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from threading import Lock
from weakref import WeakKeyDictionary

from celery_rpc.deadline import Deadline
from celery_rpc.pending import Callback, Outcome, Pending


class LoopWaker:
    """Resolves futures of one event loop from other threads, a whole batch per wake-up."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        # Held weakly by the registry only; a waker lives no longer than its loop's futures.
        self._call_soon = loop.call_soon_threadsafe
        self._ready: deque[asyncio.Future[None]] = deque()
        self._scheduled = False

    def wake(self, future: asyncio.Future[None]) -> None:
        """Resolve a future soon; a loop that was closed meanwhile is left alone."""
        self._ready.append(future)
        if self._scheduled:
            return
        self._scheduled = True
        try:
            self._call_soon(self._run)
        except RuntimeError:  # the loop is closed: nobody awaits there any more
            self._ready.clear()
            self._scheduled = False

    def _run(self) -> None:
        # Cleared first: whoever appends from now on schedules again, so nothing is left behind.
        self._scheduled = False
        while self._ready:
            future = self._ready.popleft()
            if not future.done():
                future.set_result(None)


_wakers: WeakKeyDictionary[asyncio.AbstractEventLoop, LoopWaker] = WeakKeyDictionary()
_lock = Lock()


def waker_of(loop: asyncio.AbstractEventLoop) -> LoopWaker:
    """Give the waker of a loop."""
    waker = _wakers.get(loop)
    if waker is None:
        with _lock:
            waker = _wakers.setdefault(loop, LoopWaker(loop))
    return waker


def in_loop() -> bool:
    """Tell whether this thread runs an event loop, which must not be blocked."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


async def outcome_of(pending: Pending, deadline: Deadline) -> Outcome | None:
    """Await the end of a call; None when the deadline came first."""
    if pending.outcome is not None:
        return pending.outcome
    await _either(pending.on_done, pending, deadline)
    return pending.outcome


async def next_update(pending: Pending, deadline: Deadline) -> None:
    """Await the next update, the end, or the deadline."""
    await _either(pending.watch, pending, deadline)


async def _either(
    subscribe: Callable[[Callback], None], pending: Pending, deadline: Deadline
) -> None:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[None] = loop.create_future()
    callback = partial(waker_of(loop).wake, future)
    left = deadline.remaining()
    timer = None if left is None else loop.call_later(left, _expire, future)
    subscribe(callback)
    try:
        await future
    finally:
        if timer is not None:
            timer.cancel()
        pending.forget(callback)


def _expire(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
