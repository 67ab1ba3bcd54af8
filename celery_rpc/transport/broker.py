"""BrokerTransport: calls through a real broker, replies by the broker or from a result store."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from celery_rpc.calls.call import Call
from celery_rpc.calls.pending import Outcome, Pending
from celery_rpc.calls.reply import Cancellation
from celery_rpc.catalog.address import Address
from celery_rpc.errors import ClientClosed, OutcomeUnknown, ReplyLost, Unavailable
from celery_rpc.settings.client_options import ClientOptions
from celery_rpc.support.deadline import NOW, Deadline, latest
from celery_rpc.support.fork import renew_after_fork
from celery_rpc.support.mutex import Mutex
from celery_rpc.transport.again import Again, Known, KnownElsewhere
from celery_rpc.transport.call_message import Envelope, announce_sent
from celery_rpc.transport.clock_skew import Skew
from celery_rpc.transport.control import Command
from celery_rpc.transport.link import Link, Receipt
from celery_rpc.transport.outbox import Outbox
from celery_rpc.transport.reply_message import Registry
from celery_rpc.transport.reply_table import ReplyTable, TableTransport, Unsent
from celery_rpc.transport.session import Session

#: Bytes of arguments up to which the calling thread reads its own reply.
LIGHT = 64 * 1024


class BrokerTransport(TableTransport):
    """One link, one reader thread, one reply queue. Opens at the first use."""

    def __init__(
        self,
        options: ClientOptions,
        registry: Registry,
        known_elsewhere: KnownElsewhere = lambda call, refusal, since: Known.BY_NONE,
    ) -> None:
        self.options = options
        self._registry = registry
        self._known_elsewhere = known_elsewhere
        self._closed: str | None = None
        self._begin()
        renew_after_fork(self)

    def _begin(self) -> None:
        """Make all that a process cannot share with the one that it was forked from."""
        options = self.options
        self.skew = Skew()
        self.table = ReplyTable(self._registry, options.max_in_flight, options.max_reply, self.skew)
        self._outbox = Outbox(self._hand_over, self.table.refuse)
        self._again = Again(self._known_elsewhere, self._resend)
        self.table.again = self._again.put
        self._session: Session | None = None
        self._opening = Mutex()

    # ----- opening

    def _open(self) -> Session:
        return self._session or self._opening.run(self._open_now)

    def _open_now(self) -> Session:
        if self._closed:
            raise ClientClosed(self._closed)
        if self._session is None:
            self._session = Session.begin(self.options, self.table, self._lost)
        return self._session

    def _lost(self) -> None:
        self.table.fail_all(
            lambda pending: ReplyLost(
                f"the reply queue was lost while {pending.task} ({pending.id}) was pending; it may "
                "have run",
                task_id=pending.id,
            )
        )

    # ----- calls

    @property
    def reply_to(self) -> str:
        return self.link(Deadline.after(self.options.connect_timeout)).reply_queue

    def new_id(self) -> str:
        store = self._session.store if self._session else None
        return store.new_id() if store else new_uuid()

    def send(self, call: Call, *, confirm: bool = True) -> Pending:
        envelope, pending, deadline = self._prepare(call)
        retry = bool(call.options.retry)
        with Unsent(self.table, [call]):
            if confirm or len(envelope.body) > LIGHT:
                receipt = self._publish([envelope], deadline, retry=retry)
            else:
                self._open().reply_reader.catch_up()
                receipt = self._write([envelope], deadline, retry=retry, awaited=False)
            if confirm:
                self._confirm(call.id, receipt, deadline)
        return pending

    def wait(self, pending: Pending, deadline: Deadline) -> Outcome | None:
        if not pending.done:
            self._open().reply_reader.read_for(pending, deadline)
        return pending.wait(deadline)

    def _confirm(self, task_id: str, receipt: Receipt, deadline: Deadline) -> None:
        """Wait for the broker's word on one message."""
        confirmed = receipt.wait(deadline)
        for error in receipt.refused.values():
            raise error
        if not confirmed:
            raise self._unconfirmed(task_id)

    def send_many(self, calls: Sequence[Call]) -> list[Pending]:
        prepared = [self._prepare(call) for call in calls]
        if not prepared:
            return []
        deadline = latest(patience for _, _, patience in prepared)
        envelopes = [envelope for envelope, _, _ in prepared]
        with Unsent(self.table, calls):
            receipt = self._publish(envelopes, deadline, retry=bool(calls[0].options.retry))
        receipt.wait(deadline)
        # Each call ends by itself: others of the batch may have been sent.
        for task_id in receipt.open:
            self.table.refuse(task_id, self._unconfirmed(task_id))
        return [pending for _, pending, _ in prepared]

    def send_soon(self, call: Call, pending: Pending | None = None) -> Pending:
        envelope, pending, deadline = self._prepare(call, pending)
        with Unsent(self.table, [call]):
            self.table.hold(pending)
            self._outbox.put(envelope, deadline)
        # Here, where what announced the call may have put it into a context.
        announce_sent(envelope)
        return pending

    def _prepare(
        self, call: Call, known: Pending | None = None
    ) -> tuple[Envelope, Pending, Deadline]:
        session = self._open()
        deadline = Deadline.after(call.expires_in)
        envelope = session.writer.write(call)
        envelope.deadline = deadline
        pending = self.table.register(call.id, call.task, deadline, known)
        pending.call = call
        pending.decode = call.decode
        self.table.counters["sent"] += not call.options.ignore_result
        if session.store is not None:
            session.store.expect(call.id)
        sending = deadline if deadline.at is not None else Deadline.after(self.options.timeout)
        return envelope, pending, sending

    def _resend(self, pending: Pending) -> None:
        call = pending.call
        if call is not None:
            envelope = self._open().writer.write(
                replace(call, expires_in=pending.deadline.remaining())
            )
            envelope.deadline = pending.deadline
            sending = pending.deadline.earlier(Deadline.after(self.options.timeout))
            self._publish([envelope], sending)

    def _publish(
        self, envelopes: Sequence[Envelope], deadline: Deadline, *, retry: bool = True
    ) -> Receipt:
        self._open().want()
        return self._write(envelopes, deadline, retry=retry)

    def _hand_over(self, envelopes: Sequence[Envelope], deadline: Deadline) -> None:
        """Publish for the outbox."""
        self._open().want()
        self._send_out(envelopes, deadline, retry=True, awaited=False)

    def _write(
        self,
        envelopes: Sequence[Envelope],
        deadline: Deadline,
        *,
        retry: bool,
        awaited: bool = True,
    ) -> Receipt:
        receipt = self._send_out(envelopes, deadline, retry=retry, awaited=awaited)
        for envelope in envelopes:
            announce_sent(envelope)
        return receipt

    def _send_out(
        self, envelopes: Sequence[Envelope], deadline: Deadline, *, retry: bool, awaited: bool
    ) -> Receipt:
        session = self._open()
        session.require(deadline if retry else NOW)
        link, reader = session.link, session.reader
        connection = reader.reconnects
        try:
            receipt = link.publish(envelopes, deadline, awaited=awaited)
        except Unavailable as broken:
            if not retry or type(broken) is not Unavailable:
                raise
            # The connection had broken unnoticed, and nothing was sent: the next one may do.
            reader.require_another(connection, deadline)
            receipt = link.publish(envelopes, deadline, awaited=awaited)
        for task_id, error in receipt.refused.items():
            self.table.refuse(task_id, error)
        return receipt

    def _unconfirmed(self, task_id: str) -> OutcomeUnknown:
        return OutcomeUnknown(
            f"{self.options.broker} did not confirm the message ({task_id}): it may or may not "
            "have it",
            task_id=task_id,
        )

    # ----- replies

    def pending(self, task_id: str) -> Pending:
        session = self._open()
        pending = self.table.register(task_id)
        if session.store is not None:
            session.store.expect(task_id)
        session.want()
        return pending

    # ----- workers

    def broadcast(
        self,
        commands: Mapping[str, Command],
        answer: Callable[[str, Any], object],
        deadline: Deadline,
    ) -> int | None:
        session = self._open()
        session.require(deadline)
        self.table.expect(commands, answer)
        session.want()
        return session.link.broadcast(commands, deadline)

    def unexpect(self, commands: Mapping[str, Command]) -> None:
        self.table.unexpect(commands)

    def cancel(
        self, pending: Pending, terminate: bool, signal: str, timeout: float
    ) -> Cancellation:
        from celery_rpc.transport.cancel import cancel

        return cancel(self, pending, terminate, signal, timeout)

    def link(self, deadline: Deadline) -> Link:
        """Return the connected link."""
        session = self._open()
        session.require(deadline)
        session.want()
        return session.link

    def depth(self, address: Address, deadline: Deadline) -> tuple[int, int | None] | None:
        return self.link(deadline).depth(address, deadline)

    def status(self) -> dict[str, Any]:
        session, counters = self._session, self.table.counters
        reader = session.reader if session else None
        return {
            "broker": str(self.options.broker),
            "backend": str(session.store) if session and session.store else "rpc://",
            "connected": bool(reader and reader.up),
            "error": str(reader.error) if reader and reader.error else None,
            "reconnects": reader.reconnects if reader else 0,
            "blocked": getattr(session.link, "blocked", None) if session else None,
            "reply_queue": session.link.reply_queue if session else None,
            "reading": bool(reader and reader.alive),
            "clock_skew": self.skew.ahead,
            "pending": len(self.table),
            "sent": counters["sent"],
            "replies": counters["replies"],
            "unclaimed": counters["unclaimed"],
            "duplicate": counters["duplicate"],
            "malformed": counters["malformed"],
        }

    # ----- the end

    def close(self) -> None:
        """Disconnect; what was broken off is done when it is called again."""
        self._closed = self._closed or "this client is closed: connect() again"
        self._outbox.close()
        self._again.close()
        session = self._opening.run(lambda: self._session)
        if session is not None:
            unanswered = self.table.counters["sent"] > self.table.counters["replies"]
            session.close(delete=not unanswered)
        self._session = None
        self.table.fail_all(
            lambda pending: ClientClosed(f"the client was closed while {pending.task} was pending")
        )

    def after_fork(self) -> None:
        """In a child process: begin anew, and leave the parent's sockets alone."""
        pending, session = self.table.all(), self._session
        self._begin()
        if session is not None:
            session.abandon()
        for each in pending:
            each.abandon(
                ClientClosed(f"{each.task} was called by the process that this one was forked from")
            )


def new_uuid() -> str:
    """Return a random UUID (RFC 9562, version 4) as text; uuid.uuid4 takes twice the time."""
    digits = os.urandom(16).hex()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"
