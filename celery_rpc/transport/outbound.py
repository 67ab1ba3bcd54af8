"""Outbound: what goes over one AMQP connection, written by many threads, with its confirms."""

import logging
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Event, Lock, RLock
from typing import Any

from amqp.method_framing import frame_writer

from celery_rpc.deadline import Deadline
from celery_rpc.errors import NoSuchService, OutcomeUnknown, Overloaded, RpcError, Unavailable
from celery_rpc.transport.amqp_errors import BROKEN, encoded, translated
from celery_rpc.transport.base import Receipt
from celery_rpc.transport.confirms import Confirms
from celery_rpc.transport.message import Envelope, due
from celery_rpc.url import masked

log = logging.getLogger("celery_rpc.amqp")

#: A message larger than this travels alone, on a channel of its own, so that if the broker refuses
#: it (max_message_size) and closes the channel, no other call is hurt. Bytes.
FREIGHT = 256 * 1024

#: Seconds that one write may take; the link is taken for dead after that.
WRITE_TIMEOUT = 10.0

BUSY = "others were sending until the deadline; nothing was sent"


class Outbound:
    """Publishes messages, light ones together and large ones one by one."""

    def __init__(
        self,
        broker: str,
        refuse: Callable[[str, Exception], object],
        take_ack: Callable[[], bytes],
    ) -> None:
        self.broker = broker
        #: Why the broker blocks publishers (connection.blocked), or None.
        self.blocked: str | None = None
        #: Held for every write; over TLS for reads too, where OpenSSL allows one thread at a time.
        self.lock = RLock()
        self.express = Confirms(refuse)
        self.freight = Confirms(refuse)
        self._refuse = refuse
        #: Gives the acknowledgement of replies that is due, which the next write takes along.
        self._take_ack = take_ack
        self._unblocked = Event()
        self._unblocked.set()
        self._freight_lock = Lock()
        self._connection: Any = None

    # ----- the connection

    def writer_of(self, connection: Any, transport: Any) -> Callable[..., None]:
        """Give what py-amqp writes with."""
        write = frame_writer(connection, transport)

        def locked(*args: Any) -> None:
            with self.lock:
                write(*args)

        return locked

    def open(self, connection: Any, express: Any, freight: Any) -> None:
        """Publish over this connection, on these channels."""
        for confirms, channel in ((self.express, express), (self.freight, freight)):
            confirms.start(channel)
            channel.events["basic_return"].add(self._on_return)
        self._connection = connection

    def revive(self, channel_id: int, error: Exception) -> bool:
        """Go on after the broker closed a channel; False when it is none of these."""
        for confirms in (self.express, self.freight):
            channel = confirms.channel
            if channel is not None and channel.channel_id == channel_id:
                confirms.fail(translated(error, self.broker))
                channel.events["basic_ack"].clear()
                channel.events["basic_nack"].clear()
                confirms.start(channel)
                return True
        return False

    def break_off(self) -> None:
        """Let the reader find the link dead: after half a frame it is of no use."""
        sock = getattr(getattr(self._connection, "_transport", None), "sock", None)
        if sock is not None:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def drop(self) -> None:
        """Publish no more; nobody knows of what is not confirmed."""
        self._connection = None
        self.express.lose()
        self.freight.lose()

    # ----- what the broker says

    def block(self, reason: str) -> None:
        """Hold back messages: the broker is short of memory or disk."""
        self.blocked = str(reason)
        self._unblocked.clear()
        log.warning("%s blocks publishers: %s", self.broker, reason)

    def unblock(self) -> None:
        """Publish again."""
        self.blocked = None
        self._unblocked.set()

    def _on_return(self, error: Any, exchange: str, queue: str, message: Any) -> None:
        """The broker has no such queue (mandatory publishing)."""
        task_id = message.properties.get("correlation_id")
        refusal = NoSuchService(
            f"there is no queue {queue!r} at {self.broker}; nothing was sent", service=queue
        )
        for confirms in (self.express, self.freight):
            for receipt, each in list(confirms.open.values()):
                if each == task_id:
                    receipt.settle(task_id, refusal)
        self._refuse(task_id, refusal)

    # ----- messages

    def publish(
        self, envelopes: Sequence[Envelope], deadline: Deadline, *, awaited: bool
    ) -> Receipt:
        """Publish messages, as Link.publish says."""
        if not self._unblocked.is_set() and not self._unblocked.wait(deadline.remaining()):
            raise Overloaded(
                f"{self.broker} blocks publishers until it has room: {self.blocked}; "
                "nothing was sent"
            )
        receipt = Receipt([each.id for each in envelopes], awaited=awaited)
        light = [each for each in envelopes if len(each.body) <= FREIGHT]
        if light:
            self._write(self.express, light, receipt, deadline)
        for number, each in enumerate(each for each in envelopes if len(each.body) > FREIGHT):
            try:
                self._publish_freight(each, receipt, deadline)
            except RpcError as error:
                if not light and number == 0:
                    raise  # nothing of this batch was sent
                self._refuse(each.id, error)
                receipt.settle(each.id, error)
        return receipt

    def _publish_freight(self, envelope: Envelope, receipt: Receipt, deadline: Deadline) -> None:
        """Send one large message, and wait for its confirm before the next may go."""
        if not self._freight_lock.acquire(timeout=deadline.wait()):
            raise Overloaded("other large messages were being sent until the deadline; not sent")
        try:
            alone = Receipt([envelope.id])
            self._write(self.freight, [envelope], alone, deadline)
            if alone.wait(deadline):
                receipt.settle(envelope.id, alone.refused.get(envelope.id))
        finally:
            self._freight_lock.release()

    def _write(
        self,
        confirms: Confirms,
        envelopes: Sequence[Envelope],
        receipt: Receipt,
        deadline: Deadline,
    ) -> None:
        if not confirms.lock.acquire(timeout=deadline.wait()):
            raise Overloaded(BUSY)
        try:
            if not self.lock.acquire(timeout=deadline.wait()):
                raise Overloaded(BUSY)
            try:
                self._write_now(confirms, envelopes, receipt, deadline)
            finally:
                self.lock.release()
        finally:
            confirms.lock.release()

    def _write_now(
        self,
        confirms: Confirms,
        envelopes: Sequence[Envelope],
        receipt: Receipt,
        deadline: Deadline,
    ) -> None:
        try:
            connection, channel = self._connection, confirms.channel
            if connection is None:
                raise Unavailable(f"no connection to {self.broker}")
            wanted = due(envelopes, receipt.settle)
            chunks = [encoded(each, channel.channel_id, connection.frame_max) for each in wanted]
            for each in wanted:
                confirms.expect(receipt, each.id)
            self.send(b"".join((self._take_ack(), *chunks)), deadline.capped(WRITE_TIMEOUT))
        except BROKEN as error:
            self.break_off()
            # Half a message is none: one alone was certainly not taken; of several, who knows.
            text = f"{self.broker} broke off: {masked(str(error))}"
            if len(envelopes) == 1:
                raise Unavailable(f"{text}; nothing was sent") from error
            raise OutcomeUnknown(text, task_id=envelopes[0].id) from error

    def send(self, data: bytes, timeout: float = WRITE_TIMEOUT) -> None:
        """Write bytes, which take no longer than so many seconds."""
        connection = self._connection
        sock = connection._transport.sock
        with self.lock:
            if timeout < WRITE_TIMEOUT:
                sock.settimeout(max(timeout, 0.001))  # zero would mean not to block
            try:
                sock.sendall(data)
            finally:
                if timeout < WRITE_TIMEOUT:
                    sock.settimeout(WRITE_TIMEOUT)
        connection.bytes_sent += 1
