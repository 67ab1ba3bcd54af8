"""What a failure means, told from real replies of every release of Celery and every pool."""

from typing import Any

import pytest

from celery_rpc import CallCancelled, NoSuchTask, RemoteError, WorkerLost
from celery_rpc.calls.pending import Outcome, Update
from celery_rpc.transport.failure import MAX_WRAPPERS, WRAPPER, read_failure
from celery_rpc.transport.reply_message import to_outcome
from tests.replies import CASES, captured
from tests.workers.failing import QUOTED

#: Cases that the worker or its pool decides: the task's own code has no say in them.
OF_WORKERS: dict[str, type[Exception]] = {
    "unknown": NoSuchTask,
    "exit": WorkerLost,
    "killed": WorkerLost,
    "revoked": CallCancelled,
    "expired": CallCancelled,
    "terminated": CallCancelled,
}

PYDANTIC = """2 validation errors for Order
amount
  Input should be a valid integer, unable to parse string as an integer [type=int_parsing, \
input_value='many', input_type=str]
    For further information visit https://errors.pydantic.dev/2.14/v/int_parsing
customer
  Input should be a valid string [type=string_type, input_value=5, input_type=int]
    For further information visit https://errors.pydantic.dev/2.14/v/string_type"""

APP = "tests.workers.failing"

#: Every other case -> type, arguments and text of the RemoteError.
RAISED: dict[str, tuple[str, tuple[Any, ...], str]] = {
    "plain": (f"{APP}.Plain", ("as asked", 1), "('as asked', 1)"),
    "no arguments": (f"{APP}.Plain", (), ""),
    "empty": (f"{APP}.Plain", ("",), ""),
    "declined": (f"{APP}.Declined", ("4: stolen",), "4: stolen"),
    "keyed": (f"{APP}.Keyed", (), "Keyed(code=4)"),
    "spoken": (f"{APP}.Spoken", ("a", 1), "spoken:\n  a, 1"),
    "mute": (f"{APP}.Mute", ("a", 1), '["a", 1]'),
    "refused": ("ValueError", ("4: stolen",), "4: stolen"),
    "closed": (f"{APP}.Shop.Closed", ("at night",), "at night"),
    "denied": (f"{APP}.Denied", ("4: stolen",), "4: stolen"),
    "local": (f"{APP}.Local", ("a", 1), "('a', 1)"),
    "pydantic": ("pydantic_core._pydantic_core.ValidationError", (), PYDANTIC),
    "no file": (
        "FileNotFoundError", (2, "No such file or directory"),
        "[Errno 2] No such file or directory: '/there/is/none'",
    ),
    "key": ("KeyError", ("no such way",), "'no such way'"),
    "quoting": ("ValueError", (QUOTED,), QUOTED),
    "spoken quoting": (f"{APP}.Spoken", (QUOTED,), f"spoken:\n  {QUOTED}"),
    "noted": ("ValueError", ("as asked",), "as asked"),
    "plain and noted": (f"{APP}.Plain", ("as asked",), "as asked\na note"),
    "spoken and noted": (f"{APP}.Spoken", ("a",), "spoken:\n  a\na note"),
    "grouped": (
        "ExceptionGroup", ("two\nlines", "[ValueError('a'), Plain('b')]"),
        "two\nlines (2 sub-exceptions)",
    ),
    "chained": ("ValueError", ("at last",), "at last"),
    "chained to group": (f"{APP}.Spoken", ("at last",), "spoken:\n  at last"),
    "group in chain": (
        "ExceptionGroup", ("two\nlines", "[ValueError('a'), Plain('b')]"),
        "two\nlines (2 sub-exceptions)",
    ),
    "misspelled": (
        "AttributeError", ("type object 'Path' has no attribute 'hom'",),
        "type object 'Path' has no attribute 'hom'",
    ),
    "syntax": (
        "SyntaxError", ("invalid syntax", ["there.py", 1, 3, "a b\n", 1, 4]), "invalid syntax",
    ),
    "no json": (
        "kombu.exceptions.EncodeError",
        ("TypeError('Object of type object is not JSON serializable')",),
        "Object of type object is not JSON serializable",
    ),
    "operational": ("kombu.exceptions.OperationalError", ("as asked",), "as asked"),
    "base": ("BaseException", ("as asked",), "as asked"),
    "lookup": ("celery.exceptions.NotRegistered", ("failing.other",), "'failing.other'"),
    "raised NotRegistered": (
        "celery.exceptions.NotRegistered", ("failing.other",), "'failing.other'",
    ),
    "raised NotRegistered of itself": (
        "celery.exceptions.NotRegistered", ("failing.raise_celerys",), "'failing.raise_celerys'",
    ),
    "raised TaskRevokedError": ("celery.exceptions.TaskRevokedError", ("expired",), "expired"),
    "raised WorkerLostError": ("billiard.exceptions.WorkerLostError", ("as asked",), "as asked"),
    "raised TimeLimitExceeded": (
        "billiard.exceptions.TimeLimitExceeded", (3,), "TimeLimitExceeded(3,)",
    ),
    "raised Terminated": ("billiard.exceptions.Terminated", (9,), "9"),
    "raised Reject": (
        "celery.exceptions.Reject", ("as asked", False), 'Reject: ["as asked", false]',
    ),
    "raised ChordError": ("celery.exceptions.ChordError", ("as asked",), "as asked"),
    "raised MaxRetriesExceededError": (
        "celery.exceptions.MaxRetriesExceededError", ("as asked",), "as asked",
    ),
    "gave up": (
        "celery.exceptions.MaxRetriesExceededError",
        ("Can't retry failing.give_up[an-id] args:() kwargs:{}",),
        "Can't retry failing.give_up[an-id] args:() kwargs:{}",
    ),
    "limited": ("billiard.exceptions.TimeLimitExceeded", (1,), "TimeLimitExceeded: 1"),
    "limited softly": (
        "billiard.exceptions.SoftTimeLimitExceeded", (), "SoftTimeLimitExceeded()",
    ),
    "forwarded unknown": (
        "celery.exceptions.NotRegistered", ("failing.unknown",), "'failing.unknown'",
    ),
    "forwarded declined": (f"{APP}.Declined", ("4: stolen",), "4: stolen"),
}  # fmt: skip

REPLIES = [
    pytest.param(each["case"], each["meta"], id=f"{each['case']}-{each['from'][0]}")
    for each in captured()
]


@pytest.mark.parametrize(("case", "meta"), REPLIES)
def test_each_reply_becomes_the_right_error(case: str, meta: dict[str, Any]) -> None:
    outcome = to_outcome(meta, CASES[case][0], {})
    if case == "raised Retry":
        assert isinstance(outcome, Update)
        return
    assert isinstance(outcome, Outcome)
    error = outcome.error
    if case in OF_WORKERS:
        assert type(error) is OF_WORKERS[case]
        return
    assert isinstance(error, RemoteError)
    assert not isinstance(error, CallCancelled | NoSuchTask | WorkerLost)
    assert (error.type, error.args, str(error)) == RAISED[case]


def test_every_case_was_captured() -> None:
    seen = {each["case"] for each in captured()}
    assert seen == CASES.keys() - {"raised Ignore"}
    assert seen == OF_WORKERS.keys() | RAISED.keys() | {"raised Retry"}


def wrapped(depth: int, module: str = "shop", name: str = "Declined", *args: Any) -> dict[str, Any]:
    """Return the result of a failure that Celery has wrapped so many times."""
    module_of_wrapper, _, wrapper = WRAPPER.rpartition(".")
    message: list[Any] = [module, name, list(args), f"{name}{args}"]
    for _ in range(depth - 1):
        message = [module_of_wrapper, wrapper, message, "text"]
    return {"exc_module": module_of_wrapper, "exc_type": wrapper, "exc_message": message}


@pytest.mark.parametrize("depth", [1, 2, MAX_WRAPPERS])
def test_wrappers_are_opened_to_what_is_inside(depth: int) -> None:
    failure = read_failure(wrapped(depth, "shop", "Declined", "stolen"), "Traceback")
    assert (failure.type, failure.args, failure.text) == ("shop.Declined", ("stolen",), "stolen")


def test_arguments_that_are_no_json_are_one_text() -> None:
    result = {**wrapped(1), "exc_message": ["shop", "Declined", "({1},)", "Declined({1})"]}
    failure = read_failure(result, "Traceback")
    assert failure.type == "shop.Declined"
    assert (failure.args, failure.text) == (("({1},)",), "Declined({1})")


def test_wrappers_without_end_stay_wrappers() -> None:
    assert read_failure(wrapped(MAX_WRAPPERS + 1), "Traceback").type == WRAPPER


@pytest.mark.parametrize("message", [None, [], ["a"], ["a", "b", 5, "d"], {"a": 1}, "text", 5])
def test_a_wrapper_of_another_form_stays_as_it_is(message: Any) -> None:
    failure = read_failure({**wrapped(1), "exc_message": message}, "Traceback")
    assert failure.type == WRAPPER


def test_a_wrapped_class_of_celery_was_raised_by_the_task() -> None:
    result = wrapped(1, "celery.exceptions", "NotRegistered", "a.task")
    assert not read_failure(result, "Traceback").is_refusal_of("a.task")
    assert not read_failure(result, None).is_refusal_of("a.task")


@pytest.mark.parametrize(
    ("args", "traceback", "task", "refused"),
    [
        (["a.task"], None, "a.task", True),
        (["a.task"], None, "", True),  # the call is known by its id alone
        (["another"], None, "a.task", False),
        (["a.task", 2], None, "a.task", False),
        ([], None, "a.task", False),
        (["a.task"], "", "a.task", False),
        (["a.task"], "Traceback", "a.task", False),
    ],
)
def test_a_refusal_has_no_traceback_and_names_the_task(
    args: list[Any], traceback: str | None, task: str, refused: bool
) -> None:
    result = {
        "exc_type": "NotRegistered", "exc_module": "celery.exceptions", "exc_message": args,
    }  # fmt: skip
    assert read_failure(result, traceback).is_refusal_of(task) is refused
