"""AMQP 0-9-1 frames: a publish written, an acknowledgement written, deliveries read.

py-amqp does this in general; for the one form of message that is sent and received here, doing it
directly takes a third of the client's CPU time (benchmarks/). Tests hold every byte equal to
py-amqp's. Everything else on the connection stays py-amqp's.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from math import isfinite
from struct import Struct
from typing import Any

from amqp.serialization import dumps as table_dumps
from amqp.serialization import loads as table_loads

from celery_rpc.transport.call_message import Envelope
from celery_rpc.transport.headers import Headers
from celery_rpc.transport.received import Frame, to_frame

#: Frame types (spec, 2.3.5), and the octet that ends a frame.
METHOD, HEADER, BODY, END = 1, 2, 3, b"\xce"

#: Class and method ids (spec, 1.8).
PUBLISH = b"\x00\x3c\x00\x28"
DELIVER = b"\x00\x3c\x00\x3c"
ACK = b"\x00\x3c\x00\x50"

FRAME = Struct(">BHI")
_CONTENT = Struct(">HHQH")
_ACK_FRAME = Struct(">BHI4sQBB")
#: Bytes of a frame that acknowledges: a confirm, for one.
ACK_SIZE = _ACK_FRAME.size
_ACK_ARGUMENTS = Struct(">QB")
_SHORT, _LONG, _LONGLONG = Struct(">H"), Struct(">I"), Struct(">Q")

#: Property flags (spec, 1.8.3 and 4.2.6.1), by their bits from the left.
CONTENT_TYPE, CONTENT_ENCODING, HEADERS, DELIVERY_MODE = 0x8000, 0x4000, 0x2000, 0x1000
PRIORITY, CORRELATION_ID, REPLY_TO, EXPIRATION = 0x0800, 0x0400, 0x0200, 0x0100

#: What every message has.
_FLAGS = (
    CONTENT_TYPE | CONTENT_ENCODING | HEADERS | DELIVERY_MODE | PRIORITY | CORRELATION_ID | REPLY_TO
)


def frame(kind: int, channel: int, payload: bytes) -> bytes:
    """Return one frame."""
    return b"%b%b%b" % (FRAME.pack(kind, channel, len(payload)), payload, END)


# ----- writing


def publish(envelope: Envelope, channel: int, frame_max: int) -> bytes:
    """Return the frames that publish a message to the queue of its address, mandatory.

    Raises:
        FrameSyntaxError, struct.error, ValueError: a header is nothing that a table can hold.
    """
    body = envelope.body
    parts = [_publish_method(channel, envelope.address.queue)]
    most = frame_max - 8
    header = _content_header(envelope)
    if len(header) > most:  # the broker would end the connection, with all that is under way
        raise ValueError(f"all of them are {len(header):,} bytes, and one frame holds {most:,}")
    parts.append(frame(HEADER, channel, header))
    parts += [frame(BODY, channel, body[at : at + most]) for at in range(0, len(body), most)]
    return b"".join(parts)


@lru_cache(maxsize=1024)
def _publish_method(channel: int, queue: str) -> bytes:
    # A reserved short, the default exchange, the routing key, and the bit for mandatory.
    return frame(METHOD, channel, PUBLISH + b"\x00\x00\x00" + short(queue) + b"\x01")


def _content_header(envelope: Envelope) -> bytes:
    properties = envelope.properties
    flags = _FLAGS
    entries = table(envelope.headers)
    # kombu's defaults, which tasks see in their request
    mode, priority = properties.get("delivery_mode", 2), properties.get("priority", 0)
    values = [
        _KINDS,
        _LONG.pack(len(entries)),
        entries,
        b"%c%c" % (mode, priority),
        short(properties["correlation_id"]),
        short(properties["reply_to"]),
    ]
    if envelope.ttl is not None:
        flags |= EXPIRATION
        values.append(short(str(envelope.ttl)))
    return _CONTENT.pack(60, 0, len(envelope.body), flags) + b"".join(values)


def table(headers: Headers) -> bytes:
    """Return the entries of a header table."""
    shared = headers.shared.forms.get("amqp")
    if shared is None:
        parts = [entry(name, value) for name, value in headers.shared.values.items()]
        shared = headers.shared.forms["amqp"] = b"".join(parts)
    return b"".join([shared, *(entry(name, value) for name, value in headers.own.items())])


def short(text: str) -> bytes:
    """Return a short string: a length octet and at most 255 bytes."""
    data = text.encode()
    return b"%c%b" % (len(data), data)


_KINDS = short("application/json") + short("utf-8")


_name = lru_cache(maxsize=256)(short)


def entry(name: str, value: Any) -> bytes:
    """Return one entry of a header table."""
    if isinstance(value, str):
        data = value.encode()
        return b"%bS%b%b" % (_name(name), _LONG.pack(len(data)), data)
    if value is None:
        return b"%bV" % _name(name)
    if not is_finite(value):
        raise ValueError(f"{name!r} is not finite: {value!r}")  # RabbitMQ ends the connection
    # A table of this one entry, without the length before it.
    return bytes(table_dumps("F", [{name: value}])[4:])


def is_finite(value: Any) -> bool:
    """Return whether every number in a value is finite."""
    if isinstance(value, Mapping):
        return all(map(is_finite, value.values()))
    if isinstance(value, list | tuple):
        return all(map(is_finite, value))
    return not isinstance(value, float) or isfinite(value)


def ack(channel: int, tag: int) -> bytes:
    """Return the frame that acknowledges all deliveries up to one."""
    return _ACK_FRAME.pack(METHOD, channel, 13, ACK, tag, 1, END[0])


# ----- reading


def split(data: bytes) -> Iterator[tuple[int, int, bytes, int]]:
    """Yield each complete frame: type, channel, payload, and where the next one starts."""
    start, total = 0, len(data)
    while total - start >= FRAME.size:
        kind, channel, size = FRAME.unpack_from(data, start)
        first = start + FRAME.size
        start = first + size + 1
        if total < start:
            return
        yield kind, channel, data[first : first + size], start


def read_ack(payload: bytes) -> tuple[int, bool]:
    """Read the arguments of basic.ack: the tag, and whether it means all up to that one."""
    tag, bits = _ACK_ARGUMENTS.unpack_from(payload, 4)
    return tag, bool(bits & 1)


class Deliveries:
    """Puts the frames of one channel's deliveries together."""

    def __init__(self) -> None:
        self.tag = 0
        self._header = b""
        self._missing = 0
        self._chunks: list[bytes] = []

    def take(self, kind: int, payload: bytes) -> Frame | bool:
        """Accept a frame: False when it is of no delivery, True when more must come."""
        if kind == METHOD:
            if payload[:4] != DELIVER:
                return False
            [self.tag] = _LONGLONG.unpack_from(payload, 5 + payload[4])
            return True
        if kind == HEADER:
            self._header, self._chunks = payload, []
            [self._missing] = _LONGLONG.unpack_from(payload, 4)
        elif kind == BODY:
            self._chunks.append(payload)
            self._missing -= len(payload)
        else:
            return False
        return self._missing > 0 or read_content(self._header, b"".join(self._chunks))


def read_content(header: bytes, body: bytes) -> Frame:
    """Read a message from its content header and its body; raises nothing."""
    try:
        content_type, encoding, properties, headers = _read_properties(header)
    except Exception as error:  # whoever publishes chooses them, and the reader goes on
        return Frame(b"", problem=f"no properties of AMQP: {error!r}")
    return to_frame(body, content_type, encoding, properties, headers)


def _read_properties(
    header: bytes,
) -> tuple[str | None, str | None, Mapping[str, Any], Mapping[str, Any]]:
    """Read type, encoding, headers, mode, priority, correlation id."""
    [flags] = _SHORT.unpack_from(header, 12)
    content_type = encoding = correlation_id = None
    headers: Mapping[str, Any] = {}
    at = 14
    if flags & CONTENT_TYPE:
        content_type, at = _read_short(header, at)
    if flags & CONTENT_ENCODING:
        encoding, at = _read_short(header, at)
    if flags & HEADERS:
        [size] = _LONG.unpack_from(header, at)
        headers = _read_table(header, at) if size else {}
        at += 4 + size
    at += bool(flags & DELIVERY_MODE) + bool(flags & PRIORITY)
    if flags & CORRELATION_ID:
        correlation_id, _ = _read_short(header, at)
    return content_type, encoding, {"correlation_id": correlation_id}, headers


def _read_table(data: bytes, at: int) -> Mapping[str, Any]:
    try:
        [table], _ = table_loads("F", data, at)
    except Exception:
        # Whoever publishes chooses them: a time out of range, a type that py-amqp does not know,
        # nesting without end. Raised, it would break the connection, and the next one, on which
        # the message came again.
        return {}
    return table  # type: ignore[no-any-return]


def _read_short(data: bytes, at: int) -> tuple[str, int]:
    end = at + 1 + data[at]
    return data[at + 1 : end].decode(errors="replace"), end
