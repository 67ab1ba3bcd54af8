"""The public names: what is listed here may be relied on, nothing else."""

import inspect
import subprocess
import sys

import pytest

import celery_rpc
from celery_rpc import errors

PUBLIC = [
    # Clients
    "connect",
    "Client",
    "BaseClient",
    "ClientOptions",
    "UNSET",
    "Retry",
    # The tree
    "Namespace",
    "TaskProxy",
    # Replies
    "Reply",
    "Update",
    "Cancellation",
    # Canvases
    "chain",
    "group",
    "chord",
    "GroupReply",
    "Graph",
    "Step",
    "Run",
    "RunStatus",
    "StepState",
    "Plan",
    # What is known of the fleet
    "Catalog",
    "Service",
    "TaskSpec",
    # Errors
    "RpcError",
    "ConfigurationError",
    "DiscoveryError",
    "NoSuchService",
    "NoSuchTask",
    "AmbiguousTask",
    "BackendMismatch",
    "ArgumentsError",
    "EncodeError",
    "PayloadTooLarge",
    "Unavailable",
    "NoConsumers",
    "PermissionRefused",
    "Overloaded",
    "OutcomeUnknown",
    "DeadlineExceeded",
    "ReplyLost",
    "CallCancelled",
    "WorkerLost",
    "RemoteError",
    "ResultError",
    "CanvasError",
    "CodegenError",
    "WorkflowError",
    "ClientClosed",
]

#: Loaded only when something needs them: who wants --help or an error need not wait.
HEAVY = ("amqp", "celery", "kombu", "pydantic", "redis", "rich")


def test_public_names_are_these_and_no_others() -> None:
    assert celery_rpc.__all__ == PUBLIC


def test_every_error_is_public() -> None:
    assert set(errors.__all__) <= set(PUBLIC)


@pytest.mark.parametrize("name", PUBLIC)
def test_public_name_can_be_imported_and_says_what_it_is(name: str) -> None:
    value = getattr(celery_rpc, name)
    doc = inspect.getdoc(value)
    assert doc
    assert not doc.startswith(f"{name}("), "dataclass wrote this one"


def test_dir_lists_the_public_names() -> None:
    assert set(PUBLIC) <= set(dir(celery_rpc))


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        celery_rpc.nope  # noqa: B018


def test_import_alone_loads_nothing_heavy() -> None:
    code = "import sys, celery_rpc; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=150
    ).stdout.split()
    assert "celery_rpc" in loaded
    assert not set(HEAVY) & set(loaded)
