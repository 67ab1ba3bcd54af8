"""Reader: the one thread that connects a source of replies and takes each to whoever waits."""

import logging
from collections.abc import Callable, Sequence
from threading import Event, Thread, current_thread
from typing import Protocol, TypeVar

from celery_rpc.deadline import Deadline
from celery_rpc.errors import ClientClosed, PermissionRefused, RpcError, Unavailable
from celery_rpc.log import RateLimited
from celery_rpc.transport.base import LinkDown

log = RateLimited(logging.getLogger("celery_rpc.reader"))

T = TypeVar("T", covariant=True)

#: Seconds that one receive() waits.
PATIENCE = 5.0
#: Seconds between attempts to connect: the first, the factor, the longest.
BACKOFF = (0.05, 2.0, 2.0)
#: Seconds between attempts while somebody waits for the connection.
EAGER = 0.2


class Source(Protocol[T]):
    """Where replies come from."""

    def connect(self, timeout: float) -> bool: ...
    def receive(self, timeout: float) -> Sequence[T]: ...
    def interrupt(self) -> None: ...


class Reader:
    """A thread that keeps a source connected, and reads it until it is stopped."""

    def __init__(
        self,
        source: Source[T],
        deliver: Callable[[T], object],
        lost: Callable[[], object],
        connect_timeout: float,
        name: str,
    ) -> None:
        self.source = source
        self.error: Exception | None = None
        self.reconnects = 0
        self._deliver = deliver
        self._lost = lost
        self._connect_timeout = connect_timeout
        self._up = Event()
        self._stop = Event()
        #: Set by whoever waits for the connection, and by stop(): the pause is cut short.
        self._called = Event()
        self._thread = Thread(target=self._run, name=f"celery-rpc-{name}", daemon=True)
        self._thread.start()

    @property
    def up(self) -> bool:
        return self._up.is_set()

    @property
    def alive(self) -> bool:
        """True while the thread runs."""
        return self._thread.is_alive()

    def require(self, deadline: Deadline) -> None:
        """Return when connected.

        Raises:
            Unavailable: it could not be done within the connect timeout, or by the deadline.
        """
        if self._up.is_set():
            return
        give_up = deadline.earlier(Deadline.after(self._connect_timeout))
        while not self._up.wait(min(0.05, give_up.capped(0.05))):
            self._called.set()
            error = self.error
            final = isinstance(error, RpcError) and (
                isinstance(error, PermissionRefused) or not isinstance(error, Unavailable)
            )
            if final or give_up.passed:
                raise (
                    _again(error)
                    if error
                    else Unavailable(
                        f"no connection within {self._connect_timeout} s; nothing was sent"
                    )
                )
            if self._stop.is_set():
                raise ClientClosed

    def stop(self) -> None:
        """End the thread; waits for it unless called from it."""
        self._stop.set()
        self._called.set()
        self.source.interrupt()
        if current_thread() is not self._thread:
            self._thread.join(timeout=2.0)

    def _run(self) -> None:
        while not self._stop.is_set():
            if self._connect():
                self._read()
                self._up.clear()

    def _connect(self) -> bool:
        pause, factor, longest = BACKOFF
        while not self._stop.is_set():
            try:
                kept = self.source.connect(self._connect_timeout)
            except Exception as error:  # whatever it is, waiting callers are told
                if not isinstance(error, RpcError):
                    log.exception("connecting failed")
                self.error = error
                self._pause(pause)
                pause = min(longest, pause * factor)
                continue
            self.error = None
            if not kept:
                self._lost()
            self._up.set()
            return True
        return False

    def _pause(self, seconds: float) -> None:
        """Wait before the next attempt; not for long when a call waits for it."""
        eager = min(seconds, EAGER)
        self._stop.wait(eager)
        self._called.wait(seconds - eager)
        self._called.clear()

    def _read(self) -> None:
        while not self._stop.is_set():
            try:
                for item in self.source.receive(PATIENCE):
                    self._deliver(item)
            except LinkDown as down:
                if not self._stop.is_set():
                    self.reconnects += 1
                    log.warning("the link is down, connecting again: %s", down)
                return
            except Exception:  # a bug here must not end the thread that everybody waits for
                log.exception("reading failed; connecting again")
                self._stop.wait(0.1)
                return


def _again(error: Exception) -> Exception:
    """Give an error to raise in one more thread."""
    fresh = type(error).__new__(type(error))
    fresh.args = error.args
    fresh.__dict__.update(error.__dict__)
    fresh.__cause__ = error.__cause__
    return fresh
