"""ReplyTable: correlation id -> Pending, and what came that nobody waits for."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from threading import Lock
from time import monotonic
from typing import Any
from weakref import WeakValueDictionary

from kombu.utils.json import loads

from celery_rpc.deadline import NEVER, Deadline
from celery_rpc.errors import NoSuchTask, Overloaded, ResultError
from celery_rpc.pending import Outcome, Pending
from celery_rpc.transport.base import Frame
from celery_rpc.transport.outcome import Malformed, Registry, parse_meta, to_outcome

log = logging.getLogger("celery_rpc.replies")

#: Seconds between two warnings about malformed replies.
WARN_EVERY = 10.0

Answer = Callable[[str, Any], object]


class ReplyTable:
    """Finds who waits for a reply.

    A call is kept for as long as somebody keeps its Pending: a Reply, a thread that waits, or
    ``hold``. What is forgotten leaves nothing behind; a reply that nobody waits for is counted and
    dropped, never buffered.
    """

    def __init__(self, registry: Registry, max_in_flight: int) -> None:
        self.registry = registry
        #: Takes a call that a worker refused unexecuted.
        self.again: Callable[[Pending, Outcome], object] = Pending.resolve
        self.max_in_flight = max_in_flight
        self.counters: Counter[str] = Counter()
        self._pending: WeakValueDictionary[str, Pending] = WeakValueDictionary()
        self._held: dict[str, Pending] = {}
        self._answers: dict[str, Answer] = {}
        self._lock = Lock()
        self._warned_at = 0.0

    def register(
        self,
        task_id: str,
        task: str = "",
        deadline: Deadline = NEVER,
        given: Pending | None = None,
    ) -> Pending:
        """Expect a reply; it goes to the ``given`` Pending where somebody waits by one already.

        Raises:
            Overloaded: max_in_flight calls wait already.
        """
        known = self._pending.get(task_id)
        if known is not None:
            known.task = task or known.task
            if deadline.at is not None:
                known.deadline = deadline
            return known
        if len(self._pending) >= self.max_in_flight:
            raise Overloaded(
                f"{self.max_in_flight:,} calls are in flight: wait for replies, or raise "
                "max_in_flight"
            )
        pending = given or Pending(task_id, task, deadline)
        with self._lock:
            return self._pending.setdefault(task_id, pending)

    def hold(self, pending: Pending) -> None:
        """Keep a call until it has ended."""
        if pending.done:
            return
        with self._lock:
            self._held[pending.id] = pending
        task_id = pending.id  # the callback must not keep the Pending itself
        pending.on_done(lambda: self._held.pop(task_id, None))

    def forget(self, task_id: str) -> None:
        """Expect no reply any more."""
        with self._lock:
            self._held.pop(task_id, None)
            self._pending.pop(task_id, None)

    def all(self) -> list[Pending]:
        """Give every call that has not ended."""
        return [each for each in list(self._pending.values()) if not each.done]

    def __len__(self) -> int:
        return len(self.all())

    def refuse(self, task_id: str, error: Exception) -> None:
        """End a call whose message the broker refused."""
        pending = self._pending.get(task_id)
        if pending is not None:
            pending.fail(error)

    def fail_all(self, error: Callable[[Pending], Exception]) -> None:
        """End every call."""
        for pending in self.all():
            pending.fail(error(pending))

    # ----- answers to broadcasts

    def expect(self, tickets: Mapping[str, Any], answer: Answer) -> None:
        self._answers.update(dict.fromkeys(tickets, answer))

    def unexpect(self, tickets: Mapping[str, Any]) -> None:
        for ticket in tickets:
            self._answers.pop(ticket, None)

    # ----- what comes

    def deliver(self, frame: Frame) -> None:
        """Take one message of the reply queue to whoever waits for it. Raises nothing."""
        try:
            if frame.ticket is not None:
                self._deliver_answer(frame.ticket, frame)
            else:
                self._deliver_reply(frame)
        except Malformed as error:
            self._drop(frame, error)
        except Exception as error:  # a bug here; the reader must survive it
            log.exception("a reply could not be delivered")
            self._drop(frame, Malformed(repr(error)))

    def _deliver_reply(self, frame: Frame) -> None:
        known = self._pending.get(frame.correlation_id) if frame.correlation_id else None
        if frame.correlation_id and known is None:
            self.counters["unclaimed"] += 1
            return
        if frame.compression is not None:
            raise Malformed(f"compressed ({frame.compression!r}); compressed replies are not read")
        self.deliver_meta(parse_meta(frame.body, frame.content_type), known)

    def deliver_meta(self, meta: dict[str, Any], known: Pending | None = None) -> None:
        """Take a task's state to whoever waits for it."""
        pending = self._pending.get(meta["task_id"]) if known is None else known
        if pending is None or pending.id != meta["task_id"]:
            self.counters["unclaimed"] += 1
            return
        outcome = to_outcome(meta, pending.task, self.registry)
        if not isinstance(outcome, Outcome):
            pending.update(outcome)
        elif isinstance(outcome.error, NoSuchTask) and pending.call is not None:
            outcome.error.service = pending.call.address.queue
            self.again(pending, outcome)
        elif pending.resolve(outcome):
            self.counters["replies"] += 1
        else:
            self.counters["duplicate"] += 1

    def _deliver_answer(self, ticket: str, frame: Frame) -> None:
        answer = self._answers.get(ticket)
        if answer is None:
            self.counters["unclaimed"] += 1
            return
        try:
            body = loads(frame.body)
        except (ValueError, TypeError, LookupError, RecursionError, AttributeError) as error:
            raise Malformed(f"no JSON: {error}") from error
        answer(ticket, body)

    def _drop(self, frame: Frame, error: Malformed) -> None:
        """Count a malformed message; only the call that it names fails by it."""
        self.counters["malformed"] += 1
        pending = self._pending.get(frame.correlation_id) if frame.correlation_id else None
        if pending is not None:
            pending.fail(ResultError(f"the reply to {pending.task} cannot be read: {error}",
                                     task_id=pending.id))  # fmt: skip
        if monotonic() - self._warned_at > WARN_EVERY:
            self._warned_at = monotonic()
            log.warning("dropped a malformed reply (%d so far): %.200s",
                        self.counters["malformed"], error)  # fmt: skip
