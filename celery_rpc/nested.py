"""Nested: the deadline that calls made inside a task inherit from the call that the task serves."""

import sys
from time import time
from typing import Any

from celery_rpc.deadline import NEVER, Deadline

#: Header of a call with a deadline: seconds since the epoch, as text.
HEADER = "rpc_deadline"


def inherited_deadline() -> Deadline:
    """Give the deadline of the call that the task in this thread serves; NEVER outside of tasks.

    It is read off the worker's clock. The sender has allowed for clocks that are ahead of its own
    as far as it knew (celery_rpc.transport.skew).
    """
    state = sys.modules.get("celery._state")
    task: Any = state.get_current_task() if state is not None else None
    if task is None:
        return NEVER
    try:
        return Deadline.after(float(getattr(task.request, HEADER)) - time())
    except (AttributeError, TypeError, ValueError):
        return NEVER
