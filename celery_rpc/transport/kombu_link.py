"""KombuLink: any broker that kombu speaks, as far as kombu takes it."""

from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any
from uuid import uuid4

from kombu import Connection, Consumer, Exchange, Producer, Queue
from kombu.exceptions import KombuError

from celery_rpc.catalog.address import Address
from celery_rpc.errors import (
    ConfigurationError,
    DiscoveryError,
    OutcomeUnknown,
    Overloaded,
    Unavailable,
)
from celery_rpc.settings.broker_url import masked
from celery_rpc.settings.client_options import ClientOptions
from celery_rpc.support.deadline import Deadline
from celery_rpc.transport.call_message import Envelope, due
from celery_rpc.transport.control import Command, control_message
from celery_rpc.transport.link import Link, LinkDown, Receipt
from celery_rpc.transport.received import Frame, to_frame

PIDBOX = Exchange("celery.pidbox", type="fanout", durable=False, delivery_mode="transient")


class KombuLink(Link):
    """A broker behind kombu's own transport: one connection to read, one to write."""

    any_thread = False  # an exception in the midst of drain_events() may do harm

    def __init__(self, options: ClientOptions) -> None:
        self.options = options
        self.reply_queue = f"celery-rpc.reply.{uuid4().hex}"
        self._reading: Any = None
        self._writing: Any = None
        self._frames: list[Frame] = []
        self._consumer: Any = None
        self._lock = Lock()

    def _connection(self, timeout: float) -> Any:
        options = self.options
        make: Any = Connection
        try:
            connection = make(
                options.broker.text,
                ssl=options.use_ssl,
                connect_timeout=timeout,
                transport_options=dict(options.transport_options),
            )
            connection.connect()
        except ImportError as error:
            raise ConfigurationError(
                f"{options.broker} needs a package that is not installed: {error}"
            ) from error
        except Exception as error:  # each of kombu's transports raises its own
            raise Unavailable(f"no connection to {options.broker}: {masked(str(error))}") from error
        return connection

    def connect(self, timeout: float) -> bool:
        self._release(self._reading)
        self._reading = self._connection(timeout)
        queue = Queue(
            self.reply_queue,
            Exchange(""),
            routing_key=self.reply_queue,
            durable=True,
            auto_delete=False,
            expires=self.options.reply_ttl,
        )
        self._consumer = Consumer(
            self._reading.default_channel, [queue], on_message=self._on_message, no_ack=True
        )
        self._consumer.consume()
        return True

    def _on_message(self, message: Any) -> None:
        self._frames.append(
            to_frame(
                message.body,
                message.content_type,
                message.content_encoding,
                message.properties,
                message.headers,
            )
        )

    def wait(self, timeout: float) -> bool:
        try:
            self._reading.drain_events(timeout=min(timeout, 1.0))
        except TimeoutError:
            return False
        except Exception as error:  # each of kombu's transports raises its own
            raise LinkDown(f"{self.options.broker}: {masked(str(error))}") from error
        return True

    def receive(self, *, may_block: bool) -> Sequence[Frame]:
        frames, self._frames = self._frames, []
        return frames

    def publish(
        self, envelopes: Sequence[Envelope], deadline: Deadline, *, awaited: bool = True
    ) -> Receipt:
        receipt = Receipt([each.id for each in envelopes])

        def send(producer: Any) -> None:
            for each in due(envelopes, receipt.settle):
                properties = dict(each.properties)
                if each.ttl is not None:
                    properties["expiration"] = each.ttl / 1000
                producer.publish(
                    each.body,
                    exchange="",
                    routing_key=each.address.queue,
                    content_type="application/json",
                    content_encoding="utf-8",
                    headers=each.headers.to_dict(),
                    retry=False,
                    **properties,
                )
                receipt.settle(each.id)

        self._write(send, deadline, envelopes[0].id)
        return receipt

    def broadcast(self, commands: Mapping[str, Command], deadline: Deadline) -> int | None:
        if not self._reading.transport.implements.exchange_type >= {"fanout"}:
            raise DiscoveryError(
                f"{self.options.broker} cannot broadcast, so its workers cannot be asked what "
                "they run"
            )

        def send(producer: Any) -> None:
            for ticket, command in commands.items():
                producer.publish(
                    control_message(ticket, command, self.reply_queue),
                    exchange=PIDBOX,
                    declare=[PIDBOX],
                    serializer="json",
                    headers={"clock": 0},
                    retry=False,
                )

        self._write(send, deadline, None)
        return None

    def _write(self, send: Any, deadline: Deadline, task_id: str | None) -> None:
        if not self._lock.acquire(timeout=deadline.wait()):
            raise Overloaded("others were sending until the deadline; nothing was sent")
        try:
            if self._writing is None:
                self._writing = self._connection(deadline.capped(self.options.connect_timeout))
            send(Producer(self._writing.default_channel, auto_declare=False))
        except (KombuError, OSError) as error:
            self._release(self._writing)
            self._writing = None
            text = f"{self.options.broker} broke off: {masked(str(error))}"
            if task_id is None:  # a question: nothing was called
                raise Unavailable(text) from error
            raise OutcomeUnknown(text, task_id=task_id) from error
        finally:
            self._lock.release()

    def depth(self, address: Address, deadline: Deadline) -> tuple[int, int | None] | None:
        found: list[int] = []

        def ask(producer: Any) -> None:
            found.append(producer.channel._size(address.queue))

        self._write(ask, deadline, None)
        return found[0], None

    def close(self, *, delete: bool) -> None:
        if delete and self._consumer is not None:
            for queue in self._consumer.queues:
                try:
                    queue.delete()
                except (KombuError, OSError, AttributeError, NotImplementedError):
                    continue
        self._release(self._reading)
        self._release(self._writing)
        self._reading = self._writing = self._consumer = None

    def interrupt(self) -> None:
        """Nothing to do: wait() takes a second at most."""

    def abandon(self) -> None:
        self._reading = self._writing = self._consumer = None

    def _release(self, connection: Any) -> None:
        if connection is not None:
            connection.release()
