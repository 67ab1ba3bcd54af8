"""RedisLink: Redis and Valkey, straight through redis-py, in kombu's message format.

Measured against kombu's own channel on the same worker, this path needs less than half of the
client's CPU time for a call (benchmarks/), which is why it exists. The keys and messages are those
of kombu.transport.redis; tests hold them equal.
"""

import logging
import select
import socket
from base64 import b64encode
from bisect import bisect
from collections.abc import Mapping, Sequence
from itertools import count
from json import loads
from threading import Lock
from time import monotonic
from typing import Any
from uuid import uuid4

import redis
from kombu.utils.json import dumps
from redis import exceptions

from celery_rpc.address import Address
from celery_rpc.config import ClientOptions
from celery_rpc.deadline import Deadline
from celery_rpc.errors import (
    ConfigurationError,
    OutcomeUnknown,
    Overloaded,
    PermissionRefused,
    RpcError,
    Unavailable,
)
from celery_rpc.transport.base import Frame, Link, LinkDown, Receipt
from celery_rpc.transport.control import Command, control_message
from celery_rpc.transport.endpoint import Endpoint
from celery_rpc.transport.headers import Headers, encode
from celery_rpc.transport.message import Envelope
from celery_rpc.transport.resp import MORE, Answers, BadAnswer, pack
from celery_rpc.url import masked

log = logging.getLogger("celery_rpc.redis")

#: Delivery tags must differ among all clients of a server: by the client, and by the message.
_tag_prefix, _tags = uuid4(), count()

#: Redis answers a blocking command at its timeout; a link silent for so much longer is dead.
GRACE = 5.0
#: Most replies that one round asks for.
BATCH = 256


class Wire:
    """One connection, used by one thread at a time, with a deadline for each answer."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._connection: Any = None
        self._sock: Any = None
        self._poll: Any = None
        self._answers = Answers()
        self._timeout: float | None = None
        self._unanswered = 0

    def connect(self, timeout: float) -> None:
        """Connect anew.

        Raises:
            Unavailable: the server cannot be reached, or does not let us in.
        """
        self.disconnect()
        try:
            connection = self.endpoint.connection(timeout)
            connection.connect()
        except (redis.AuthenticationError, redis.ResponseError) as error:
            raise translated(error, self.endpoint) from error
        except (redis.RedisError, OSError) as error:
            raise Unavailable(f"no connection to {self.endpoint}: {masked(str(error))}") from error
        # redis-py has connected and logged in; from here on the socket is ours.
        self._connection, self._sock = connection, connection._sock
        self._poll = select.poll()
        self._poll.register(self._sock, select.POLLIN)
        self._answers, self._unanswered = Answers(), 0
        self._timeout = self._sock.gettimeout()

    @property
    def connected(self) -> bool:
        return self._sock is not None

    def alive(self) -> bool:
        """Tell whether the connection can be used: open, and nothing unread on it."""
        if self._sock is None or self._unanswered or not self._answers.empty:
            return False
        return not self._poll.poll(0)

    def send(self, commands: Sequence[Sequence[Any]]) -> None:
        """Write commands, each of which will have an answer.

        Raises:
            OSError: the link broke.
        """
        if self._sock is None:
            raise ConnectionResetError("not connected")
        self._unanswered += len(commands)
        self._set_timeout(WRITE_TIMEOUT)
        self._sock.sendall(pack(commands))

    def answer(self, timeout: float | None) -> Any:
        """Read one answer; a ResponseError is given, not raised.

        Raises:
            TimeoutError: none came in time.
            OSError: the link broke.
            BadAnswer: the server does not speak RESP.
        """
        until = Deadline.after(timeout)
        while (answer := self._answers.next()) is MORE:
            if self._sock is None:
                raise ConnectionResetError("not connected")
            self._receive(until)
        self._unanswered -= 1
        return answer

    def _receive(self, until: Deadline) -> None:
        self._set_timeout(until.capped(WRITE_TIMEOUT))
        try:
            data = self._sock.recv(RECEIVE)
        except TimeoutError:
            if until.passed:
                raise
            return
        if not data:
            raise ConnectionResetError("the server closed the connection")
        self._answers.feed(data)

    def _set_timeout(self, seconds: float) -> None:
        """Set the socket's timeout where it differs: it costs a system call or two."""
        seconds = max(seconds, 0.001)  # zero would mean not to block
        if seconds != self._timeout:
            self._timeout = seconds
            self._sock.settimeout(seconds)

    def disconnect(self) -> None:
        connection, self._connection, self._sock = self._connection, None, None
        if connection is not None:
            connection.disconnect()

    def interrupt(self) -> None:
        """Make a waiting answer() fail."""
        sock = self._sock
        if sock is not None:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                log.debug("the socket was closed already")

    def abandon(self) -> None:
        """Drop the socket without a word on it: a parent process uses it."""
        sock, self._connection, self._sock = self._sock, None, None
        if sock is not None:
            sock.close()


#: Seconds that one write may take, and bytes that one read asks for.
WRITE_TIMEOUT, RECEIVE = 10.0, 1 << 16

#: What a link that broke, or that leads to no Redis, raises.
BROKEN = (redis.RedisError, OSError, BadAnswer)


class RedisLink(Link):
    """A Redis or Valkey broker: LPUSH to the service's list, BLMOVE from the reply list.

    A reply is moved to a second list and deleted from there when it has been read, so that one
    which was on its way when the link broke is found again.
    """

    def __init__(self, options: ClientOptions) -> None:
        self.endpoint = Endpoint.of(options)
        transport = options.transport_options
        self.prefix: str = transport.get("global_keyprefix", "")
        self.separator: str = transport.get("sep", "\x06\x16")
        self.steps: Sequence[int] = transport.get("priority_steps", (0, 3, 6, 9))
        self.topic = (
            self.prefix + fanout_prefix(transport, self.endpoint.database) + "celery.pidbox"
        )
        self.reply_queue = f"celery-rpc.reply.{uuid4().hex}"
        self.ttl = int(options.reply_ttl * 1000)
        self.inbox = self.prefix + self.reply_queue
        self.taken = f"{self.inbox}.taken"
        self.alive = f"{self.inbox}.alive"
        self._reading = Wire(self.endpoint)
        self._writing = Wire(self.endpoint)
        self._write_lock = Lock()
        self._connect_timeout = options.connect_timeout
        self._unacknowledged = 0
        self._more = 0
        self._refresh_at = 0.0

    # ----- reading: the reader's thread alone

    def connect(self, timeout: float) -> bool:
        self._reading.connect(timeout)
        self._unacknowledged = self._more = 0
        self._refresh_at = 0.0
        return True

    def receive(self, timeout: float) -> Sequence[Frame]:
        commands: list[Sequence[Any]] = []
        if self._unacknowledged:
            commands.append(("LTRIM", self.taken, 0, -(self._unacknowledged + 1)))
        if monotonic() >= self._refresh_at:
            commands += self._keep_alive()
        recover = self._refresh_at == 0.0
        if recover:
            commands.append(("LRANGE", self.taken, 0, -1))
        side = ("RIGHT", "LEFT")
        commands += [("LMOVE", self.inbox, self.taken, *side)] * self._more
        commands.append(("BLMOVE", self.inbox, self.taken, *side, max(1, int(timeout))))
        found: list[Any] = []
        try:
            self._reading.send(commands)
            for name, *_ in commands:
                answer = self._reading.answer(timeout + GRACE)
                if isinstance(answer, redis.ResponseError):
                    raise translated(answer, self.endpoint)
                if name == "LRANGE":
                    found += reversed(answer)
                elif name in ("LMOVE", "BLMOVE") and answer is not None:
                    found.append(answer)
        except BROKEN as error:
            raise LinkDown(f"{self.endpoint}: {error}") from error
        if recover:
            self._refresh_at = monotonic() + self.ttl / 4000
        self._unacknowledged = len(found)
        self._more = min(BATCH, 2 * (len(found) - 1)) if len(found) > 1 else 0
        return [frame for frame in map(to_frame, found) if frame is not None]

    def _keep_alive(self) -> list[Sequence[Any]]:
        """Say that the reply queue is in use: what is not refreshed is left behind."""
        if self._refresh_at:
            self._refresh_at = monotonic() + self.ttl / 4000
        return [("SET", self.alive, socket.gethostname(), "PX", self.ttl),
                ("PEXPIRE", self.inbox, self.ttl), ("PEXPIRE", self.taken, self.ttl)]  # fmt: skip

    def interrupt(self) -> None:
        self._reading.interrupt()

    # ----- writing: any thread

    def publish(self, envelopes: Sequence[Envelope], deadline: Deadline) -> Receipt:
        answers = self._ask([("LPUSH", self.key(each), self.pack(each)) for each in envelopes],
                            deadline, [each.id for each in envelopes])  # fmt: skip
        receipt = Receipt([each.id for each in envelopes])
        for envelope, answer in zip(envelopes, answers, strict=True):
            refused = isinstance(answer, redis.ResponseError)
            receipt.settle(envelope.id, translated(answer, self.endpoint) if refused else None)
        return receipt

    def broadcast(self, commands: Mapping[str, Command], deadline: Deadline) -> int | None:
        answers = self._ask(
            [("PUBLISH", self.topic, self._pack_command(ticket, command, deadline))
             for ticket, command in commands.items()], deadline)  # fmt: skip
        for answer in answers:
            if isinstance(answer, redis.ResponseError):
                raise translated(answer, self.endpoint)
        return max(int(answer) for answer in answers)

    def depth(self, address: Address, deadline: Deadline) -> tuple[int, int | None] | None:
        keys = [self._key(address.queue, step) for step in self.steps]
        answers = self._ask([("LLEN", key) for key in keys], deadline)
        return sum(answer for answer in answers if isinstance(answer, int)), None

    def command(self, *words: Any, deadline: Deadline) -> Any:
        """Run one command.

        Raises:
            RpcError: the server refused it, or cannot be reached.
        """
        [answer] = self._ask([words], deadline)
        if isinstance(answer, redis.ResponseError):
            raise translated(answer, self.endpoint)
        return answer

    def _ask(
        self, commands: Sequence[Sequence[Any]], deadline: Deadline, ids: Sequence[str] = ()
    ) -> list[Any]:
        """Run commands on the writing connection, by one round trip."""
        if not self._write_lock.acquire(timeout=deadline.wait()):
            raise Overloaded(f"{self.endpoint}: others were sending until the deadline; not sent")
        try:
            if not self._writing.alive():
                self._writing.connect(max(0.05, deadline.capped(self._connect_timeout)))
            return self._round_trip(commands, deadline, ids)
        finally:
            self._write_lock.release()

    def _round_trip(
        self, commands: Sequence[Sequence[Any]], deadline: Deadline, ids: Sequence[str]
    ) -> list[Any]:
        done = False
        try:
            self._writing.send(commands)
            answers = [self._writing.answer(deadline.remaining()) for _ in commands]
            done = True
        except BROKEN as error:
            shown = f" ({', '.join(ids[:3])})" if ids else ""
            raise OutcomeUnknown(
                f"{self.endpoint} broke off before it confirmed the message{shown}: {error}",
                task_id=ids[0] if ids else None,
            ) from error
        finally:
            if not done:
                self._writing.disconnect()
        return answers

    # ----- kombu's format

    def key(self, envelope: Envelope) -> str:
        """Give the list that the message goes to: one a queue and priority step."""
        priority = envelope.properties.get("priority") or 0
        return self._key(
            envelope.address.queue, self.steps[bisect(self.steps, min(priority, 9)) - 1]
        )

    def _key(self, queue: str, step: int) -> str:
        return f"{self.prefix}{queue}{self.separator}{step}" if step else self.prefix + queue

    def pack(self, envelope: Envelope) -> bytes:
        """Give the message as kombu's Redis transport stores it."""
        return wrap(envelope.body, envelope.headers, envelope.properties, envelope.address.queue)

    def _pack_command(self, ticket: str, command: Command, deadline: Deadline) -> bytes:
        body = dumps(control_message(ticket, command, self.reply_queue)).encode()
        return wrap(body, Headers({"clock": 0}), {"delivery_mode": 1}, "")

    # ----- the end

    def close(self, *, delete: bool) -> None:
        commands: list[Sequence[Any]] = [("DEL", self.inbox, self.taken, self.alive)]
        if not delete:
            # A late reply would make the list anew, without an end: one that is there keeps its.
            commands += [("LPUSH", self.inbox, ""), ("PEXPIRE", self.inbox, self.ttl)]
        try:
            self._ask(commands, Deadline.after(0.5))
        except RpcError as error:
            log.debug("the reply queue stays until it expires: %s", error)
        self._reading.disconnect()
        self._writing.disconnect()

    def abandon(self) -> None:
        self._reading.abandon()
        self._writing.abandon()


def wrap(body: bytes, headers: Headers, properties: Mapping[str, Any], routing_key: str) -> bytes:
    """Give a message as kombu's virtual transports store it."""
    all_properties = {
        "delivery_mode": 2,
        "priority": 0,
        **properties,
        "delivery_info": {"exchange": "", "routing_key": routing_key},
        "body_encoding": "base64",
        "delivery_tag": f"{_tag_prefix}-{next(_tags)}",
    }
    return (
        f'{{"body":"{b64encode(body).decode()}","content-encoding":"utf-8",'
        f'"content-type":"application/json","headers":{headers.to_json()},'
        f'"properties":{encode(all_properties)}}}'
    ).encode()


def to_frame(data: bytes) -> Frame | None:
    """Unwrap a message of the reply list; a bad one becomes a frame that no parser accepts."""
    try:
        message = loads(data)
        headers, properties = message["headers"], message["properties"]
        body: Any = message["body"]
        if properties.get("body_encoding") == "base64":
            from base64 import b64decode

            body = b64decode(body)
        return Frame(
            body,
            str(message.get("content-type")),
            properties.get("correlation_id"),
            headers.get("ticket"),
            headers.get("compression"),
        )
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return Frame(data[:200], "unknown")


def fanout_prefix(options: Mapping[str, Any], database: int) -> str:
    """Give what stands before the name of a fanout exchange in its channel."""
    prefix = options.get("fanout_prefix", True)
    if isinstance(prefix, str):
        return prefix.format(db=database)
    return f"/{database}." if prefix else ""


def translated(error: Exception, endpoint: Endpoint) -> RpcError:
    """Give our error for one of redis-py's, for what was not executed."""
    text = masked(str(error))
    if isinstance(error, redis.AuthenticationError) or text.startswith(("WRONGPASS", "NOAUTH")):
        return PermissionRefused(f"{endpoint} refused the user name or password: {text}")
    if isinstance(error, exceptions.NoPermissionError) or text.startswith("NOPERM"):
        return PermissionRefused(f"{endpoint} refused: {text}")
    if isinstance(error, exceptions.OutOfMemoryError) or text.startswith("OOM"):
        return Overloaded(f"{endpoint} is out of memory: {text}")
    if "invalid DB index" in text or "DB index is out of range" in text:
        return ConfigurationError(f"{endpoint}: {text}")
    return Unavailable(f"{endpoint}: {text}")
