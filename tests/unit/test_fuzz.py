"""Bytes of strangers: whatever comes, parsing ends with a value or the one error that it may."""

import json
import time
import tracemalloc
from collections import Counter
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from celery_rpc.catalog import saved
from celery_rpc.catalog.model import Catalog
from celery_rpc.discovery.worker_answers import MAX_DIAGNOSTICS, MAX_WORKERS, ReportBook
from celery_rpc.errors import ConfigurationError
from celery_rpc.transport.amqp import frames
from tests.fuzz import SEEDS
from tests.parsers import DIGEST, TARGETS, read_catalog
from tests.unit.edits import edited
from tests.unit.test_saved import catalogs, plain

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


def damaged(whole: bytes, at: int, gone: int, junk: bytes) -> bytes:
    """Return a text with some of its bytes replaced."""
    at %= len(whole)
    return whole[:at] + junk + whole[at + gone :]


def seeds(name: str) -> st.SearchStrategy[bytes]:
    return st.sampled_from(SEEDS[name])


def nearly(texts: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Return bytes that are nearly what a parser reads."""
    return st.builds(
        damaged, texts, st.integers(0, 5_000), st.integers(0, 20), st.binary(max_size=9)
    )


def nearly_json(texts: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Return JSON that is nearly what a parser reads."""
    return edited(texts.map(json.loads)).map(lambda value: json.dumps(value).encode())


def file_of(catalog: Catalog) -> bytes:
    return saved.to_json(catalog).encode(errors="backslashreplace")


def saved_with(value: Any, place: str) -> bytes:
    """Return a file in which any JSON stands at one place."""
    service = {"tasks": {}, "arguments": {"x": value}}
    files = {
        "services": {**plain(), "services": value},
        "task": plain(**value) if isinstance(value, dict) else plain(level=value),
        "signature": plain(signature=value),
        "arguments": {**plain(), "services": {"q": service}},
    }
    return json.dumps(files[place]).encode()


#: What a message may be made of, and the names of what it holds.
TYPES = st.sampled_from(["application/json", "application/x-python-serialize", "utf-8"]) | JSON
BODIES = JSON.map(json.dumps) | JSON
IDS = st.sampled_from(["a", "another", "", None]) | JSON
PROPERTIES = (
    st.fixed_dictionaries({"correlation_id": IDS}, optional={"body_encoding": TYPES}) | JSON
)
HEADERS = st.fixed_dictionaries({}, optional={"ticket": IDS, "compression": TYPES}) | JSON
FIELDS = {"body": BODIES, "content-type": TYPES, "content-encoding": TYPES,
          "properties": PROPERTIES, "headers": HEADERS}  # fmt: skip

#: Queues and tasks, as workers tell them, of which any part may be odd.
QUEUES = st.fixed_dictionaries(
    {"name": JSON | st.just("q")},
    optional={
        "exchange": JSON | st.fixed_dictionaries({"name": JSON, "type": JSON}),
        "routing_key": JSON,
        "queue_arguments": JSON | st.dictionaries(st.text(), JSON),
        "max_priority": JSON | st.integers(0, 10),
    },
)
TASKS = st.builds(
    "{}{}".format,
    st.text(),
    st.sampled_from(
        [
            " [backend=<celery.backends.rpc.RPCBackend object at 0x7f> ignore_result=True]",
            f" [rpc_digest={DIGEST}]",
            " [rpc_schema={}]",
            " [__annotations__={'x': " + "-" * 2_000 + "1}]",
            " [__doc__=text]",
        ]
    ),
)
ANSWERS = JSON | st.lists(QUEUES | TASKS | JSON, max_size=4)

files = catalogs.filter(len).map(file_of)

#: What is nearly right, for each parser.
NEARLY = {
    "reply": nearly_json(seeds("reply")),
    "item": nearly_json(seeds("item"))
    | st.fixed_dictionaries({}, optional=FIELDS).map(json.dumps).map(str.encode),
    "fields": nearly_json(seeds("fields"))
    | st.tuples(*FIELDS.values()).map(json.dumps).map(str.encode),
    "answers": nearly(seeds("answers"))
    | st.lists(
        st.binary()
        | st.builds(b"%c%d\r\n".__mod__, st.tuples(st.sampled_from(b"+-:$*"), st.integers()))
    ).map(b"".join),
    "deliveries": nearly(seeds("deliveries"))
    | st.lists(
        st.builds(
            frame_of, st.just(1), st.just(1), st.binary().map(lambda tail: frames.DELIVER + tail)
        )
    ).map(b"".join),
    "report": nearly_json(seeds("report"))
    | ANSWERS.map(lambda answer: json.dumps({"w@h": answer}).encode()),
    "catalog": nearly_json(files | seeds("catalog")),
}

#: What is right in nothing, or in one place.
FAR = {
    "catalog": nearly(files)
    | st.builds(saved_with, JSON, st.sampled_from(["services", "task", "signature", "arguments"])),
    "deliveries": st.lists(st.builds(frame_of, st.integers(1, 3), st.just(1), st.binary())).map(
        b"".join
    ),
}


@pytest.mark.parametrize("name", TARGETS)
@given(data=st.data())
def test_R37_S07_parsing_what_strangers_send_ends_well(name: str, data: st.DataObject) -> None:
    far = FAR.get(name, JSON.map(lambda value: json.dumps(value).encode()))
    TARGETS[name](data.draw(NEARLY[name] | far | st.binary()))


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_nearly_right_is_often_read_and_often_refused(name: str) -> None:
    """The property above touches its subject: it is measured how often."""
    read = Counter[bool]()

    @given(NEARLY[name])
    def measure(data: bytes) -> None:
        read[TARGETS[name](data)] += 1

    measure()
    assert min(read[True], read[False]) > read.total() / 8, read


def test_atheris_begins_with_bytes_that_each_parser_reads() -> None:
    assert SEEDS.keys() == TARGETS.keys()
    for name, seeds in SEEDS.items():
        for seed in seeds:
            TARGETS[name](seed)


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


MILLION = 1_000_000
LISTS = f"[{'[],' * (MILLION // 3)}1]"
NUMBERS = ", ".join(f'"{number}": 0' for number in range(MILLION // 12))

#: Files of a million bytes, each the worst of its kind.
VAST = {
    "lists in lists": "[" * MILLION,
    "lists": LISTS,
    "keys": f"{{{NUMBERS}}}",
    "a number": "1" * MILLION,
    "an exponent": f"1e{'9' * MILLION}",
    "an unknown key": f'{{"celery_rpc_catalog": 1, "services": {{}}, "{"x" * MILLION}": 1}}',
    "a queue": f'{{"celery_rpc_catalog": 1, "services": {{"{"x" * MILLION}": {{}}}}}}',
    "arguments": saved_with([[]] * (MILLION // 4), "arguments").decode(),
    "a signature": saved_with([[]] * (MILLION // 4), "signature").decode(),
}


@pytest.mark.parametrize("kind", VAST)
def test_S07_a_vast_catalog_costs_no_more_than_its_size_allows(kind: str) -> None:
    data = VAST[kind].encode()
    began = time.thread_time()
    read_catalog(data)
    assert time.thread_time() - began < 10  # a tenth of it on a machine of today
    tracemalloc.start()
    try:
        with suppress(ConfigurationError):
            saved.from_json(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 30 * len(data)
