"""Relay: the reply of a task that replaces itself, sent on by a task of Celery's own."""

from typing import Any

from celery_rpc.catalog.address import Address

#: Registered in every worker: it returns the argument of that index (celery/app/builtins.py).
TASK, KWARGS = "celery.accumulate", {"index": 0}


def relay(task_id: str, address: Address, reply_to: str) -> dict[str, Any]:
    """Return the signature that sends a task's value to a reply queue, under the task's own id.

    A worker sends the reply of what a task was replaced by to a queue of its own, but what comes
    next in the task's chain it sends to where that says (celery/app/task.py, ``Task.replace``).
    """
    return {
        "task": TASK,
        "args": [],
        "kwargs": dict(KWARGS),
        "options": {**address.options, "task_id": task_id, "reply_to": reply_to},
        "subtask_type": None,
        "immutable": False,
    }
