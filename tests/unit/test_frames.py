"""Frames: every byte as py-amqp would write it, and every delivery as it would read it."""

from math import inf, nan
from types import SimpleNamespace
from typing import Any

import pytest
from amqp.basic_message import Message
from amqp.method_framing import frame_writer
from amqp.serialization import dumps
from amqp.spec import Basic
from hypothesis import given
from hypothesis import strategies as st

from celery_rpc import EncodeError
from celery_rpc.catalog.address import Address
from celery_rpc.transport.amqp import frames
from celery_rpc.transport.amqp.errors import encoded
from celery_rpc.transport.call_message import Envelope
from celery_rpc.transport.headers import Headers, SharedHeaders
from celery_rpc.transport.received import Frame

FRAME_MAX = 4096

HEADER_VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**31), 2**31 - 1)
    | st.integers(2**33, 2**60)
    | st.text(max_size=50)
    | st.lists(st.none() | st.integers(0, 100) | st.text(max_size=5), max_size=4)
    | st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3)
)


def envelope(
    headers: dict[str, Any], body: bytes, ttl: int | None = None, **properties: Any
) -> Envelope:
    given = {"correlation_id": "an-id", "reply_to": "replies", **properties}
    shared = SharedHeaders({name: headers[name] for name in list(headers)[: len(headers) // 2]})
    own = {name: value for name, value in headers.items() if name not in shared.values}
    both = Headers(own, shared)
    return Envelope("an-id", "svc.task", Address("a queue"), both, given, body, ((), {}), ttl)


def theirs(message: Envelope, channel: int) -> bytes:
    """Return the bytes that py-amqp writes."""
    written: list[bytes] = []
    connection = SimpleNamespace(frame_max=FRAME_MAX, bytes_sent=0)
    transport = SimpleNamespace(write=lambda data: written.append(bytes(data)))
    write = frame_writer(connection, transport)
    properties = {"delivery_mode": 2, "priority": 0, **message.properties}
    if message.ttl is not None:
        properties["expiration"] = str(message.ttl)
    content = Message(
        message.body,
        content_type="application/json",
        content_encoding="utf-8",
        application_headers=message.headers.to_dict(),
        **properties,
    )
    arguments = dumps("Bssbb", (0, "", message.address.queue, True, False))
    write(1, channel, Basic.Publish, arguments, content)
    return b"".join(written)


@given(
    headers=st.dictionaries(st.text(min_size=1, max_size=20), HEADER_VALUES, max_size=8),
    body=st.binary(min_size=1, max_size=10_000),
    ttl=st.none() | st.integers(0, 10**9),
    priority=st.none() | st.integers(0, 255),
    channel=st.integers(1, 5),
)
def test_a_publish_equals_py_amqps(
    headers: dict[str, Any], body: bytes, ttl: int | None, priority: int | None, channel: int
) -> None:
    extra = {} if priority is None else {"priority": priority}
    message = envelope(headers, body, ttl, **extra)
    assert frames.publish(message, channel, FRAME_MAX) == theirs(message, channel)


def test_the_headers_of_a_real_task_equal_py_amqps() -> None:
    headers: dict[str, Any] = {
        "lang": "py", "task": "svc.task", "id": "1", "shadow": None, "eta": None, "expires": "2026",
        "group": None, "retries": 0, "timelimit": [None, 3.5], "root_id": "1", "argsrepr": "(1,)",
        "ignore_result": True, "stamps": {}, "stamped_headers": None, "one": 1, "true": True,
    }  # fmt: skip
    for _ in range(2):  # the second time, from what was kept
        message = envelope(headers, b"[]")
        assert frames.publish(message, 1, FRAME_MAX) == theirs(message, 1)


@pytest.mark.parametrize(
    "value",
    [1 << 80, object(), {1: object()}, nan, [1, {"a": -inf}], "x" * FRAME_MAX],
    ids=["number", "object", "key", "nan", "infinity", "more than a frame"],
)
def test_what_no_table_can_hold_is_an_encode_error(value: Any) -> None:
    with pytest.raises(EncodeError):
        encoded(envelope({"x": value}, b"[]"), 1, FRAME_MAX)


def test_an_ack_equals_py_amqps() -> None:
    payload = b"\x00\x3c\x00\x50" + dumps("Lb", (77, True))
    assert frames.ack(3, 77) == frames.frame(frames.METHOD, 3, payload)
    assert frames.read_ack(payload) == (77, True)


def delivery(body: bytes, tag: int, correlation_id: str, headers: dict[str, Any]) -> bytes:
    """Return a delivery as a broker sends it."""
    message = envelope(headers, body, correlation_id=correlation_id)
    arguments = dumps("sLbss", ("a consumer", tag, False, "", "a queue"))
    method = frames.frame(frames.METHOD, 1, frames.DELIVER + arguments)
    published = frames.publish(message, 1, FRAME_MAX)
    return method + published[published.index(b"\xce\x02") + 1 :]


@given(
    bodies=st.lists(st.binary(min_size=1, max_size=9_000), min_size=1, max_size=4),
    cuts=st.lists(st.integers(1, 500), max_size=20),
    headers=st.dictionaries(st.just("ticket"), st.text(max_size=10)),
)
def test_deliveries_are_read_however_the_bytes_are_cut(
    bodies: list[bytes], cuts: list[int], headers: dict[str, Any]
) -> None:
    stream = b"".join(
        delivery(body, tag, f"id-{tag}", headers) for tag, body in enumerate(bodies, 1)
    )
    deliveries, found, buffer = frames.Deliveries(), [], b""
    pieces = [*cuts, len(stream)]
    for size in pieces:
        piece, stream = stream[:size], stream[size:]
        buffer += piece
        used = 0
        for kind, _, payload, end in frames.split(buffer):
            used = end
            taken = deliveries.take(kind, payload)
            if isinstance(taken, Frame):
                found.append(taken)
        buffer = buffer[used:]
    assert [each.body for each in found] == bodies
    assert [each.correlation_id for each in found] == [f"id-{n}" for n in range(1, len(bodies) + 1)]
    assert all(each.ticket == headers.get("ticket") for each in found)
    assert deliveries.tag == len(bodies)
    assert buffer == b""
