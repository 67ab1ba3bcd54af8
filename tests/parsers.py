"""Whatever reads bytes of strangers: each ends with a value, or with the one error that it may."""

import json
import struct
from collections.abc import Callable
from contextlib import suppress

from amqp.exceptions import FrameSyntaxError

from celery_rpc.discovery import saved
from celery_rpc.discovery.introspect import ReportBook
from celery_rpc.discovery.merge import merge
from celery_rpc.errors import ConfigurationError
from celery_rpc.transport import frames
from celery_rpc.transport.outcome import Malformed, parse_meta, to_outcome
from celery_rpc.transport.redis import to_frame
from celery_rpc.transport.resp import MORE, Answers, BadAnswer


def read_reply(data: bytes) -> None:
    """A reply's body, as any worker or stranger may write it."""
    with suppress(Malformed):
        to_outcome(parse_meta(data), "a.task", {})


def read_item(data: bytes) -> None:
    """An item of a Redis reply list."""
    frame = to_frame(data)
    assert isinstance(frame.content_type, str)


def read_answers(data: bytes) -> None:
    """What a Redis server sends."""
    answers = Answers()
    with suppress(BadAnswer):
        for at in range(0, len(data), 7):
            answers.feed(data[at : at + 7])
            while answers.next() is not MORE:
                pass


def read_deliveries(data: bytes) -> None:
    """What an AMQP server sends on the channel of replies."""
    deliveries = frames.Deliveries()
    with suppress(struct.error, IndexError, ValueError, FrameSyntaxError):  # a broken server
        for kind, _, payload, _ in frames.split(data):
            deliveries.take(kind, payload)


def read_report(data: bytes) -> None:
    """What a worker, or whoever says to be one, answers to the two questions of a sweep."""
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        return
    book = ReportBook()
    for question in ("active_queues", "registered"):
        book.note(question, body)
    catalog = merge(book.reports.values(), diagnostics=book.diagnostics)
    assert all(name.isprintable() for name in catalog.services)


def read_catalog(data: bytes) -> None:
    """A saved catalog, as anybody may have written or damaged it."""
    with suppress(ConfigurationError):
        catalog = saved.from_json(data)
        assert saved.from_json(saved.to_json(catalog)) == catalog


TARGETS: dict[str, Callable[[bytes], None]] = {
    "reply": read_reply,
    "item": read_item,
    "answers": read_answers,
    "deliveries": read_deliveries,
    "report": read_report,
    "catalog": read_catalog,
}
