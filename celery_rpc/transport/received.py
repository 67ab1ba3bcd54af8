"""Frame: a message of the reply queue as it was received, each field checked.

Whoever can write to the queue chooses every field. They are checked here and nowhere else, for all
brokers alike; what holds a Frame need not doubt their types.
"""

import json
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kombu.utils.json import object_hook

#: Kinds of content that are read; anything else, pickle first of all, is not.
JSON_TYPES = frozenset({"application/json", "application/x-json"})

#: kombu's loads makes a decoder for each call.
_decode = json.JSONDecoder(object_hook=object_hook).decode


class Malformed(Exception):
    """Bytes on the reply queue that are no reply."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One message of the reply queue."""

    body: bytes
    correlation_id: str | None = None
    #: Set on answers to a broadcast.
    ticket: str | None = None
    #: Why it cannot be read; empty if it can, as far as is known without reading the body.
    problem: str = ""


def to_frame(
    body: Any, content_type: Any, content_encoding: Any, properties: Any, headers: Any
) -> Frame:
    """Check the fields of a message; raises nothing.

    One that cannot be read keeps its correlation id if it has one: the call it names fails by it.
    """
    correlation_id = ticket = None
    try:
        properties = _mapping("properties", properties)
        correlation_id = _text("correlation id", properties.get("correlation_id"))
        headers = _mapping("headers", headers)
        ticket = _text("ticket", headers.get("ticket"))
        compression = headers.get("compression")
        if compression is not None:
            raise Malformed(f"compressed ({compression!r:.80}); compressed replies are not read")
        kind, _ = _text("content type", content_type), _text("content encoding", content_encoding)
        if kind not in JSON_TYPES:
            raise Malformed(f"content type {kind!r:.80} is not read, only JSON")
        data = _bytes(body, properties.get("body_encoding"))
    except Exception as error:  # whatever comes, the reader goes on
        return Frame(b"", correlation_id, ticket, str(error) or repr(error))
    return Frame(data, correlation_id, ticket)


def _mapping(name: str, value: Any) -> Mapping[str, Any]:
    if value is None or isinstance(value, Mapping):
        return value or {}
    raise Malformed(f"the {name} are a {type(value).__name__}, no object")


def _text(name: str, value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise Malformed(f"the {name} is a {type(value).__name__}, no text")


def _bytes(body: Any, encoding: Any) -> bytes:
    if isinstance(body, str):
        return b64decode(body) if encoding == "base64" else body.encode()
    if isinstance(body, bytes | bytearray | memoryview):
        return bytes(body)
    raise Malformed(f"the body is a {type(body).__name__}, no text")


def read_json(data: bytes) -> Any:
    """Read JSON as workers write it, with the dates, decimals and bytes that kombu marks.

    Raises:
        Malformed: it cannot be read.
    """
    try:
        return _decode(data.decode())
    except Exception as error:  # what is marked is made by functions that anybody may register
        raise Malformed(f"no JSON: {error}") from error
