"""Reader: a thread that connects a source of replies, and takes each reply to whoever waits."""

import logging
from collections.abc import Callable, Sequence
from threading import Event, Thread
from time import sleep
from typing import Protocol, TypeVar

from celery_rpc.deadline import Deadline
from celery_rpc.errors import ClientClosed, PermissionRefused, RpcError, Unavailable
from celery_rpc.log import RateLimited
from celery_rpc.pending import Pending
from celery_rpc.transport.base import LinkDown
from celery_rpc.transport.turn import Turn

log = logging.getLogger("celery_rpc.reader")

T = TypeVar("T", covariant=True)

#: Seconds that one wait() takes at most.
PATIENCE = 5.0
#: Seconds between attempts to connect: the first, the factor, the longest.
BACKOFF = (0.05, 2.0, 2.0)
#: Seconds between attempts while somebody waits for the connection.
EAGER = 0.2


class Source(Protocol[T]):
    """Where replies come from: one thread at a time waits, and takes what has come."""

    #: False when that must always be the reader's own thread.
    any_thread: bool

    def connect(self, timeout: float) -> bool: ...
    def wait(self, timeout: float) -> bool: ...
    def receive(self) -> Sequence[T]: ...
    def interrupt(self) -> None: ...


class Reader:
    """A thread that keeps a source connected, and reads it until it is stopped."""

    def __init__(
        self,
        source: Source[T],
        deliver: Callable[[T], object],
        lost: Callable[[], object],
        spare: Callable[[], float],
        connect_timeout: float,
        name: str,
        where: str,
    ) -> None:
        self.source = source
        self.error: Exception | None = None
        self.reconnects = 0
        self._deliver = deliver
        self._lost = lost
        self._connect_timeout = connect_timeout
        #: What it connects to, for people.
        self._where = where
        self._up = Event()
        self._stop = Event()
        #: Set by whoever waits for the connection, and by stop(): the pause is cut short.
        self._called = Event()
        self._turn = Turn(spare)
        #: True while replies are on their way from the source to those who wait: an exception in
        #: the midst of that, such as KeyboardInterrupt in a thread that reads for itself, has torn
        #: the stream, and the link is of no use any more.
        self._torn = False
        #: One a reader: a link that breaks often must not silence another client's.
        self._log = RateLimited(log)
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
                        f"no connection to {self._where} within {self._connect_timeout} s; "
                        "nothing was sent"
                    )
                )
            if self._stop.is_set():
                raise ClientClosed

    def require_another(self, connection: int, deadline: Deadline) -> None:
        """Return when connected anew: the connection of that number is known to be broken.

        Raises:
            Unavailable: as of require().
        """
        give_up = deadline.earlier(Deadline.after(self._connect_timeout))
        while self.reconnects == connection and self._up.is_set() and not give_up.passed:
            self.want()  # whoever reads finds out that it is broken
            sleep(0.002)
        self.require(deadline)

    # ----- threads that read their own reply

    def want(self) -> None:
        """See to it that somebody reads: something is awaited."""
        self._turn.want()

    def catch_up(self) -> None:
        """Read what came while nobody did, before read_for(): a link that is down is noticed."""
        if not self.source.any_thread or self._turn.mine:
            return
        try:
            if self._turn.take():
                self._step_aside(0.0)
        finally:
            self._turn.pause()

    def read_for(self, pending: Pending, deadline: Deadline) -> None:
        """Read in this thread until a call has ended, unless another thread reads."""
        if not self.source.any_thread or self._turn.mine:
            return
        try:
            if self._turn.take():
                while not self._is_over(pending, deadline):
                    self._step_aside(deadline.capped(PATIENCE))
        finally:
            self._turn.end()

    def _is_over(self, pending: Pending, deadline: Deadline) -> bool:
        handed_over = self._turn.wanted or self._stop.is_set() or not self._up.is_set()
        return pending.done or handed_over or deadline.passed

    def _step_aside(self, timeout: float) -> None:
        """Read once; a link that is down is left to the reader's own thread."""
        try:
            if self._up.is_set():
                self._step(timeout)
        except LinkDown:
            self._up.clear()
            self._turn.want()

    def _step(self, timeout: float) -> None:
        if self._torn:
            raise LinkDown("broken off while reading")
        if self.source.wait(timeout):
            self._torn = True
            for item in self.source.receive():
                self._deliver(item)
            self._torn = False

    # ----- the reader's own thread

    def stop(self) -> None:
        """End the thread; waits for it unless called from it."""
        self._stop.set()
        self._called.set()
        self._turn.want()
        self.source.interrupt()
        if not self._turn.mine:
            self._thread.join(timeout=2.0)

    def _run(self) -> None:
        with self._turn:
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
                    self._log.exception("connecting failed")
                self.error = error
                self._pause(pause)
                pause = min(longest, pause * factor)
                continue
            self.error = None
            self._torn = False
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
                self._step(PATIENCE)
                self._turn.rest()
            except LinkDown as down:
                if not self._stop.is_set():
                    self.reconnects += 1
                    self._log.warning("the link is down, connecting again: %s", down)
                return
            except Exception:  # a bug here must not end the thread that everybody waits for
                self._log.exception("reading failed; connecting again")
                self._stop.wait(0.1)
                return


def _again(error: Exception) -> Exception:
    """Give an error to raise in one more thread."""
    fresh = type(error).__new__(type(error))
    fresh.args = error.args
    fresh.__dict__.update(error.__dict__)
    fresh.__cause__ = error.__cause__
    return fresh
