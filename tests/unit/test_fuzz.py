"""Bytes of strangers: whatever comes, parsing ends with a value or with the one error that it may.

The same targets run for hours under atheris: python -m tests.unit.test_fuzz NAME, where that is
installed.
"""

import json
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from amqp.exceptions import FrameSyntaxError
from hypothesis import given
from hypothesis import strategies as st

from celery_rpc.discovery.introspect import MAX_DIAGNOSTICS, MAX_WORKERS, ReportBook
from celery_rpc.discovery.merge import merge
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


TARGETS: dict[str, Callable[[bytes], None]] = {
    "reply": read_reply,
    "item": read_item,
    "answers": read_answers,
    "deliveries": read_deliveries,
    "report": read_report,
}

JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.sampled_from(
                ["task_id", "status", "result", "name", "exchange", "node@a", "__type__", "body",
                 "headers", "properties", "__value__", "routing_key"]
            )
            | st.text(),
            inner,
        )
    ),
    max_leaves=25,
)  # fmt: skip


def frame_of(kind: int, channel: int, payload: bytes) -> bytes:
    return frames.frame(kind, channel, payload)


BYTES = {
    "answers": st.lists(
        st.binary()
        | st.builds(b"%c%d\r\n".__mod__, st.tuples(st.sampled_from(b"+-:$*"), st.integers()))
    ).map(b"".join),
    "deliveries": st.lists(
        st.builds(frame_of, st.integers(1, 3), st.just(1), st.binary())
        | st.builds(
            frame_of, st.just(1), st.just(1), st.binary().map(lambda tail: frames.DELIVER + tail)
        )
    ).map(b"".join),
}


@pytest.mark.parametrize("name", TARGETS)
@given(data=st.data())
def test_R37_S07_parsing_what_strangers_send_ends_well(name: str, data: st.DataObject) -> None:
    shaped = BYTES.get(name, JSON.map(lambda value: json.dumps(value).encode()))
    TARGETS[name](data.draw(st.binary() | shaped))


def test_S07_a_fleet_without_end_is_cut_off_and_said() -> None:
    book = ReportBook()
    for number in range(MAX_WORKERS + 5):
        book.note("registered", {f"worker-{number}": ["a.task"]})
        book.note("active_queues", {f"worker-{number}": [{"name": "q"}]})
    assert len(book.complete()) == MAX_WORKERS
    assert f"only the first {MAX_WORKERS:,} workers" in book.diagnostics[0]
    for _ in range(3 * MAX_DIAGNOSTICS):
        book.note("registered", "nonsense")
    assert len(book.diagnostics) == MAX_DIAGNOSTICS


if __name__ == "__main__":
    import atheris

    atheris.Setup(sys.argv, TARGETS[sys.argv.pop()])
    atheris.Fuzz()
