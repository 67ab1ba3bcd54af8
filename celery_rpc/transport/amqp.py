"""AmqpLink: RabbitMQ through py-amqp, on one connection that many threads write and one reads.

py-amqp's own waiting belongs to the thread that waits, so a publisher that waited for its confirm
would eat other threads' replies. Here one thread at a time reads everything and hands out what
came; methods that have an answer are run by the reader's own thread.
"""

import logging
import os
import select
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from threading import Event, Lock, RLock
from time import monotonic
from typing import Any, TypeVar
from uuid import uuid4

import amqp
from amqp.basic_message import Message
from amqp.method_framing import frame_writer
from amqp.spec import Basic
from kombu import Connection
from kombu.utils.json import dumps

from celery_rpc.address import Address
from celery_rpc.config import ClientOptions
from celery_rpc.deadline import Deadline
from celery_rpc.errors import (
    NoSuchService,
    OutcomeUnknown,
    Overloaded,
    RpcError,
    Unavailable,
)
from celery_rpc.transport import frames
from celery_rpc.transport.amqp_errors import BROKEN, encoded, translated
from celery_rpc.transport.base import Frame, Link, LinkDown, Receipt
from celery_rpc.transport.confirms import Confirms
from celery_rpc.transport.control import Command, control_message
from celery_rpc.transport.inbound import Inbound
from celery_rpc.transport.lowwater import can_be_raised, low_water
from celery_rpc.transport.message import Envelope, due
from celery_rpc.url import masked

log = logging.getLogger("celery_rpc.amqp")

T = TypeVar("T")

PIDBOX = "celery.pidbox"

#: A message larger than this travels alone, on a channel of its own, so that if the broker refuses
#: it (max_message_size) and closes the channel, no other call is hurt. Bytes.
FREIGHT = 256 * 1024

#: Replies after which the reader acknowledges them, and seconds of silence after which it does.
ACK_EVERY, ACK_AFTER = 100, 0.1

#: Seconds after which a confirm is read for which nobody waits.
CONFIRM_AFTER = 0.1

#: Seconds that one write may take; the link is taken for dead after that.
WRITE_TIMEOUT = 10.0


class AmqpLink(Link):
    """RabbitMQ, or another broker that speaks AMQP 0-9-1 with confirms."""

    def __init__(self, options: ClientOptions, refuse: Callable[[str, Exception], object]) -> None:
        self.options = options
        self.reply_queue = f"celery-rpc.reply.{uuid4().hex}"
        #: Why the broker blocks publishers (connection.blocked), or None.
        self.blocked: str | None = None
        self._refuse = refuse
        self._unblocked = Event()
        self._unblocked.set()
        self._connection: Any = None
        self._frames: list[Frame] = []
        self._jobs: list[Callable[[], None]] = []
        self._wake_out, self._wake_in = os.pipe()
        os.set_blocking(self._wake_in, False)
        self._poll: Any = None
        self._inbound: Any = None
        #: What the last wait() found: bytes to read; replies that nobody has acknowledged for long.
        self._readable = self._silent = False
        self._cancelled = False
        #: Why the broker closed the channel on which commands to workers go.
        self._control_refusal: Exception | None = None
        #: Delivery tags of the last reply that was handed on, and the last that was acknowledged.
        self._handed_on = self._acknowledged = 0
        self._ack_lock = Lock()
        self._beat_at = 0.0
        self._lost_at: float | None = None
        #: Held for every write; over TLS for reads too, where OpenSSL allows one thread at a time.
        self._socket_lock = RLock()
        self._express = Confirms(refuse)
        self._freight = Confirms(refuse)
        self._freight_lock = Lock()
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
            "on_blocked": self._on_blocked,
            "on_unblocked": self._on_unblocked,
            "client_properties": {"product": "celery-rpc", "connection_name": self.reply_queue},
            "frame_writer": self._frame_writer,
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

    def _frame_writer(self, connection: Any, transport: Any) -> Callable[..., None]:
        write = frame_writer(connection, transport)

        def locked(*args: Any) -> None:
            with self._socket_lock:
                write(*args)

        return locked

    def _set_up(self) -> bool:
        connection = self._connection
        self._cancelled, self._control_refusal = False, None
        self._handed_on = self._acknowledged = 0
        settle = partial(self._express.settle, None)
        self._inbound = Inbound(connection, self._frames.append, settle, self._revive)
        self._on_unblocked()
        replies, express, freight, control = (connection.channel() for _ in range(4))
        self._channels = {
            "replies": replies, "express": express, "freight": freight, "control": control,
        }  # fmt: skip
        self._inbound.replies, self._inbound.confirms = replies.channel_id, express.channel_id
        kept = self._declare_reply_queue()
        self._express.start(express)
        self._freight.start(freight)
        for channel in (express, freight):
            channel.events["basic_return"].add(self._on_return)
        control.events["basic_return"].add(self._on_nobody)
        replies = self._channels["replies"]
        replies.basic_consume(self.reply_queue, on_cancel=self._on_cancel)
        sock = connection.transport.sock
        sock.settimeout(min(WRITE_TIMEOUT, 2 * self.options.heartbeat))
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)
        self._poll.register(self._wake_out, select.POLLIN)
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
            self._readable = self._look(0 if self._frames or self._jobs else patience)
        except BROKEN as error:
            raise self._down(error) from error
        self._silent = unheard and not self._readable and timeout >= ACK_AFTER
        return bool(
            self._readable or self._silent or self._frames or self._jobs
            or monotonic() >= self._beat_at
        )  # fmt: skip

    def _look(self, seconds: float) -> bool:
        """Wait for bytes; leave alone a single confirm that nobody waits for.

        The reply comes right after it: to wake up for each of them would cost a caller who waits
        for the reply a fifth of its time.
        """
        sock = self._connection.transport.sock
        if seconds and self._express.unhurried and can_be_raised(sock):
            with low_water(sock, frames.ACK_SIZE + 1):
                if self._poll_for(min(seconds, CONFIRM_AFTER)):
                    return True
            seconds = 0
        return self._poll_for(seconds)

    def _poll_for(self, seconds: float) -> bool:
        sock = self._connection.transport.sock
        if isinstance(sock, ssl.SSLSocket) and sock.pending():
            return True
        ready = [descriptor for descriptor, _ in self._poll.poll(1000 * seconds)]
        if self._wake_out in ready:
            os.read(self._wake_out, 4096)
            ready.remove(self._wake_out)
        return bool(ready)

    def receive(self) -> Sequence[Frame]:
        try:
            if self._jobs:
                self._run_jobs()
                # A job reads by itself: to read what it has taken would block.
                self._readable = self._poll_for(0)
            if self._readable:
                self._inbound.take_in(self._socket_lock)
            if self._silent or self._handed_on - self._acknowledged >= ACK_EVERY:
                self._send(self._take_ack())
            self._beat()
        except BROKEN as error:
            raise self._down(error) from error
        if self._cancelled:
            raise self._down("the reply queue was deleted")
        taken = self._frames[:]
        del self._frames[: len(taken)]  # other threads may add some meanwhile
        return taken

    def _beat(self) -> None:
        now = monotonic()
        if now >= self._beat_at:
            self._beat_at = now + min(1.0, self.options.heartbeat / 4)
            self._connection.heartbeat_tick()

    def _take_ack(self) -> bytes:
        """Give the frame that lets the broker forget the replies so far, if there are any.

        Until then it keeps them: a reply that was sent into a link that had died comes again over
        the next one. The next publish takes the frame along; the reader sends it when none comes.
        """
        with self._ack_lock:
            tag = self._handed_on
            if tag == self._acknowledged:
                return b""
            self._acknowledged = tag
        return frames.ack(self._channels["replies"].channel_id, tag)

    def _send(self, data: bytes, timeout: float = WRITE_TIMEOUT) -> None:
        connection = self._connection
        sock = connection._transport.sock
        with self._socket_lock:
            if timeout < WRITE_TIMEOUT:
                sock.settimeout(max(timeout, 0.001))  # zero would mean not to block
            try:
                sock.sendall(data)
            finally:
                if timeout < WRITE_TIMEOUT:
                    sock.settimeout(WRITE_TIMEOUT)
        connection.bytes_sent += 1

    def _down(self, reason: object) -> LinkDown:
        self._lost_at = monotonic()
        return LinkDown(f"{self.options.broker}: {masked(str(reason))}")

    def _revive(self, channel_id: int, error: Exception) -> None:
        """Go on after the broker closed one channel (py-amqp has opened it again)."""
        for name, confirms in (("express", self._express), ("freight", self._freight)):
            channel = self._channels[name]
            if channel.channel_id == channel_id:
                confirms.fail(translated(error, str(self.options.broker)))
                channel.events["basic_ack"].clear()
                channel.events["basic_nack"].clear()
                confirms.start(channel)
                return
        if self._channels["replies"].channel_id == channel_id:
            self._cancelled = True
        if self._channels["control"].channel_id == channel_id:
            self._control_refusal = error

    def _run_jobs(self) -> None:
        while self._jobs:
            with self._inbound.lent():
                self._jobs.pop(0)()

    def _on_cancel(self, consumer_tag: str) -> None:
        self._cancelled = True

    def _on_return(self, error: Any, exchange: str, queue: str, message: Any) -> None:
        """The broker has no such queue (mandatory publishing)."""
        task_id = message.properties.get("correlation_id")
        refusal = NoSuchService(
            f"there is no queue {queue!r} at {self.options.broker}; nothing was sent",
            service=queue,
        )
        for confirms in (self._express, self._freight):
            for receipt, each in list(confirms.open.values()):
                if each == task_id:
                    receipt.settle(task_id, refusal)
        self._refuse(task_id, refusal)

    def _on_nobody(self, error: Any, exchange: str, key: str, message: Any) -> None:
        """No worker has a mailbox: answer in their place, so that nobody waits."""
        ticket = message.properties["application_headers"].get("ticket")
        self._frames.append(Frame("null", "application/json", ticket=ticket))

    def _on_blocked(self, reason: str) -> None:
        self.blocked = str(reason)
        self._unblocked.clear()
        log.warning("%s blocks publishers: %s", self.options.broker, reason)

    def _on_unblocked(self) -> None:
        self.blocked = None
        self._unblocked.set()

    def interrupt(self) -> None:
        with suppress(OSError):
            os.write(self._wake_in, b"!")

    # ----- writing: any thread

    def publish(
        self, envelopes: Sequence[Envelope], deadline: Deadline, *, awaited: bool = True
    ) -> Receipt:
        if not self._unblocked.is_set() and not self._unblocked.wait(deadline.remaining()):
            raise Overloaded(
                f"{self.options.broker} blocks publishers until it has room: {self.blocked}; "
                "nothing was sent"
            )
        receipt = Receipt([each.id for each in envelopes], awaited=awaited)
        light = [each for each in envelopes if len(each.body) <= FREIGHT]
        if light:
            self._write(self._express, "express", light, receipt, deadline)
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
            self._write(self._freight, "freight", [envelope], alone, deadline)
            if alone.wait(deadline):
                receipt.settle(envelope.id, alone.refused.get(envelope.id))
        finally:
            self._freight_lock.release()

    def _write(
        self, confirms: Confirms, name: str, envelopes: Sequence[Envelope], receipt: Receipt,
        deadline: Deadline,
    ) -> None:  # fmt: skip
        busy = "others were sending until the deadline; nothing was sent"
        if not confirms.lock.acquire(timeout=deadline.wait()):
            raise Overloaded(busy)
        try:
            if not self._socket_lock.acquire(timeout=deadline.wait()):
                raise Overloaded(busy)
            try:
                self._write_now(confirms, name, envelopes, receipt, deadline)
            finally:
                self._socket_lock.release()
        finally:
            confirms.lock.release()

    def _write_now(
        self, confirms: Confirms, name: str, envelopes: Sequence[Envelope], receipt: Receipt,
        deadline: Deadline,
    ) -> None:  # fmt: skip
        try:
            connection, channel = self._connection, self._channels.get(name)
            if channel is None or connection is None:
                raise Unavailable(f"no connection to {self.options.broker}")
            wanted = due(envelopes, receipt.settle)
            chunks = [encoded(each, channel.channel_id, connection.frame_max) for each in wanted]
            for each in wanted:
                confirms.expect(receipt, each.id)
            self._send(b"".join((self._take_ack(), *chunks)), deadline.capped(WRITE_TIMEOUT))
        except BROKEN as error:
            self._break()
            # Half a message is none: one alone was certainly not taken; of several, who knows.
            text = f"{self.options.broker} broke off: {masked(str(error))}"
            if len(envelopes) == 1:
                raise Unavailable(f"{text}; nothing was sent") from error
            raise OutcomeUnknown(text, task_id=envelopes[0].id) from error

    def _break(self) -> None:
        """Let the reader find the link dead: after half a frame it is of no use."""
        connection = self._connection
        sock = getattr(getattr(connection, "_transport", None), "sock", None)
        if sock is not None:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def broadcast(self, commands: Mapping[str, Command], deadline: Deadline) -> int | None:
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
                self._break()
                raise Unavailable(f"{self.options.broker} broke off: {error}") from error
        if not self._in_reader(self._took_commands, deadline):
            self._frames += [Frame("null", "application/json", ticket=each) for each in commands]
        self.interrupt()
        return None

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

        return self._in_reader(on_own_channel, deadline)

    def _in_reader(self, ask: Callable[[], T], deadline: Deadline) -> T:
        answer: list[T] = []
        problem: list[RpcError] = []
        finished = Event()

        def job() -> None:
            try:
                answer.append(ask())
            except amqp.exceptions.ChannelError as error:
                problem.append(translated(error, str(self.options.broker)))
            except Exception as error:  # whatever it is, whoever waits must be told
                problem.append(translated(error, str(self.options.broker)))
                raise
            finally:
                finished.set()

        self._jobs.append(job)
        self.interrupt()
        if not finished.wait(deadline.remaining()):
            raise Unavailable(f"{self.options.broker} did not answer in time")
        if problem:
            raise problem[0]
        return answer[0]

    # ----- the end

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        self._channels = {}
        if connection is not None:
            with suppress(*BROKEN, TypeError):
                connection.collect()
        self._express.lose()
        self._freight.lose()

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
        os.close(self._wake_in)
        os.close(self._wake_out)

    def abandon(self) -> None:
        sock = getattr(getattr(self._connection, "_transport", None), "sock", None)
        self._connection = None
        self._closed = True
        if sock is not None:
            sock.close()
        os.close(self._wake_in)
        os.close(self._wake_out)
