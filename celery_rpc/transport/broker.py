"""BrokerTransport: calls through a real broker, replies by the broker or from a result store."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from threading import Lock
from typing import TYPE_CHECKING, Any

from celery_rpc.address import Address
from celery_rpc.call import Call
from celery_rpc.config import ClientOptions
from celery_rpc.deadline import Deadline, latest
from celery_rpc.errors import ClientClosed, OutcomeUnknown, ReplyLost, Unavailable
from celery_rpc.fork import renew_after_fork
from celery_rpc.pending import Outcome, Pending
from celery_rpc.reply import Cancellation
from celery_rpc.transport.again import Again, Known, KnownElsewhere
from celery_rpc.transport.base import Link, Receipt
from celery_rpc.transport.control import Command
from celery_rpc.transport.message import Envelope, EnvelopeWriter, announce_sent
from celery_rpc.transport.outbox import Outbox
from celery_rpc.transport.outcome import Registry
from celery_rpc.transport.reader import Reader
from celery_rpc.transport.replies import ReplyTable, TableTransport, Unsent
from celery_rpc.transport.skew import Skew
from celery_rpc.url import masked

if TYPE_CHECKING:
    from celery_rpc.transport.store import ResultStore

#: Bytes of arguments up to which the calling thread reads its own reply.
LIGHT = 64 * 1024


def open_link(options: ClientOptions, refuse: Callable[[str, Exception], object]) -> Link:
    """Give the link that speaks to a broker; imports only what that one needs."""
    if options.broker.family == "redis":
        from celery_rpc.transport.redis import RedisLink

        return RedisLink(options)
    if options.broker.family == "amqp":
        from celery_rpc.transport.amqp import AmqpLink

        return AmqpLink(options, refuse)
    from celery_rpc.transport.kombu import KombuLink

    return KombuLink(options)


class BrokerTransport(TableTransport):
    """One link, one reader thread, one reply queue. Opens at the first use."""

    def __init__(
        self,
        options: ClientOptions,
        registry: Registry,
        known_elsewhere: KnownElsewhere = lambda call, refusal: Known.BY_NONE,
    ) -> None:
        self.options = options
        self._known_elsewhere = known_elsewhere
        self.skew = Skew()
        self.table = ReplyTable(registry, options.max_in_flight, options.max_reply, self.skew)
        self._link: Link | None = None
        self._reader: Reader | None = None
        self._store: ResultStore | None = None
        self._store_reader: Reader | None = None
        self._writer: EnvelopeWriter | None = None
        self._outbox = Outbox(self._hand_over, self.table.refuse)
        self._again = Again(self._known_elsewhere, self._resend)
        self.table.again = self._again.put
        self._lock = Lock()
        self._closed: str | None = None
        renew_after_fork(self)

    # ----- opening

    def _open(self) -> tuple[Link, EnvelopeWriter]:
        link, writer = self._link, self._writer
        if link is not None and writer is not None:
            return link, writer
        with self._lock:
            if self._closed:
                raise ClientClosed(self._closed)
            if self._link is None or self._writer is None:
                self._link = open_link(self.options, self.table.refuse)
                if self.options.backend != "rpc://":
                    from celery_rpc.transport.store import ResultStore

                    self._store = ResultStore(self.options, self.table)
                    self._store_reader = self._read(
                        self._store,
                        self.table.deliver_meta,
                        "results",
                        masked(self.options.backend),
                    )
                self._reader = self._read(
                    self._link, self.table.deliver, "replies", str(self.options.broker)
                )
                # Where results are stored nobody reads replies: none are asked for.
                reply_to = "" if self._store else self._link.reply_queue
                self._writer = EnvelopeWriter(
                    reply_to, self.options.max_payload, self.skew, self.options.skew_allowance
                )
            return self._link, self._writer

    def _read(self, source: Any, deliver: Callable[[Any], object], name: str, where: str) -> Reader:
        timeout = self.options.connect_timeout
        return Reader(source, deliver, self._lost, self.table.spare, timeout, name, where)

    def _require(self, deadline: Deadline) -> None:
        for reader in (self._reader, self._store_reader):
            if reader is not None:
                reader.require(deadline)

    def _reply_reader(self) -> Reader:
        reader = self._store_reader or self._reader
        if reader is None:
            raise ClientClosed(self._closed or "this client was closed")
        return reader

    def _want_readers(self) -> None:
        for reader in (self._reader, self._store_reader):
            if reader is not None:
                reader.want()

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
        return self._store.new_id() if self._store else new_uuid()

    def send(self, call: Call, *, confirm: bool = True) -> Pending:
        envelope, pending, deadline = self._prepare(call)
        retry = bool(call.options.retry)
        with Unsent(self.table, [call]):
            if confirm or len(envelope.body) > LIGHT:
                receipt = self._publish([envelope], deadline, retry=retry)
            else:
                self._reply_reader().catch_up()
                receipt = self._write([envelope], deadline, retry=retry, awaited=False)
            if confirm:
                self._confirm(call.id, receipt, deadline)
        return pending

    def wait(self, pending: Pending, deadline: Deadline) -> Outcome | None:
        if not pending.done:
            self._reply_reader().read_for(pending, deadline)
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
        self.table.hold(pending)
        self._outbox.put(envelope, deadline)
        # Here, where what announced the call may have put it into a context.
        announce_sent(envelope)
        return pending

    def _prepare(
        self, call: Call, known: Pending | None = None
    ) -> tuple[Envelope, Pending, Deadline]:
        _, writer = self._open()
        ends = None if call.expires_in is None else call.expires_in + call.options.starts_after
        deadline = Deadline.after(ends)
        envelope = writer.write(call)
        envelope.deadline = deadline
        pending = self.table.register(call.id, call.task, deadline, known)
        pending.call = call
        pending.decode = call.decode
        self.table.counters["sent"] += not call.options.ignore_result
        if self._store is not None:
            self._store.expect(call.id)
        sending = deadline if deadline.at is not None else Deadline.after(self.options.timeout)
        return envelope, pending, sending

    def _resend(self, pending: Pending) -> None:
        call = pending.call
        if call is not None:
            _, writer = self._open()
            envelope = writer.write(replace(call, expires_in=pending.deadline.remaining()))
            envelope.deadline = pending.deadline
            sending = pending.deadline.earlier(Deadline.after(self.options.timeout))
            self._publish([envelope], sending)

    def _publish(
        self, envelopes: Sequence[Envelope], deadline: Deadline, *, retry: bool = True
    ) -> Receipt:
        self._want_readers()
        return self._write(envelopes, deadline, retry=retry)

    def _hand_over(self, envelopes: Sequence[Envelope], deadline: Deadline) -> None:
        """Publish for the outbox."""
        self._want_readers()
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
        link, _ = self._open()
        self._require(deadline if retry else Deadline.after(0))
        reader = self._reader
        connection = reader.reconnects if reader is not None else 0
        try:
            receipt = link.publish(envelopes, deadline, awaited=awaited)
        except Unavailable as broken:
            if not retry or reader is None or type(broken) is not Unavailable:
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
        self._open()
        pending = self.table.register(task_id)
        if self._store is not None:
            self._store.expect(task_id)
        self._want_readers()
        return pending

    # ----- workers

    def broadcast(
        self,
        commands: Mapping[str, Command],
        answer: Callable[[str, Any], object],
        deadline: Deadline,
    ) -> int | None:
        link, _ = self._open()
        self._require(deadline)
        self.table.expect(commands, answer)
        self._want_readers()
        return link.broadcast(commands, deadline)

    def unexpect(self, commands: Mapping[str, Command]) -> None:
        self.table.unexpect(commands)

    def cancel(
        self, pending: Pending, terminate: bool, signal: str, timeout: float
    ) -> Cancellation:
        from celery_rpc.transport.cancel import cancel

        return cancel(self, pending, terminate, signal, timeout)

    def link(self, deadline: Deadline) -> Link:
        """Give the connected link."""
        link, _ = self._open()
        self._require(deadline)
        self._want_readers()
        return link

    def depth(self, address: Address, deadline: Deadline) -> tuple[int, int | None] | None:
        return self.link(deadline).depth(address, deadline)

    def status(self) -> dict[str, Any]:
        reader, link = self._reader, self._link
        counters = self.table.counters
        return {
            "broker": str(self.options.broker),
            "backend": "rpc://" if self._store is None else str(self._store),
            "connected": bool(reader and reader.up),
            "error": str(reader.error) if reader and reader.error else None,
            "reconnects": reader.reconnects if reader else 0,
            "blocked": getattr(link, "blocked", None),
            "reply_queue": link.reply_queue if link else None,
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
        with self._lock:
            if self._closed:
                return
            self._closed = "this client is closed: connect() again"
        self._outbox.close()
        self._again.close()
        for reader in (self._reader, self._store_reader):
            if reader is not None:
                reader.stop()
        if self._link is not None:
            unanswered = self.table.counters["sent"] > self.table.counters["replies"]
            self._link.close(delete=not unanswered)
        if self._store is not None:
            self._store.close()
        self._link = self._writer = self._reader = self._store_reader = None
        self.table.fail_all(
            lambda pending: ClientClosed(f"the client was closed while {pending.task} was pending")
        )

    def after_fork(self) -> None:
        """In a child process: become a new client, and leave the parent's sockets alone."""
        # Other threads are gone, and with them whoever held a lock: nothing old is locked here.
        pending = self.table.all()
        link, store, closed = self._link, self._store, self._closed
        self.__init__(self.options, self._known_elsewhere)  # type: ignore[misc]
        self._closed = closed
        if link is not None:
            link.abandon()
        if store is not None:
            store.abandon()
        for each in pending:
            each.abandon(
                ClientClosed(f"{each.task} was called by the process that this one was forked from")
            )


def new_uuid() -> str:
    """Give a random UUID (RFC 9562, version 4) as text; uuid.uuid4 takes twice the time."""
    digits = os.urandom(16).hex()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"
