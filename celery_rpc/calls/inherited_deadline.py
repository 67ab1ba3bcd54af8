"""Nested: the deadline that calls made inside a task inherit from the call that the task serves."""

import sys
from threading import TIMEOUT_MAX
from time import time
from typing import Any

from celery_rpc.support.deadline import NEVER, Deadline

#: Header of a call with a deadline: seconds since the epoch, as text.
HEADER = "rpc_deadline"


def inherited_deadline() -> Deadline:
    """Return the deadline of the call that the task in this thread serves; NEVER outside of tasks.

    It is read off the worker's clock. The sender has allowed for clocks that are ahead of its own
    as far as it knew (celery_rpc.transport.clock_skew).
    """
    state = sys.modules.get("celery._state")
    task: Any = state.get_current_task() if state is not None else None
    if task is None:
        return NEVER
    return to_deadline(getattr(task.request, HEADER, None))


def to_deadline(header: Any) -> Deadline:
    """Return the deadline that the header means; NEVER for what is no time, or beyond all waits."""
    try:
        left = float(header) - time()
    except (TypeError, ValueError, OverflowError):
        return NEVER
    return Deadline.after(left) if left <= TIMEOUT_MAX else NEVER  # nor NaN
