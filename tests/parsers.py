"""Whatever reads bytes of strangers: each ends with a value, or with the one error that it may.

Each function returns whether the bytes were read.
"""

import json
import struct
from collections.abc import Callable

from celery_rpc.catalog import saved
from celery_rpc.discovery.merge import merge
from celery_rpc.discovery.published import Signatures
from celery_rpc.discovery.worker_answers import ReportBook
from celery_rpc.errors import ConfigurationError
from celery_rpc.transport.amqp import frames
from celery_rpc.transport.clock_skew import FURTHEST, Skew
from celery_rpc.transport.received import Frame, Malformed, to_frame
from celery_rpc.transport.redis.link import unwrap
from celery_rpc.transport.redis.resp import MORE, Answers, BadAnswer
from celery_rpc.transport.reply_message import parse_meta, to_outcome
from celery_rpc.transport.reply_table import ReplyTable

#: Of the signature "{}".
DIGEST = "44136fa355b3678a"


def read_reply(data: bytes) -> bool:
    """A reply's body, as any worker or stranger may write it."""
    try:
        meta = parse_meta(data)
        to_outcome(meta, "a.task", {})
    except Malformed:
        return False
    return isinstance(meta["task_id"], str)


def read_item(data: bytes) -> bool:
    """An item of a Redis reply list."""
    return take(unwrap(data))


def read_fields(data: bytes) -> bool:
    """The fields of a message, as kombu has read them from any of its brokers."""
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError):
        return False
    return isinstance(fields, list) and len(fields) == 5 and take(to_frame(*fields))


def take(frame: Frame) -> bool:
    """Deliver a message to a client with one call: it is heard, or one more in a counter."""
    fields = (frame.correlation_id, frame.ticket)
    assert isinstance(frame.body, bytes)
    assert all(each is None or isinstance(each, str) for each in fields)
    table = ReplyTable({}, 10, 1 << 20, Skew())
    table.expect({"a-ticket": None}, lambda ticket, body: None)
    pending = table.register("a", "a.task")
    table.deliver(frame)
    heard = pending.done or bool(len(pending.updates)) or frame.ticket == "a-ticket"
    assert heard or table.counters.total() == 1
    assert 0 <= table.skew.ahead <= FURTHEST
    return heard


def read_answers(data: bytes) -> bool:
    """What a Redis server sends."""
    answers = Answers()
    try:
        for at in range(0, len(data), 7):
            answers.feed(data[at : at + 7])
            while answers.next() is not MORE:
                pass
    except BadAnswer:
        return False
    return True


def read_deliveries(data: bytes) -> bool:
    """What an AMQP server sends on the channel of replies."""
    deliveries = frames.Deliveries()
    try:
        for kind, _, payload, _ in frames.split(data):
            found = deliveries.take(kind, payload)
            if isinstance(found, Frame):
                take(found)
    except (struct.error, IndexError):  # a broken server
        return False
    return True


def read_report(data: bytes) -> bool:
    """What a worker, or whoever says to be one, answers to what it is asked of its tasks."""
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        return False
    book = ReportBook()
    for question in ("active_queues", "registered"):
        book.note(question, body)
    signatures = Signatures()
    for answer in body.values() if isinstance(body, dict) else [body]:
        signatures.note(answer, {"q.t": DIGEST})
        signatures.guess(["q"], answer, answer)
    reports = book.reports.values()
    catalog = merge(reports, diagnostics=book.diagnostics, signed=signatures.of)
    assert all(name.isprintable() for name in catalog.services)
    saved.from_json(saved.to_json(catalog))
    return any(report.queues or report.tasks for report in book.reports.values())


def read_catalog(data: bytes) -> bool:
    """A saved catalog, as anybody may have written or damaged it."""
    try:
        catalog = saved.from_json(data)
    except ConfigurationError:
        return False
    assert saved.from_json(saved.to_json(catalog)) == catalog
    return bool(catalog.services)


TARGETS: dict[str, Callable[[bytes], bool]] = {
    "reply": read_reply,
    "item": read_item,
    "fields": read_fields,
    "answers": read_answers,
    "deliveries": read_deliveries,
    "report": read_report,
    "catalog": read_catalog,
}
