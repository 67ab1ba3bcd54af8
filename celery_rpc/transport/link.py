"""The seams: CallTransport, through which every call goes, and Link, one broker behind it."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from threading import Lock
from typing import Any

from celery_rpc.calls.call import Call
from celery_rpc.calls.pending import Outcome, Pending
from celery_rpc.calls.reply import Cancellation
from celery_rpc.catalog.address import Address
from celery_rpc.support.deadline import Deadline
from celery_rpc.transport.call_message import Envelope
from celery_rpc.transport.control import Command
from celery_rpc.transport.received import Frame


class Receipt:
    """The broker's word on a batch of messages: each is confirmed, refused, or unknown."""

    def __init__(self, ids: Sequence[str], *, awaited: bool = True) -> None:
        #: False when nobody waits for it: the reply says enough.
        self.awaited = awaited
        #: True when the link went down before the broker had answered for all.
        self.lost = False
        self._waiting = set(ids)
        self._refused: dict[str, Exception] = {}
        #: Held until all is settled or lost: an Event would cost more than the rest of a Receipt.
        self._gate = Lock()
        self._gate.acquire()

    def settle(self, task_id: str, error: Exception | None = None) -> None:
        """Note the broker's word on one message."""
        if error is not None:
            self._refused.setdefault(task_id, error)
        self._waiting.discard(task_id)
        if not self._waiting:
            self._open()

    def lose(self) -> None:
        """Note that the broker will not answer any more."""
        self.lost = True
        self._open()

    def _open(self) -> None:
        with suppress(RuntimeError):  # it is open
            self._gate.release()

    @property
    def refused(self) -> dict[str, Exception]:
        """Return the messages that the broker has refused so far, and why."""
        return self._refused.copy()

    @property
    def open(self) -> list[str]:
        """Return the messages that the broker has not answered for."""
        return sorted(self._waiting.copy())

    def wait(self, deadline: Deadline) -> bool:
        """Wait for the broker's word on all; False when the deadline came first, or it is lost."""
        settled = self._gate.acquire(timeout=deadline.wait())
        if settled:
            self._open()
        return settled and not self.lost


Refuse = Callable[[str, Exception], object]


class Link(ABC):
    """One broker, as far as a client needs it.

    ``connect``, ``wait`` and ``receive`` are called by one thread at a time (transport.turn);
    everything else by any thread. Errors of the broker's library leave it translated
    (celery_rpc.errors).
    """

    #: Whether any thread may wait and receive, if one at a time; or the reader's own alone.
    any_thread = True

    #: Name of the queue to which replies come.
    reply_queue: str

    @abstractmethod
    def connect(self, timeout: float) -> bool:
        """Connect and see to it that the reply queue is there.

        Returns:
            False when this is a new reply queue in place of one that was lost, replies included.
        """

    @abstractmethod
    def wait(self, timeout: float) -> bool:
        """Wait so long for something to receive(); an exception in the midst of it does no harm.

        Raises:
            LinkDown: connect again.
        """

    @property
    def busy(self) -> bool:
        """True when there is something that only receive(may_block=True) does."""
        return False

    @abstractmethod
    def receive(self, *, may_block: bool) -> Sequence[Frame]:
        """Receive what has come to the reply queue, after wait().

        What it gives has been taken to whoever waits when wait() is called again.

        Args:
            may_block: False in a thread that waits for its own reply: what might take time is left
                to the reader's.

        Raises:
            LinkDown: connect again.
        """

    @abstractmethod
    def publish(
        self, envelopes: Sequence[Envelope], deadline: Deadline, *, awaited: bool = True
    ) -> Receipt:
        """Send messages, each to the queue of its address.

        Args:
            awaited: False when nobody waits for the receipt; the broker's word may come later.

        Raises:
            Unavailable: nothing was sent.
            OutcomeUnknown: some may have been.
        """

    @abstractmethod
    def broadcast(self, commands: Mapping[str, Command], deadline: Deadline) -> int | None:
        """Send commands to all workers; answers come to the reply queue with the ticket (the key).

        Returns:
            How many mailboxes got it, or None where the broker does not tell.
        """

    @abstractmethod
    def depth(self, address: Address, deadline: Deadline) -> tuple[int, int | None] | None:
        """Count messages and consumers of a queue; None when it does not exist or is empty."""

    @abstractmethod
    def close(self, *, delete: bool) -> None:
        """Disconnect; ``delete`` the reply queue too, or else see to it that it ends by itself."""

    @abstractmethod
    def abandon(self) -> None:
        """Drop sockets without a word: they belong to the process that this one was forked from."""

    @abstractmethod
    def interrupt(self) -> None:
        """Make wait() return soon."""


class LinkDown(Exception):
    """The connection to the broker broke."""


class CallTransport(ABC):
    """The seam through which every call goes down and every reply comes back."""

    @property
    @abstractmethod
    def reply_to(self) -> str:
        """The queue to which workers send replies."""

    @abstractmethod
    def new_id(self) -> str:
        """Return the id of the next call."""

    @abstractmethod
    def send(self, call: Call, *, confirm: bool = True) -> Pending:
        """Send a call.

        Args:
            confirm: return only when the broker has the message; False leaves a refusal to the
                Pending, for a caller who goes on to wait().
        """

    @abstractmethod
    def wait(self, pending: Pending, deadline: Deadline) -> Outcome | None:
        """Wait for the end of a call; None when the deadline came first."""

    @abstractmethod
    def send_many(self, calls: Sequence[Call]) -> list[Pending]:
        """Send calls by one pipelined publish."""

    @abstractmethod
    def send_soon(self, call: Call, pending: Pending | None = None) -> Pending:
        """Send a call without blocking the caller (an event loop): errors come by the Pending.

        Args:
            pending: by which somebody waits for the outcome already.
        """

    @abstractmethod
    def pending(self, task_id: str) -> Pending:
        """Return what is known of a call by its id; registers an unknown one."""

    @abstractmethod
    def expected(self, task_id: str) -> Pending | None:
        """Return what is known of a call whose reply somebody waits for; None: nobody does."""

    @abstractmethod
    def hold(self, pending: Pending) -> None:
        """Keep a call that nobody else keeps, until it has ended."""

    @abstractmethod
    def forget(self, task_id: str) -> None:
        """Let go of a call."""

    @abstractmethod
    def broadcast(
        self,
        commands: Mapping[str, Command],
        answer: Callable[[str, Any], object],
        deadline: Deadline,
    ) -> int | None:
        """Send commands to all workers; ``answer(ticket, body)`` is called with each answer."""

    @abstractmethod
    def unexpect(self, commands: Mapping[str, Command]) -> None:
        """Accept no more answers to a broadcast."""

    @abstractmethod
    def cancel(
        self, pending: Pending, terminate: bool, signal: str, timeout: float
    ) -> Cancellation:
        """Revoke a call."""

    @abstractmethod
    def depth(self, address: Address, deadline: Deadline) -> tuple[int, int | None] | None:
        """Count messages and consumers of a queue, as Link.depth does."""

    @abstractmethod
    def status(self) -> dict[str, Any]:
        """Return the state of the connection and the counts of calls."""

    @abstractmethod
    def close(self) -> None:
        """Disconnect; calls that are pending fail with ClientClosed."""
