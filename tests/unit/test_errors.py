"""Errors: each says its remedy, keeps its details, and survives pickle."""

import copy
import inspect
import pickle

import pytest
from celery.exceptions import TaskRevokedError
from celery.exceptions import TimeoutError as CeleryTimeoutError

from celery_rpc import errors
from celery_rpc.errors import RemoteError, RpcError, remote_error_class

CLASSES = [getattr(errors, name) for name in errors.__all__]


@pytest.mark.parametrize("cls", CLASSES)
def test_every_error_has_a_default_message_and_a_place_in_the_tree(cls: type[RpcError]) -> None:
    assert issubclass(cls, RpcError)
    assert f" {cls.__name__} " in f"{errors.__doc__} ".replace("\n", " ")
    if cls is not RemoteError:
        assert str(cls()) == errors.default_message(cls)


@pytest.mark.parametrize("cls", CLASSES)
def test_every_error_survives_pickle_and_copy(cls: type[RpcError]) -> None:
    error = cls("what happened", task_id="an-id")
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(twin) is type(error)
        assert str(twin) == "what happened"
        assert vars(twin)["task_id"] == "an-id"


@pytest.mark.parametrize("wanted", [ValueError, KeyError, OSError, UnicodeDecodeError])
def test_a_mixed_error_survives_pickle(wanted: type[Exception]) -> None:
    error = remote_error_class(wanted)("text", type=wanted.__name__, task_id="i")
    error.args = ("text", 2)
    error.add_note("a note")
    twin = pickle.loads(pickle.dumps(error))
    assert isinstance(twin, wanted)
    assert isinstance(twin, RemoteError)
    assert (str(twin), twin.args, twin.task_id, twin.__notes__) == (
        "text", ("text", 2), "i", ["a note"],
    )  # fmt: skip


def test_a_deadline_is_a_timeout_of_python_and_of_celery() -> None:
    assert issubclass(errors.DeadlineExceeded, TimeoutError)
    assert issubclass(errors.DeadlineExceeded, CeleryTimeoutError)


def test_a_call_that_was_cancelled_is_what_celery_raises_for_a_revoked_task() -> None:
    assert issubclass(errors.CallCancelled, TaskRevokedError)


def test_all_lists_every_error() -> None:
    defined = {
        name
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, RpcError)
    }
    assert defined == set(errors.__all__)
