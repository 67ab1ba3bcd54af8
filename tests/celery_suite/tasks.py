"""What Celery's tests import from their tasks: here each task is a proxy of a client.

No code of a task is here. The worker has it; the names below are those of exceptions, and of a
visitor that the tests import.
"""

import os
from typing import Any, ClassVar

import celery.exceptions
from celery.canvas import StampingVisitor
from redis import Redis

from celery_rpc import connect

PREFIX = "t.integration.tasks."

#: Tasks that replace themselves, which the client has to know.
REPLACED = {
    "add_replaced",
    "add_to_all",
    "fail_replaced",
    "replace_with_chain",
    "replace_with_chain_which_raises",
    "replace_with_empty_chain",
    "replace_with_stamped_task",
    "second_order_replace1",
}


class ExpectedException(Exception):
    """What the tasks raise; equal to another one with the same arguments."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ExpectedException) and self.args == other.args

    def __hash__(self) -> int:
        return hash(self.args)


class StampOnReplace(StampingVisitor):  # type: ignore[misc]
    """How the worker stamps what it replaces a task by."""

    stamp: ClassVar = {"StampOnReplace": "This is the replaced task"}

    def on_signature(self, sig: Any, **headers: Any) -> dict[str, str]:
        return self.stamp


client = connect(
    os.environ["SUITE_BROKER"],
    timeout=60,
    errors=[
        ExpectedException,
        celery.exceptions.ImproperlyConfigured,
        celery.exceptions.Reject,
    ],
)


def get_redis_connection() -> Any:
    """Connect to the Redis to which tasks write that they have run."""
    return Redis(
        host=os.environ["REDIS_HOST"], port=int(os.environ["REDIS_PORT"]), socket_timeout=None
    )


def ClassBasedAutoRetryTask() -> Any:
    return client["celery"]["auto_retry_class_task"]


_proxies: dict[str, Any] = {}


def __getattr__(name: str) -> Any:
    """Return the proxy of a task."""
    if name.startswith("__"):
        raise AttributeError(name)
    if name not in _proxies:
        proxy = client["celery"][PREFIX + name]
        _proxies[name] = proxy.options(replaces=True) if name in REPLACED else proxy
    return _proxies[name]
