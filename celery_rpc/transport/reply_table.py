"""ReplyTable: correlation id -> Pending, and what came that nobody waits for."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from celery_rpc.calls.call import Call
from celery_rpc.calls.pending import Outcome, Pending
from celery_rpc.errors import (
    CallCancelled,
    DeadlineExceeded,
    NoSuchTask,
    Overloaded,
    ResultError,
)
from celery_rpc.support.deadline import NEVER, Deadline
from celery_rpc.support.mutex import Mutex
from celery_rpc.support.throttled_log import RateLimited
from celery_rpc.transport.clock_skew import NOTICEABLE, Skew
from celery_rpc.transport.link import CallTransport
from celery_rpc.transport.received import Frame, Malformed, read_json
from celery_rpc.transport.reply_message import (
    Registry,
    has_expired,
    parse_meta,
    to_outcome,
    worker_of,
)

log = logging.getLogger("celery_rpc.replies")

#: Most bytes of one worker's answer to a control command.
MAX_ANSWER = 8 * 1024 * 1024

#: Calls that are looked through to find whether all have ended.
FEW = 16

#: Seconds for which nobody need read where nothing is awaited, and where only answers are.
SPARE, SPARE_FOR_ANSWERS = 0.1, 0.01

Answer = Callable[[str, Any], object]

T = TypeVar("T")


class ReplyTable:
    """Finds who waits for a reply.

    A call is kept for as long as somebody keeps its Pending: a Reply, a thread that waits, or
    ``hold``. What is forgotten leaves nothing behind; a reply that nobody waits for is counted and
    dropped, never buffered.
    """

    def __init__(self, registry: Registry, max_in_flight: int, max_reply: int, skew: Skew) -> None:
        self.registry = registry
        self.max_reply = max_reply
        self.skew = skew
        #: Takes a call that a worker refused unexecuted.
        self.again: Callable[[Pending, Outcome], object] = Pending.resolve
        self.max_in_flight = max_in_flight
        self.counters: Counter[str] = Counter()
        self._pending: WeakValueDictionary[str, Pending] = WeakValueDictionary()
        self._held: dict[str, Pending] = {}
        self._answers: dict[str, Answer] = {}
        self._registering = Mutex()
        #: One a client: what floods one of them must not silence another.
        self._log = RateLimited(log)

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
        return self._registering.run(self._pending.setdefault, task_id, pending)

    def hold(self, pending: Pending) -> None:
        """Keep a call until it has ended."""
        if pending.done:
            return
        self._held[pending.id] = pending
        task_id = pending.id  # the callback must not keep the Pending itself
        pending.on_done(lambda: self._held.pop(task_id, None))

    def expected(self, task_id: str) -> Pending | None:
        """Return what somebody waits by for a call's reply, if anybody does."""
        return self._pending.get(task_id)

    def forget(self, task_id: str) -> None:
        """Expect no reply any more."""
        self._held.pop(task_id, None)
        self._pending.pop(task_id, None)

    def all(self) -> list[Pending]:
        """Return every call that has not ended."""
        return [each for each in self._kept() if not each.done]

    def _kept(self) -> list[Pending]:
        """Return what is in the table; others may put something in, or take it out, meanwhile."""
        # The references are listed in one step; to go through the values would see them change.
        found = [reference() for reference in self._pending.valuerefs()]
        return [each for each in found if each is not None]

    def __len__(self) -> int:
        return len(self.all())

    def spare(self) -> float:
        """Return the seconds for which nobody need read; none where it would take long to find out.

        Workers' answers to commands, which may come for seconds, need not be read at once.
        """
        if len(self._pending) > FEW or not all(each.done for each in self._kept()):
            return 0.0
        return SPARE_FOR_ANSWERS if self._answers else SPARE

    def refuse(self, task_id: str, error: Exception) -> None:
        """End a call whose message the broker refused."""
        pending = self._pending.get(task_id)
        if pending is not None:
            pending.fail(error)

    def fail_all(self, error: Callable[[Pending], Exception]) -> None:
        """End every call; those, too, at whose end somebody was broken off."""
        for pending in self._kept():
            pending.fail(error(pending))

    # ----- answers to broadcasts

    def expect(self, tickets: Mapping[str, Any], answer: Answer) -> None:
        self._answers.update(dict.fromkeys(tickets, answer))

    def unexpect(self, tickets: Mapping[str, Any]) -> None:
        for ticket in tickets:
            self._answers.pop(ticket, None)

    # ----- what comes

    def deliver(self, frame: Frame) -> None:
        """Deliver one message of the reply queue to whoever waits for it.

        Nothing in the message makes it raise; what strikes the thread from outside passes.
        """
        self._survive(self._deliver_frame, frame, frame.correlation_id)

    def deliver_meta(self, meta: dict[str, Any]) -> None:
        """Deliver a task's state, of parse_meta, to whoever waits for it, as deliver() does."""
        self._survive(self._deliver_meta, meta, meta["task_id"])

    def _survive(self, deliver: Callable[[T], object], what: T, task_id: str | None) -> None:
        """Deliver; what cannot be is dropped and counted, and the reader goes on."""
        try:
            deliver(what)
        except Malformed as error:
            self._drop(task_id, error)
        except Exception:
            # It struck this thread from outside, as a soft time limit does, and is no fault of the
            # reply; or it is a bug here, which must not hurt other calls, and comes again.
            try:
                deliver(what)
            except Exception as error:
                self._log.exception("a reply could not be delivered")
                self._drop(task_id, Malformed(repr(error)))
            else:
                raise

    def _deliver_frame(self, frame: Frame) -> None:
        if frame.ticket is not None:
            self._deliver_answer(frame.ticket, frame)
            return
        if frame.correlation_id and frame.correlation_id not in self._pending:
            self.counters["unclaimed"] += 1
            return
        check(frame, self.max_reply)
        meta = parse_meta(frame.body)
        if frame.correlation_id and frame.correlation_id != meta["task_id"]:
            self.counters["unclaimed"] += 1
            return
        self._deliver_meta(meta)

    def _deliver_meta(self, meta: dict[str, Any]) -> None:
        pending = self._pending.get(meta["task_id"])
        if pending is None:
            self.counters["unclaimed"] += 1
            return
        outcome = to_outcome(meta, pending.task, self.registry, worker_of(meta, pending.last))
        if not isinstance(outcome, Outcome):
            pending.update(outcome)
            return
        self.skew.note(meta.get("date_done"))
        if isinstance(outcome.error, CallCancelled) and has_expired(meta):
            outcome = explain_expiry(outcome, pending, self.skew.ahead)
        if isinstance(outcome.error, NoSuchTask) and pending.call is not None:
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
        check(frame, MAX_ANSWER)
        answer(ticket, read_json(frame.body))

    def _drop(self, task_id: str | None, error: Malformed) -> None:
        """Count a malformed message; only the call that it names fails by it."""
        self.counters["malformed"] += 1
        pending = self._pending.get(task_id) if task_id else None
        if pending is not None:
            pending.fail(ResultError(f"the reply to {pending.task} cannot be read: {error}",
                                     task_id=pending.id))  # fmt: skip
        self._log.warning("dropped a malformed reply: %.200s", error)


class Unsent:
    """Calls that are let go of if the block fails, whatever strikes it.

    Whoever keeps the error keeps its frames, and with them each Pending.
    """

    def __init__(self, table: ReplyTable, calls: Sequence[Call]) -> None:
        self._table = table
        self._calls = calls

    def __enter__(self) -> None:
        """Nothing was sent yet."""

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            for call in self._calls:
                self._table.forget(call.id)


class TableTransport(CallTransport):
    """A transport whose calls are in a table."""

    table: ReplyTable

    def expected(self, task_id: str) -> Pending | None:
        return self.table.expected(task_id)

    def hold(self, pending: Pending) -> None:
        self.table.hold(pending)

    def forget(self, task_id: str) -> None:
        self.table.forget(task_id)


def check(frame: Frame, limit: int) -> None:
    """Refuse a message that cannot be read, or that is too large to be parsed.

    Raises:
        Malformed: it has a problem, or its body is larger than the limit, in bytes.
    """
    if frame.problem:
        raise Malformed(frame.problem)
    if len(frame.body) > limit:
        raise Malformed(f"{len(frame.body):,} bytes, more than the limit of {limit:,}")


def explain_expiry(outcome: Outcome, pending: Pending, ahead: float) -> Outcome:
    """Return what it means that a worker dropped a call as expired.

    Args:
        ahead: seconds by which the workers' clocks are ahead of ours.
    """
    if is_over(pending):
        name = pending.task or "the call"
        error = DeadlineExceeded(
            f"{name} ({pending.id}) was not run: its deadline had passed when a worker came to it",
            task_id=pending.id,
            state=outcome.state,
        )
        return replace(outcome, error=error)
    if ahead and outcome.error is not None:
        outcome.error.args = (
            f"{outcome.error}: by the clock of its worker, which is {ahead:.0f} s ahead of ours. "
            "Set the clocks, or connect(skew_allowance=...)",
        )
    return outcome


def is_over(pending: Pending) -> bool:
    """Return whether a call's deadline has passed, by our clock or by its worker's.

    A call that was also given expires= may have expired before.
    """
    call, left = pending.call, pending.deadline.remaining()
    if left is None:
        return False
    return left == 0 or (left < NOTICEABLE and call is not None and call.options.expires is None)
