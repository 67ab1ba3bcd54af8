"""Loops: event loops woken from the reader's thread, and left time for others in a crowd."""

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from weakref import WeakKeyDictionary, ref

from celery_rpc.calls.pending import Callback, Outcome, Pending
from celery_rpc.support.deadline import Deadline

#: Calls that begin, and that end, in one round of an event loop: then it is the turn of others.
ROUND = 50

#: Seconds after which a round that has not ended is taken for broken off.
STUCK = 1.0


class LoopWaker:
    """Resolves futures of one event loop from other threads, many by one wake-up."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        # Held weakly: what the registry keeps must not keep the loop.
        self._loop = ref(loop)
        self._ready: deque[asyncio.Future[None]] = deque()
        self._scheduled = False
        #: The number of the last round, and of the last that was not broken off.
        self._round = self._ended = 0

    def wake(self, future: asyncio.Future[None]) -> None:
        """Resolve a future soon; a loop that was closed meanwhile is left alone."""
        self._ready.append(future)
        if not self._scheduled:
            self._schedule()

    def _schedule(self) -> None:
        loop = self._loop()
        try:
            self._scheduled = True
            if loop is not None:
                self._round += 1
                loop.call_soon_threadsafe(self._run, self._round)
                loop.call_soon_threadsafe(self._make_up, self._round)
        except RuntimeError:  # the loop is closed: nobody awaits there any more
            self._ready.clear()
            self._scheduled = False
        except BaseException:  # it struck here, and whoever comes next schedules
            self._scheduled = False
            raise

    def _run(self, number: int) -> None:
        # Cleared first: whoever appends from now on schedules again, so nothing is left behind.
        self._scheduled = False
        resolve_some(self._ready)
        if self._ready and not self._scheduled:
            self._schedule()
        self._ended = number

    def _make_up(self, number: int) -> None:
        """Run a round again that an exception, which the loop only logs, has broken off."""
        if self._ended < number:
            self._run(number)


class Turnstile:
    """Lets calls begin, a few in each round of their event loop.

    Used in the loop's thread alone. While calls begin, or wait, it is asked once a round who is
    next.
    """

    def __init__(self) -> None:
        self._begun = 0
        #: When the last round began: the next is begun by hand if an exception struck that one.
        self._turned_at = 0.0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def enter(self) -> None:
        """Return when it is this call's turn to begin: at once, unless there is a crowd."""
        loop = asyncio.get_running_loop()
        if self._begun == 0 or loop.time() > self._turned_at + STUCK:
            self._turned_at = loop.time()
            loop.call_soon(self._next_round)
        if self._begun < ROUND:
            self._begun += 1
            return
        future: asyncio.Future[None] = loop.create_future()
        self._waiting.append(future)
        await future

    def _next_round(self) -> None:
        loop = asyncio.get_running_loop()
        self._turned_at = loop.time()
        following = loop.call_soon(self._next_round)
        self._begun = resolve_some(self._waiting)
        if not self._begun:
            following.cancel()


def resolve_some(futures: deque[asyncio.Future[None]]) -> int:
    """Resolve the first futures of a queue, as many as go in one round; give their number."""
    resolved = 0
    while futures and resolved < ROUND:
        future = futures[0]
        if not future.done():
            future.set_result(None)
            resolved += 1
        futures.popleft()  # only now: what an exception breaks off, the next round makes up for
    return resolved


_wakers: WeakKeyDictionary[asyncio.AbstractEventLoop, LoopWaker] = WeakKeyDictionary()
_turnstiles: WeakKeyDictionary[asyncio.AbstractEventLoop, Turnstile] = WeakKeyDictionary()


def waker_of(loop: asyncio.AbstractEventLoop) -> LoopWaker:
    """Return the waker of a loop."""
    waker = _wakers.get(loop)
    if waker is None:
        waker = _wakers.setdefault(loop, LoopWaker(loop))
    return waker


async def turn() -> None:
    """Wait for the turn to begin a call, so that a crowd of calls does not hold up the loop."""
    loop = asyncio.get_running_loop()
    turnstile = _turnstiles.get(loop)
    if turnstile is None:
        turnstile = _turnstiles.setdefault(loop, Turnstile())
    await turnstile.enter()


def in_loop() -> bool:
    """Return whether this thread runs an event loop, which must not be blocked."""
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
