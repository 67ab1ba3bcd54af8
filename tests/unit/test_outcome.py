"""Replies come from whoever can write to the queue: reading them is total and harmless."""

import subprocess
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from celery_rpc import RemoteError
from celery_rpc.calls.pending import Outcome, Update
from celery_rpc.transport.received import Malformed
from celery_rpc.transport.reply_message import parse_meta, to_outcome, worker_of


def failure(kind: str, message: Any = ("boom",), module: str = "builtins") -> dict[str, Any]:
    result = {"exc_type": kind, "exc_message": message, "exc_module": module}
    return {"task_id": "i", "status": "FAILURE", "result": result, "traceback": "Traceback: x"}


def error_of(meta: dict[str, Any], registry: dict[str, type[Exception]] | None = None) -> Any:
    outcome = to_outcome(meta, "svc.task", registry or {})
    assert isinstance(outcome, Outcome)
    return outcome.error


def test_a_value() -> None:
    outcome = to_outcome({"task_id": "i", "status": "SUCCESS", "result": [1]}, "t", {})
    assert isinstance(outcome, Outcome)
    assert (outcome.value, outcome.error) == ([1], None)


def test_a_state_that_is_not_final_is_an_update() -> None:
    meta = {"task_id": "i", "status": "PROGRESS", "result": {"done": 1}}
    assert to_outcome(meta, "t", {}) == Update("PROGRESS", {"done": 1})


@pytest.mark.parametrize(
    ("meta", "last", "worker"),
    [
        ({"worker": "a@b"}, None, "a@b"),
        ({"worker": "a@b"}, Update("STARTED", {"hostname": "c@d"}), "a@b"),
        ({}, Update("STARTED", {"hostname": "c@d"}), "c@d"),
        ({}, Update("PROGRESS", {"hostname": "c@d"}), None),
        ({}, Update("STARTED", "junk"), None),
        ({"worker": 5}, None, None),
        ({}, None, None),
    ],
)
def test_the_worker_is_whom_the_reply_names_or_who_started_it(
    meta: dict[str, Any], last: Update | None, worker: str | None
) -> None:
    assert worker_of(meta, last) == worker


def test_a_builtin_exception_is_an_instance_of_itself() -> None:
    error = error_of(failure("KeyError", ["k"]))
    assert isinstance(error, KeyError)
    assert isinstance(error, RemoteError)
    assert str(error) == "k"
    assert error.args == ("k",)


@pytest.mark.parametrize(
    "kind", ["SystemExit", "KeyboardInterrupt", "GeneratorExit", "BaseException", "open", "eval"]
)
def test_what_is_no_exception_is_only_a_remote_error(kind: str) -> None:
    error = error_of(failure(kind))
    assert type(error) is RemoteError
    assert error.type == kind


@pytest.mark.parametrize(
    "kind", ["StopIteration", "StopAsyncIteration", "ExceptionGroup", "MemoryError"]
)
def test_what_cannot_be_raised_as_itself_is_only_a_remote_error(kind: str) -> None:
    assert type(error_of(failure(kind))) is RemoteError


def test_a_class_of_an_imported_module_is_not_found() -> None:
    error = error_of(failure("CalledProcessError", [1, "x"], "subprocess"))
    assert not isinstance(error, subprocess.CalledProcessError)
    assert error.type == "subprocess.CalledProcessError"
    assert error.args == (1, "x")


def test_a_registered_class_is_an_instance_of_itself() -> None:
    class OnlyHere(Exception):
        def __init__(self, code: int, text: str) -> None:
            super().__init__(code, text)

    error = error_of(failure("OnlyHere", [4, "x"], "svc.errors"), {"svc.errors.OnlyHere": OnlyHere})
    assert isinstance(error, OnlyHere)
    assert error.args == (4, "x")


@pytest.mark.parametrize(
    "body",
    [b"no json", b"[1]", b"{}", b'{"task_id": 1, "status": "SUCCESS"}', b"[" * 100_000, b"\xff",
     b'{"__type__": "datetime", "__value__": 5}', b'{"task_id": "i"}',
     b'{"__type__": "decimal", "__value__": "x"}', b'{"__type__": "bytes", "__value__": {}}'],
    ids=repr,
)  # fmt: skip
def test_malformed_bodies_are_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        parse_meta(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
STATUS = st.sampled_from(["SUCCESS", "FAILURE", "REVOKED", "STARTED", "x"]) | st.text()


@given(
    status=STATUS,
    result=JSON
    | st.fixed_dictionaries({"exc_type": JSON, "exc_message": JSON, "exc_module": JSON}),
    traceback=JSON,
    children=JSON,
    worker=JSON,
)
def test_reading_an_outcome_is_total(**fields: Any) -> None:
    outcome = to_outcome({"task_id": "i", **fields}, "svc.task", {})
    if isinstance(outcome, Outcome) and outcome.error is not None:
        assert isinstance(outcome.error, Exception)
        assert isinstance(str(outcome.error), str)
        assert repr(outcome.error)
