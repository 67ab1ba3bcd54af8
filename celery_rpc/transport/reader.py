"""Reader: a thread that connects a source of replies, and takes each reply to whoever waits."""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from time import sleep
from typing import Generic, Protocol, TypeVar

from celery_rpc.calls.pending import Pending
from celery_rpc.errors import ClientClosed, PermissionRefused, RpcError, Unavailable
from celery_rpc.support.bell import Bell
from celery_rpc.support.daemon import Daemon
from celery_rpc.support.deadline import Deadline
from celery_rpc.support.throttled_log import RateLimited
from celery_rpc.transport.link import LinkDown
from celery_rpc.transport.read_lease import Turn

log = logging.getLogger("celery_rpc.reader")

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")

#: Seconds that one wait() takes at most.
PATIENCE = 5.0
#: Seconds between attempts to connect: the first, the factor, the longest.
BACKOFF = (0.05, 2.0, 2.0)
#: Seconds between attempts while somebody waits for the connection.
EAGER = 0.2


class Source(Protocol[T_co]):
    """Where replies come from: one thread at a time waits, and takes what has come."""

    #: False when that must always be the reader's own thread.
    any_thread: bool

    @property
    def busy(self) -> bool:
        """True when there is something that only receive(may_block=True) does."""
        ...

    def connect(self, timeout: float) -> bool: ...
    def wait(self, timeout: float) -> bool: ...
    def receive(self, *, may_block: bool) -> Sequence[T_co]: ...
    def interrupt(self) -> None: ...


class Reader(Generic[T]):
    """A thread that keeps a source connected, and reads it until it is stopped.

    A thread that waits for its own reply may read in its place. It then does nothing for others:
    what is not its own it leaves to the reader, and so it does with what might block.
    """

    def __init__(
        self,
        source: Source[T],
        deliver: Callable[[T], object],
        id_of: Callable[[T], str | None],
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
        self._id_of = id_of
        self._lost = lost
        self._connect_timeout = connect_timeout
        #: What it connects to, for people.
        self._where = where
        self._up = False
        self._stopped = False
        #: True when somebody waits for the connection: the pause is cut short.
        self._called = False
        self._changed = Bell()
        self._turn = Turn(spare)
        #: Taken from the source, and not yet to those who wait.
        self._inbox: deque[T] = deque()
        #: True while bytes of the source are being read: an exception in the midst of that, such
        #: as KeyboardInterrupt in a thread that reads for itself, has torn the stream, and the
        #: link is of no use any more.
        self._torn = False
        #: One a reader: a link that breaks often must not silence another client's.
        self._log = RateLimited(log)
        self._daemon = Daemon(self._run, f"celery-rpc-{name}")

    @property
    def up(self) -> bool:
        return self._up

    @property
    def alive(self) -> bool:
        """True while the thread runs."""
        return self._daemon.alive

    def require(self, deadline: Deadline) -> None:
        """Return when connected.

        Raises:
            Unavailable: it could not be done within the connect timeout, or by the deadline.
        """
        if self._up:
            return
        if not self._stopped:
            self._daemon.ensure()
        give_up = deadline.earlier(Deadline.after(self._connect_timeout))
        while not self._changed.wait_for(lambda: self._up, give_up.earlier(Deadline.after(0.05))):
            if self._stopped:
                raise ClientClosed
            self._called = True
            self._changed.ring()
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

    def require_another(self, connection: int, deadline: Deadline) -> None:
        """Return when connected anew: the connection of that number is known to be broken.

        Raises:
            Unavailable: as of require().
        """
        give_up = deadline.earlier(Deadline.after(self._connect_timeout))
        while self.reconnects == connection and self._up and not give_up.passed:
            self.want()  # whoever reads finds out that it is broken
            sleep(0.002)
        self.require(deadline)

    # ----- any thread

    def want(self) -> None:
        """See to it that somebody reads: something is awaited."""
        if not self._stopped:
            self._daemon.ensure()
        self._turn.want()

    def catch_up(self) -> None:
        """Read what came while nobody did, before read_for(): a link that is down is noticed."""
        if self.source.any_thread:
            try:
                self._turn.take(self._look, 0.0)
            finally:
                if self._is_due:
                    self._turn.want()

    def read_for(self, pending: Pending, deadline: Deadline) -> None:
        """Read in this thread until a call has ended, unless another thread reads, or has to."""
        if self.source.any_thread:
            try:
                self._turn.take(self._read_on, pending, deadline)
            finally:
                if self._is_due or not self._turn.spare():
                    self._turn.want()

    @property
    def _is_due(self) -> bool:
        """True when there is something that only the reader's own thread does."""
        return bool(self._inbox) or (self._up and self.source.busy)

    def _read_on(self, pending: Pending, deadline: Deadline) -> None:
        while not self._is_over(pending, deadline):
            self._look(deadline.capped(PATIENCE))
            while self._inbox and self._id_of(self._inbox[0]) == pending.id:
                self._deliver_next()

    def _is_over(self, pending: Pending, deadline: Deadline) -> bool:
        handed_over = self._turn.wanted or self._is_due or self._stopped or not self._up
        return pending.done or handed_over or deadline.passed

    def _look(self, timeout: float) -> None:
        """Read once; a link that is down is left to the reader's own thread."""
        try:
            if self._up:
                self._take_in(timeout, may_block=False)
        except LinkDown as down:
            self._note_down(down)
            self._turn.want()

    def _take_in(self, timeout: float, *, may_block: bool) -> None:
        if self._torn:
            raise LinkDown("broken off while reading")
        if not self._inbox and self.source.wait(timeout):
            self._torn = True
            self._inbox.extend(self.source.receive(may_block=may_block))
            self._torn = False

    def _deliver_next(self) -> None:
        self._deliver(self._inbox[0])
        self._inbox.popleft()  # only now: what an exception breaks off is delivered again

    def _note_down(self, down: object) -> None:
        if self._up and not self._stopped:
            self._up = False
            self.reconnects += 1
            self._log.warning("the link is down, connecting again: %s", down)

    # ----- the reader's own thread

    def stop(self) -> None:
        """End the thread; waits for it unless called from it."""
        self._stopped = True
        self._changed.ring()
        self._turn.want()
        self.source.interrupt()
        self._daemon.join(timeout=2.0)

    def abandon(self) -> None:
        """Read no more, in a child process, whose only thread may be within this reader's."""
        self._stopped = True

    def _run(self) -> None:
        while not self._stopped:
            self._turn.hold(self._serve)
            self._turn.rest()
        self._up = False

    def _serve(self) -> None:
        """Keep the source connected, and read it until other threads may."""
        while not self._stopped:
            if self._up or self._connect():
                self._step()
                if self._turn.may_rest:
                    return

    def _connect(self) -> bool:
        pause, factor, longest = BACKOFF
        while not self._stopped:
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
            self._inbox.clear()  # what was not acknowledged comes again
            self._torn = False
            if not kept:
                self._lost()
            self._up = True
            self._changed.ring()
            return True
        return False

    def _pause(self, seconds: float) -> None:
        """Wait before the next attempt; not for long when a call waits for it."""
        eager = min(seconds, EAGER)
        self._changed.wait_for(lambda: self._stopped, Deadline.after(eager))
        self._changed.wait_for(
            lambda: self._stopped or self._called, Deadline.after(seconds - eager)
        )
        self._called = False

    def _step(self) -> None:
        try:
            self._take_in(PATIENCE, may_block=True)
            while self._inbox:
                self._deliver_next()
        except LinkDown as down:
            self._note_down(down)


def _again(error: Exception) -> Exception:
    """Return an error to raise in one more thread."""
    fresh = type(error).__new__(type(error))
    fresh.args = error.args
    fresh.__dict__.update(error.__dict__)
    fresh.__cause__ = error.__cause__
    return fresh
