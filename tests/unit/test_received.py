"""Frame: what strangers write in the fields of a message is checked before anybody uses it."""

import json
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded

from celery_rpc.errors import ResultError
from celery_rpc.transport.clock_skew import Skew
from celery_rpc.transport.received import Frame, to_frame
from celery_rpc.transport.redis.link import unwrap
from celery_rpc.transport.reply_table import ReplyTable

REPLY = '{"task_id": "mine", "status": "SUCCESS", "result": 7}'

#: What is no text, as JSON, AMQP's tables and kombu have it.
NO_TEXT: list[Any] = [["x"], {"x": 1}, 7, 0, True, 1.5, b"x"]


def fields(**changes: Any) -> dict[str, Any]:
    """Return a good message's fields, with some replaced."""
    good = {
        "body": REPLY,
        "content_type": "application/json",
        "content_encoding": "utf-8",
        "properties": {"correlation_id": "mine"},
        "headers": {},
    }
    return {**good, **changes}


def test_a_good_message_has_no_problem() -> None:
    assert to_frame(**fields()) == Frame(REPLY.encode(), "mine")
    assert to_frame(**fields(body=REPLY.encode())) == Frame(REPLY.encode(), "mine")
    answer = to_frame(**fields(properties={}, headers={"ticket": "t"}, content_encoding=None))
    assert answer == Frame(REPLY.encode(), ticket="t")


def with_one_wrong(junk: Any) -> list[dict[str, Any]]:
    """Return messages each of which has one field that is wrong."""
    return [
        fields(properties={"correlation_id": junk}),
        fields(headers={"ticket": junk}),
        fields(headers={"compression": junk}),
        fields(content_type=junk),
        fields(content_encoding=junk),
        *([] if isinstance(junk, dict) else [fields(properties=junk), fields(headers=junk)]),
        *([] if isinstance(junk, bytes) else [fields(body=junk)]),
    ]


@pytest.mark.parametrize("junk", NO_TEXT, ids=repr)
def test_R37_a_field_of_a_wrong_type_hurts_at_most_the_call_that_is_named(junk: Any) -> None:
    for bad in with_one_wrong(junk):
        frame = to_frame(**bad)
        assert frame.problem
        table = ReplyTable({}, 10, 1 << 20, Skew())
        pending, innocent = table.register("mine", "a.task"), table.register("another")
        table.deliver(frame)
        assert table.counters == {"malformed": 1}
        assert not innocent.done
        if frame.correlation_id == "mine":
            assert pending.outcome is not None
            assert isinstance(pending.outcome.error, ResultError)
        else:
            assert not pending.done


@pytest.mark.parametrize(
    "item",
    [b"", b"null", b"[]", b"7", b'"text"', b"{", b"\xff", b"[" * 100_000, b'{"properties": []}'],
    ids=lambda item: repr(item[:20]),
)
def test_R37_an_item_of_a_list_that_is_no_message_is_malformed(item: bytes) -> None:
    table = ReplyTable({}, 10, 1 << 20, Skew())
    table.deliver(unwrap(item))
    assert table.counters == {"malformed": 1}


def test_a_body_that_is_no_base64_fails_the_call_that_is_named() -> None:
    message = {
        "body": "é",
        "content-type": "application/json",
        "properties": {"correlation_id": "mine", "body_encoding": "base64"},
    }
    frame = unwrap(json.dumps(message).encode())
    assert (frame.correlation_id, bool(frame.problem)) == ("mine", True)


def test_pickle_is_not_read() -> None:
    frame = to_frame(**fields(content_type="application/x-python-serialize"))
    assert "content type" in frame.problem


def test_an_answer_that_its_reader_cannot_take_is_counted() -> None:
    table = ReplyTable({}, 10, 1 << 20, Skew())

    def fail(ticket: str, body: Any) -> None:
        raise TypeError("unexpected")

    table.expect({"t": None}, fail)
    table.deliver(Frame(b"{}", ticket="t"))
    assert table.counters == {"malformed": 1}


def test_what_strikes_the_thread_that_delivers_is_no_fault_of_the_reply() -> None:
    table = ReplyTable({}, 10, 1 << 20, Skew())
    pending = table.register("mine")
    strikes = [SoftTimeLimitExceeded()]

    def strike() -> None:
        raise strikes.pop()

    pending.on_done(strike)
    with pytest.raises(SoftTimeLimitExceeded):
        table.deliver(to_frame(**fields()))
    assert pending.outcome is not None
    assert (pending.outcome.value, table.counters["malformed"]) == (7, 0)
