"""AmqpLink: RabbitMQ through py-amqp, on one connection that many threads write and one reads.

py-amqp's own waiting belongs to the thread that waits, so a publisher that waited for its confirm
would eat other threads' replies. Here one thread at a time reads everything and hands out what
came; methods that have an answer are run by the reader's own thread.
"""

import logging
import select
import ssl
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import Any, TypeVar
from uuid import uuid4

import amqp
from amqp.basic_message import Message
from amqp.spec import Basic
from kombu import Connection
from kombu.utils.json import dumps

from celery_rpc.catalog.address import Address
from celery_rpc.errors import (
    RpcError,
    Unavailable,
)
from celery_rpc.settings.broker_url import masked
from celery_rpc.settings.client_options import ClientOptions
from celery_rpc.support.deadline import Deadline
from celery_rpc.support.mutex import Busy, Mutex
from celery_rpc.transport.amqp import frames
from celery_rpc.transport.amqp.errors import BROKEN, translated
from celery_rpc.transport.amqp.inbound import Inbound
from celery_rpc.transport.amqp.low_water import can_be_raised, low_water
from celery_rpc.transport.amqp.outbound import WRITE_TIMEOUT, Outbound, break_off
from celery_rpc.transport.amqp.reader_jobs import Errands
from celery_rpc.transport.call_message import Envelope
from celery_rpc.transport.control import Command, control_message
from celery_rpc.transport.link import Link, LinkDown, Receipt
from celery_rpc.transport.received import Frame
from celery_rpc.transport.waker import Waker

log = logging.getLogger("celery_rpc.amqp")

T = TypeVar("T")

PIDBOX = "celery.pidbox"

#: Replies after which the reader acknowledges them, and seconds of silence after which it does.
ACK_EVERY, ACK_AFTER = 100, 0.1

#: Seconds after which a confirm is read for which nobody waits.
CONFIRM_AFTER = 0.1


class AmqpLink(Link):
    """RabbitMQ, or another broker that speaks AMQP 0-9-1 with confirms."""

    def __init__(self, options: ClientOptions, refuse: Callable[[str, Exception], object]) -> None:
        self.options = options
        self.reply_queue = f"celery-rpc.reply.{uuid4().hex}"
        self._connection: Any = None
        self._frames: list[Frame] = []
        self._errands = Errands(str(options.broker), self.interrupt)
        self._waker = Waker()
        self._poll: Any = None
        self._inbound: Any = None
        #: What the last wait() found: bytes to read; replies that nobody has acknowledged for long.
        self._readable = self._silent = False
        self._cancelled = False
        #: Why the broker closed the channel on which commands to workers go.
        self._control_refusal: Exception | None = None
        self._control_mutex = Mutex()
        #: Delivery tags of the last reply that was handed on, and the last that was acknowledged.
        self._handed_on = self._acknowledged = 0
        self._beat_at = 0.0
        self._lost_at: float | None = None
        self._outbound = Outbound(str(options.broker), refuse, self._take_ack)
        self._channels: dict[str, Any] = {}
        self._closed = False

    # ----- reading: one thread at a time

    def connect(self, timeout: float) -> bool:
        self._drop()
        try:
            self._connection = self._establish(timeout)
            kept = self._set_up()
        except BROKEN as error:
            self._drop()
            raise translated(error, str(self.options.broker)) from error
        self._lost_at = None
        return kept

    def _establish(self, timeout: float) -> Any:
        options = self.options
        settings = {
            **options.transport_options,
            "on_blocked": self._outbound.block,
            "on_unblocked": self._outbound.unblock,
            "client_properties": {"product": "celery-rpc", "connection_name": self.reply_queue},
            "frame_writer": self._outbound.writer_of,
        }
        settings.pop("confirm_publish", None)
        make: Any = Connection
        kombu_connection = make(
            options.broker.text,
            ssl=options.use_ssl,
            connect_timeout=timeout,
            heartbeat=options.heartbeat,
            transport_options=settings,
        )
        return kombu_connection.transport.establish_connection()

    def _set_up(self) -> bool:
        connection = self._connection
        self._cancelled, self._control_refusal = False, None
        self._handed_on = self._acknowledged = 0
        settle = partial(self._outbound.express.settle, None)
        self._inbound = Inbound(
            connection, self._outbound.alone, self._frames.append, settle, self._revive
        )
        self._outbound.unblock()
        replies, express, freight, control = (connection.channel() for _ in range(4))
        self._channels = {"replies": replies, "control": control}
        self._inbound.replies, self._inbound.confirms = replies.channel_id, express.channel_id
        kept = self._declare_reply_queue()
        self._outbound.open(connection, express, freight)
        control.events["basic_return"].add(self._on_nobody)
        replies.basic_consume(self.reply_queue, on_cancel=self._on_cancel)
        sock = connection.transport.sock
        sock.settimeout(min(WRITE_TIMEOUT, 2 * self.options.heartbeat))
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)
        self._poll.register(self._waker, select.POLLIN)
        return kept

    def _declare_reply_queue(self) -> bool:
        """Declare the queue; False when one that had outlived its time was lost."""
        ttl = self.options.reply_ttl
        away = 0.0 if self._lost_at is None else monotonic() - self._lost_at
        self._channels["replies"].queue_declare(
            self.reply_queue,
            durable=True,
            exclusive=False,
            auto_delete=False,
            arguments={"x-expires": int(ttl * 1000)},
        )
        return away < ttl

    def wait(self, timeout: float) -> bool:
        connection = self._connection
        if connection is None:
            raise LinkDown("not connected")
        self._handed_on = self._inbound.deliveries.tag
        unheard = self._handed_on != self._acknowledged
        patience = min(timeout, ACK_AFTER if unheard else self.options.heartbeat / 4)
        try:
            self._readable = self._look(0 if self._has_work else patience)
        except BROKEN as error:
            raise self._down(error) from error
        self._silent = unheard and not self._readable and timeout >= ACK_AFTER
        return self._readable or self._silent or self._has_work or monotonic() >= self._beat_at

    @property
    def _has_work(self) -> bool:
        """True when there is something to receive(), whatever comes."""
        return bool(self._frames or self._errands or self._inbound.backlog)

    @property
    def busy(self) -> bool:
        return bool(
            self._errands or self._silent or self._inbound.backlog
            or self._handed_on - self._acknowledged >= ACK_EVERY or monotonic() >= self._beat_at
        )  # fmt: skip

    def _look(self, seconds: float) -> bool:
        """Wait for bytes; leave alone, for a moment, confirms that nobody waits for.

        A reply comes right after each: to wake up for both would cost a caller who waits for the
        reply a fifth of its time.
        """
        sock = self._connection.transport.sock
        confirms = self._outbound.express.unhurried
        if not confirms or not can_be_raised(sock):
            return self._poll_for(seconds)
        with low_water(sock, confirms * frames.ACK_SIZE + 1):
            readable = self._poll_for(min(seconds, CONFIRM_AFTER))
        return readable or (seconds > 0 and self._poll_for(0))

    def _poll_for(self, seconds: float) -> bool:
        sock = self._connection.transport.sock
        if isinstance(sock, ssl.SSLSocket) and sock.pending():
            return True
        ready = [descriptor for descriptor, _ in self._poll.poll(1000 * seconds)]
        if self._waker.fileno() in ready:
            self._waker.clear()
            ready.remove(self._waker.fileno())
        return bool(ready)

    def receive(self, *, may_block: bool) -> Sequence[Frame]:
        try:
            if may_block:
                self._do_chores()
            if self._readable:
                self._inbound.take_in(may_block=may_block)
        except BROKEN as error:
            raise self._down(error) from error
        if self._cancelled:
            raise self._down("the reply queue was deleted")
        taken = self._frames[:]
        del self._frames[: len(taken)]  # other threads may add some meanwhile
        return taken

    def _do_chores(self) -> None:
        """Do what may take time."""
        if self._errands:
            self._errands.run(self._inbound.lent)
            # A job reads by itself: to read what it has taken would block.
            self._readable = self._poll_for(0)
        self._inbound.go_on()
        if self._silent or self._handed_on - self._acknowledged >= ACK_EVERY:
            self._outbound.acknowledge()
        self._beat()

    def _beat(self) -> None:
        now = monotonic()
        if now >= self._beat_at:
            self._beat_at = now + min(1.0, self.options.heartbeat / 4)
            self._connection.heartbeat_tick()

    def _take_ack(self) -> bytes:
        """Return the frame that lets the broker forget the replies so far, if there are any.

        Until then it keeps them: a reply that was sent into a link that had died comes again over
        the next one. The next publish takes the frame along; the reader sends it when none comes.
        Called while nobody else writes.
        """
        tag = self._handed_on
        if tag == self._acknowledged:
            return b""
        self._acknowledged = tag
        return frames.ack(self._channels["replies"].channel_id, tag)

    def _down(self, reason: object) -> LinkDown:
        self._lost_at = monotonic()
        return LinkDown(f"{self.options.broker}: {masked(str(reason))}")

    def _revive(self, channel_id: int, error: Exception) -> None:
        """Go on after the broker closed one channel (py-amqp has opened it again)."""
        if self._outbound.revive(channel_id, error):
            return
        if self._channels["replies"].channel_id == channel_id:
            self._cancelled = True
        if self._channels["control"].channel_id == channel_id:
            self._control_refusal = error

    def _on_cancel(self, consumer_tag: str) -> None:
        self._cancelled = True

    def _on_nobody(self, error: Any, exchange: str, key: str, message: Any) -> None:
        """No worker has a mailbox: answer in their place, so that nobody waits."""
        ticket = message.properties["application_headers"].get("ticket")
        self._frames.append(Frame(b"null", ticket=ticket))

    def interrupt(self) -> None:
        self._waker.wake()

    # ----- writing: any thread

    @property
    def blocked(self) -> str | None:
        """Why the broker blocks publishers, or None."""
        return self._outbound.blocked

    def publish(
        self, envelopes: Sequence[Envelope], deadline: Deadline, *, awaited: bool = True
    ) -> Receipt:
        return self._outbound.publish(envelopes, deadline, awaited=awaited)

    def broadcast(self, commands: Mapping[str, Command], deadline: Deadline) -> int | None:
        # One at a time: when the broker refuses some, it does not see what else comes meanwhile.
        try:
            self._control_mutex.run_by(deadline, self._broadcast, commands, deadline)
        except Busy:
            raise Unavailable(f"{self.options.broker} did not answer in time") from None
        self.interrupt()
        return None

    def _broadcast(self, commands: Mapping[str, Command], deadline: Deadline) -> None:
        channel = self._channels.get("control")
        if channel is None:
            raise Unavailable(f"no connection to {self.options.broker}")
        for ticket, command in commands.items():
            message = Message(
                dumps(control_message(ticket, command, self.reply_queue)),
                content_type="application/json",
                content_encoding="utf-8",
                delivery_mode=1,
                application_headers={"clock": 0, "ticket": ticket},
            )
            try:
                channel.send_method(Basic.Publish, "Bssbb", (0, PIDBOX, "", True, False), message)
            except BROKEN as error:
                break_off(self._connection)
                raise Unavailable(f"{self.options.broker} broke off: {error}") from error
        if not self._errands.ask(self._took_commands, deadline):
            self._frames += [Frame(b"null", ticket=each) for each in commands]

    def _took_commands(self) -> bool:
        """Ask on the channel of the commands, after them: a refusal comes before the answer.

        On no other channel, whose answer the refusal would be taken for.

        The answer also says that the broker is alive, which a write does not.

        Raises:
            ChannelError: the broker refused the commands.
        """
        refusal, self._control_refusal = self._control_refusal, None
        try:
            if refusal is not None:
                raise refusal
            self._channels["control"].exchange_declare(PIDBOX, "fanout", passive=True)
        except amqp.exceptions.NotFound:
            return False  # no worker ever made a mailbox here
        return True

    def depth(self, address: Address, deadline: Deadline) -> tuple[int, int | None] | None:
        def ask(channel: Any) -> tuple[int, int | None] | None:
            try:
                _, messages, consumers = channel.queue_declare(address.queue, passive=True)
            except amqp.exceptions.NotFound:
                return None
            return messages, consumers

        return self.run(ask, deadline)

    def run(self, ask: Callable[[Any], T], deadline: Deadline) -> T:
        """Run a method that has an answer, on a channel of its own, in the reader's thread."""

        def on_own_channel() -> T:
            channel = self._connection.channel()
            try:
                return ask(channel)
            finally:
                channel.close()

        return self._errands.ask(on_own_channel, deadline)

    # ----- the end

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        self._channels = {}
        if connection is not None:
            with suppress(*BROKEN, TypeError):
                connection.collect()
        self._outbound.drop()

    def close(self, *, delete: bool) -> None:
        if self._closed:
            return
        self._closed = True
        connection = self._connection
        if connection is not None:
            with suppress(*BROKEN, RpcError):
                connection.transport.sock.settimeout(1.0)
                with self._inbound.lent():
                    self._channels["replies"].queue_delete(self.reply_queue)
                    connection.close()
        self._drop()
        self._waker.close()

    def abandon(self) -> None:
        sock = getattr(getattr(self._connection, "_transport", None), "sock", None)
        self._connection = None
        self._closed = True
        if sock is not None:
            sock.close()
        self._waker.abandon()
