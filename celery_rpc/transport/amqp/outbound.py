"""Outbound: what goes over one AMQP connection, written by many threads, with its confirms."""

import logging
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, ParamSpec, TypeVar

from amqp.method_framing import frame_writer

from celery_rpc.errors import NoSuchService, OutcomeUnknown, Overloaded, RpcError, Unavailable
from celery_rpc.settings.broker_url import masked
from celery_rpc.support.bell import Bell
from celery_rpc.support.deadline import NEVER, Deadline
from celery_rpc.support.mutex import Busy, Mutex
from celery_rpc.transport.amqp.confirms import Confirms
from celery_rpc.transport.amqp.errors import BROKEN, encoded, translated
from celery_rpc.transport.call_message import Envelope, due
from celery_rpc.transport.link import Receipt

log = logging.getLogger("celery_rpc.amqp")

P = ParamSpec("P")
T = TypeVar("T")

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
        self._mutex = Mutex()
        #: The connection to which something is being written: an exception in the midst of that,
        #: such as KeyboardInterrupt, leaves half a frame there, or a tag that no message has.
        self._amid: Any = None
        self.express = Confirms(refuse)
        self.freight = Confirms(refuse)
        self._refuse = refuse
        #: Gives the acknowledgement of replies that is due, which the next write takes along.
        self._take_ack = take_ack
        self._unblocked = Bell()
        self._freight_mutex = Mutex()
        self._connection: Any = None

    # ----- the connection

    def writer_of(self, connection: Any, transport: Any) -> Callable[..., None]:
        """Return what py-amqp writes with."""
        write: Callable[..., None] = frame_writer(connection, transport)

        return partial(self.alone, self._whole, connection, write)

    def alone(self, act: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Act while no other thread writes; over TLS for reads, too, as OpenSSL wants it."""
        if self._mutex.mine:
            return act(*args, **kwargs)
        return self._mutex.run(act, *args, **kwargs)

    def _whole(
        self, connection: Any, write: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Write something as a whole, or end the connection."""
        if self._amid is connection:
            raise ConnectionResetError("broken off while writing")
        try:
            self._amid = connection
            result = write(*args, **kwargs)
            self._amid = None
            return result
        finally:
            if self._amid is connection:
                break_off(connection)

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

    def drop(self) -> None:
        """Publish no more; nobody knows of what is not confirmed."""
        self._connection = None
        self.express.lose()
        self.freight.lose()

    # ----- what the broker says

    def block(self, reason: str) -> None:
        """Hold back messages: the broker is short of memory or disk."""
        self.blocked = str(reason)
        log.warning("%s blocks publishers: %s", self.broker, reason)

    def unblock(self) -> None:
        """Publish again."""
        self.blocked = None
        self._unblocked.ring()

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
        if not self._unblocked.wait_for(lambda: self.blocked is None, deadline):
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
        try:
            self._freight_mutex.run_by(deadline, self._publish_alone, envelope, receipt, deadline)
        except Busy:
            raise Overloaded(
                "other large messages were being sent until the deadline; not sent"
            ) from None

    def _publish_alone(self, envelope: Envelope, receipt: Receipt, deadline: Deadline) -> None:
        alone = Receipt([envelope.id])
        self._write(self.freight, [envelope], alone, deadline)
        if alone.wait(deadline):
            receipt.settle(envelope.id, alone.refused.get(envelope.id))

    def _write(
        self,
        confirms: Confirms,
        envelopes: Sequence[Envelope],
        receipt: Receipt,
        deadline: Deadline,
    ) -> None:
        try:
            self._mutex.run_by(deadline, self._write_now, confirms, envelopes, receipt, deadline)
        except Busy:
            raise Overloaded(BUSY) from None

    def _write_now(
        self,
        confirms: Confirms,
        envelopes: Sequence[Envelope],
        receipt: Receipt,
        deadline: Deadline,
    ) -> None:
        connection, channel = self._connection, confirms.channel
        if connection is None:
            raise Unavailable(f"no connection to {self.broker}")
        try:
            wanted = due(envelopes, receipt.settle)
            chunks = [encoded(each, channel.channel_id, connection.frame_max) for each in wanted]
            ids = [each.id for each in wanted]
            self._whole(connection, self._send, connection, chunks, deadline,
                        lambda: confirms.expect(receipt, ids))  # fmt: skip
        except BROKEN as error:
            break_off(connection)
            # Half a message is none: one alone was certainly not taken; of several, who knows.
            text = f"{self.broker} broke off: {masked(str(error))}"
            if len(envelopes) == 1:
                raise Unavailable(f"{text}; nothing was sent") from error
            raise OutcomeUnknown(text, task_id=envelopes[0].id) from error

    def acknowledge(self) -> None:
        """Write that the broker may forget the replies so far."""
        connection = self._connection
        self.alone(self._whole, connection, self._send, connection, (), NEVER)

    def _send(
        self,
        connection: Any,
        chunks: Sequence[bytes],
        deadline: Deadline,
        expect: Callable[[], object] = lambda: None,
    ) -> None:
        """Write bytes, and the acknowledgement that is due, which take at most WRITE_TIMEOUT."""
        sock = connection._transport.sock
        timeout = deadline.capped(WRITE_TIMEOUT)
        expect()
        if timeout < WRITE_TIMEOUT:
            sock.settimeout(max(timeout, 0.001))  # zero would mean not to block
        try:
            sock.sendall(b"".join((self._take_ack(), *chunks)))
        finally:
            if timeout < WRITE_TIMEOUT:
                sock.settimeout(WRITE_TIMEOUT)
        connection.bytes_sent += 1


def break_off(connection: Any) -> None:
    """Let the reader find a link dead: after half a frame it is of no use."""
    sock = getattr(getattr(connection, "_transport", None), "sock", None)
    if sock is not None:
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
