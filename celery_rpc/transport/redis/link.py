"""RedisLink: Redis and Valkey, straight through redis-py, in kombu's message format.

Measured against kombu's own channel on the same worker, this path needs less than half of the
client's CPU time for a call (benchmarks/), which is why it exists. The keys and messages are those
of kombu.transport.redis; tests hold them equal.
"""

import logging
import socket
from base64 import b64encode
from bisect import bisect
from collections.abc import Mapping, Sequence
from itertools import count
from json import loads
from time import monotonic
from typing import Any
from uuid import uuid4

import redis
from kombu.utils.json import dumps

from celery_rpc.calls.encoding import encode
from celery_rpc.catalog.address import Address
from celery_rpc.errors import (
    OutcomeUnknown,
    Overloaded,
    RpcError,
    Unavailable,
)
from celery_rpc.settings.broker_url import masked
from celery_rpc.settings.client_options import ClientOptions
from celery_rpc.support.deadline import Deadline
from celery_rpc.support.mutex import Busy, Mutex
from celery_rpc.transport.call_message import Envelope, due
from celery_rpc.transport.control import Command, control_message
from celery_rpc.transport.headers import Headers
from celery_rpc.transport.link import Link, LinkDown, Receipt
from celery_rpc.transport.received import Frame, to_frame
from celery_rpc.transport.redis.endpoint import Endpoint
from celery_rpc.transport.redis.wire import BROKEN, WRITE_TIMEOUT, Wire, translated

log = logging.getLogger("celery_rpc.redis")

#: Delivery tags must differ among all clients of a server: by the client, and by the message.
_tag_prefix, _tags = uuid4().hex, count()

#: Replies, and bytes of replies, that are kept on the server after they were read.
ACK_EVERY, ACK_BYTES = 64, 1 << 20

#: Seconds after which Redis answers a blocking command; a link that is silent for so much longer
#: is dead.
BLOCK, GRACE = 5, 5.0
#: Most replies that one round asks for.
BATCH = 256


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
        self._turn = Mutex()
        self._connect_timeout = options.connect_timeout
        #: Seconds that one blocking command may wait, and that its answer may be late.
        self._block = max(1, int(min(BLOCK, options.heartbeat)))
        self._grace = max(1.0, min(GRACE, options.heartbeat))
        #: Of what was read, what is to be deleted.
        self._unacknowledged = self._unacknowledged_bytes = 0
        #: True when what was read over the last link, and not deleted, is asked for again.
        self._recovered = False
        self._refresh_at = 0.0
        #: True once it was connected: what says that the reply lists are kept should be there.
        self._began = False
        #: Commands of this round whose answers are still to come, and until when they must.
        self._asked: list[str] = []
        self._answer_by = 0.0
        #: Replies that this round has brought.
        self._brought = 0

    # ----- reading: one thread at a time

    def connect(self, timeout: float) -> bool:
        self._reading.connect(timeout)
        self._unacknowledged, self._unacknowledged_bytes = -1, 0  # one item always stays
        self._recovered = False
        self._refresh_at = 0.0
        kept = self._check(timeout) or not self._began
        self._began = True
        try:
            self._begin()
        except BROKEN as error:
            raise Unavailable(f"no connection to {self.endpoint}: {error}") from error
        return kept

    def _check(self, timeout: float) -> bool:
        """Return whether the reply lists are still there, or would be if anything was in them.

        The command that reads replies is tried too: a refusal is said to callers, not to a log. A
        reply that it happens to move is found by the first round, in the second list.
        """
        move = ("BLMOVE", self.inbox, self.taken, "RIGHT", "LEFT", 0.001)
        try:
            self._reading.send([("GET", self.alive), move])
            alive, moved = self._reading.answer(timeout), self._reading.answer(timeout)
        except BROKEN as error:
            raise Unavailable(f"no connection to {self.endpoint}: {error}") from error
        for answer in (alive, moved):
            if isinstance(answer, redis.ResponseError):
                raise translated(answer, self.endpoint)
        return alive is not None

    def wait(self, timeout: float) -> bool:
        try:
            if self._reading.wait(timeout):
                return True
        except BROKEN as error:
            raise self._down(error) from error
        if monotonic() > self._answer_by:
            raise self._down("no answer in time")
        return False

    def receive(self, *, may_block: bool) -> Sequence[Frame]:
        try:
            return [unwrap(each) for each in self._take_in() if each]
        except BROKEN as error:
            raise self._down(error) from error

    def _down(self, reason: object) -> LinkDown:
        return LinkDown(f"{self.endpoint}: {masked(str(reason))}")

    def _begin(self) -> None:
        """Delete what was read, if it is time, and ask for replies; by one write."""
        side = ("RIGHT", "LEFT")
        commands: list[Sequence[Any]] = []
        more = min(BATCH, 2 * (self._brought - 1)) if self._brought > 1 else 0
        if self._is_time_to_acknowledge:
            commands.append(("LTRIM", self.taken, 0, -(self._unacknowledged + 1)))
            self._unacknowledged = self._unacknowledged_bytes = 0
        if not self._recovered:
            # The second list is never empty: an empty one is gone, and with it its expiry.
            commands.append(("LPUSH", self.taken, ""))
        if monotonic() >= self._refresh_at:
            commands += self._keep_alive()
        if not self._recovered:
            commands.append(("LRANGE", self.taken, 0, -1))
            self._recovered = True
        commands += [("LMOVE", self.inbox, self.taken, *side)] * more
        commands.append(("BLMOVE", self.inbox, self.taken, *side, self._block))
        self._reading.send(commands)
        self._asked, self._brought = [name for name, *_ in commands], 0
        self._answer_by = monotonic() + self._block + self._grace

    def _take_in(self) -> list[bytes]:
        """Read the answers that have come; after the last of a round the next one begins."""
        found: list[bytes] = []
        for answer in self._reading.take_in():
            if isinstance(answer, redis.ResponseError):
                raise self._down(translated(answer, self.endpoint))
            name = self._asked.pop(0)
            if name == "LRANGE":
                found += reversed(answer)
            elif name in ("LMOVE", "BLMOVE") and answer is not None:
                found.append(answer)
        self._brought += len(found)
        if not self._asked:
            self._begin()
        self._unacknowledged += len(found)
        self._unacknowledged_bytes += sum(map(len, found))
        return found

    @property
    def _is_time_to_acknowledge(self) -> bool:
        """True when the replies that were read should be deleted.

        Not at every reply: the answer to the LTRIM would wake this thread once more for each.
        """
        enough = self._unacknowledged >= ACK_EVERY or self._unacknowledged_bytes >= ACK_BYTES
        return self._unacknowledged > 0 and (not self._brought or enough)

    def _keep_alive(self) -> list[Sequence[Any]]:
        """Show that the reply queue is in use: what is not refreshed is left behind."""
        self._refresh_at = monotonic() + self.ttl / 4000
        return [
            ("SET", self.alive, socket.gethostname(), "PX", self.ttl),
            ("PEXPIRE", self.inbox, self.ttl),
            ("PEXPIRE", self.taken, self.ttl),
        ]

    def interrupt(self) -> None:
        self._reading.interrupt()

    # ----- writing: any thread

    def publish(
        self, envelopes: Sequence[Envelope], deadline: Deadline, *, awaited: bool = True
    ) -> Receipt:
        receipt = Receipt([each.id for each in envelopes])
        try:
            self._turn.run_by(deadline, self._publish, envelopes, receipt, deadline)
        except Busy:
            raise self._overloaded() from None
        return receipt

    def _publish(self, envelopes: Sequence[Envelope], receipt: Receipt, deadline: Deadline) -> None:
        wanted = due(envelopes, receipt.settle)
        commands = [("LPUSH", self.key(each), self.pack(each)) for each in wanted]
        answers = self._round_trip(commands, deadline, [each.id for each in wanted])
        for envelope, answer in zip(wanted, answers, strict=True):
            refused = isinstance(answer, redis.ResponseError)
            receipt.settle(envelope.id, translated(answer, self.endpoint) if refused else None)

    def broadcast(self, commands: Mapping[str, Command], deadline: Deadline) -> int | None:
        answers = self._ask(
            [("PUBLISH", self.topic, self._pack_command(ticket, command, deadline))
             for ticket, command in commands.items()], deadline)  # fmt: skip
        for answer in answers:
            if isinstance(answer, redis.ResponseError):
                raise translated(answer, self.endpoint)
        return max(int(answer) for answer in answers)

    def depth(self, address: Address, deadline: Deadline) -> tuple[int, int | None] | None:
        answers = self._ask([("LLEN", key) for key in self.keys_of(address.queue)], deadline)
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

    def _ask(self, commands: Sequence[Sequence[Any]], deadline: Deadline) -> list[Any]:
        """Run commands on the writing connection, by one round trip.

        Raises:
            Unavailable: there was no answer; nothing was called, so that one may ask again.
        """
        try:
            return self._turn.run_by(deadline, self._round_trip, commands, deadline)
        except Busy:
            raise self._overloaded() from None
        except OutcomeUnknown as error:
            cause = error.__cause__
            raise Unavailable(f"{self.endpoint} broke off before it answered: {cause}") from cause

    def _overloaded(self) -> Overloaded:
        return Overloaded(f"{self.endpoint}: others were sending until the deadline; not sent")

    def _round_trip(
        self, commands: Sequence[Sequence[Any]], deadline: Deadline, ids: Sequence[str] = ()
    ) -> list[Any]:
        if not self._writing.alive():
            self._writing.connect(max(0.05, deadline.capped(self._connect_timeout)))
        done = False
        try:
            self._writing.send(commands, deadline.capped(WRITE_TIMEOUT))
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
        """Return the list that the message goes to: one a queue and priority step."""
        priority = envelope.properties.get("priority") or 0
        return self._key(
            envelope.address.queue, self.steps[bisect(self.steps, min(priority, 9)) - 1]
        )

    def keys_of(self, queue: str) -> list[str]:
        """Return the lists of a queue, one for each priority step."""
        return [self._key(queue, step) for step in self.steps]

    def _key(self, queue: str, step: int) -> str:
        return f"{self.prefix}{queue}{self.separator}{step}" if step else self.prefix + queue

    def pack(self, envelope: Envelope) -> bytes:
        """Return the message as kombu's Redis transport stores it."""
        return wrap(envelope.body, envelope.headers, envelope.properties, envelope.address.queue)

    def _pack_command(self, ticket: str, command: Command, deadline: Deadline) -> bytes:
        body = dumps(control_message(ticket, command, self.reply_queue)).encode()
        return wrap(body, Headers({"clock": 0}), {"delivery_mode": 1}, "")

    # ----- the end

    def close(self, *, delete: bool) -> None:
        commands: list[Sequence[Any]] = [("DEL", self.inbox, self.taken, self.alive)]
        if not delete:
            # A late reply would make the list anew, without an end: one that is there keeps its.
            # Two items, as the server may not have seen yet that the reader, which waits for one
            # to move, is gone.
            commands += [
                ("LPUSH", self.inbox, "", ""),
                ("LPUSH", self.taken, ""),
                ("PEXPIRE", self.inbox, self.ttl),
                ("PEXPIRE", self.taken, self.ttl),
            ]
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
    """Return a message as kombu's virtual transports store it."""
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


def unwrap(data: bytes) -> Frame:
    """Read an item of the reply list; raises nothing."""
    try:
        message = loads(data)
        names = ("body", "content-type", "content-encoding", "properties", "headers")
        fields = [message.get(name) for name in names]
    except Exception as error:  # whatever stands in the list, the reader goes on
        return Frame(b"", problem=f"no message as kombu writes it: {error}")
    return to_frame(*fields)


def fanout_prefix(options: Mapping[str, Any], database: int) -> str:
    """Return what stands before the name of a fanout exchange in its channel."""
    prefix = options.get("fanout_prefix", True)
    if isinstance(prefix, str):
        return prefix.format(db=database)
    return f"/{database}." if prefix else ""
