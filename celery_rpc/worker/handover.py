"""Handover: the caller's address when a task replaces itself, and ends that have no state."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

import celery
from celery import current_task, signals, states
from celery.app.task import Task
from celery.exceptions import Ignore

from celery_rpc.worker.canvas import parts_of
from celery_rpc.worker.replies import address_of, writer_of

#: From this Celery on a task that rejects its message fails, and its backend is told.
REJECTED_FAILS = (5, 7)


def install() -> None:
    """Watch for tasks that replace or resend themselves, or end without a state."""
    signals.before_task_publish.connect(keep_address)
    signals.task_postrun.connect(tell_end)
    if not hasattr(Task.on_replace, "__wrapped__"):
        setattr(Task, "on_replace", passing_on(Task.on_replace))  # noqa: B010  # no types


def passing_on(on_replace: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Make Task.on_replace keep the caller's address.

    Task.replace leaves the worker's own in it, so that nobody would read the result.
    """

    @wraps(on_replace)
    def passed_on(task: Any, canvas: Any) -> Any:
        request = task.request
        if not address_of(request):
            return on_replace(task, canvas)
        heirs = [part for part in parts_of(canvas) if part["options"].get("task_id") == request.id]
        for part in heirs:
            part["options"]["reply_to"] = request.reply_to
        request.rpc_passed_on = bool(heirs or request.chain)
        try:
            return on_replace(task, canvas)
        except Ignore as ignored:
            if not request.rpc_passed_on:
                ignored.args = (
                    "the task was replaced by a canvas to which Celery gives no result",
                )
            raise

    return passed_on


def keep_address(
    headers: Mapping[str, Any] | None = None,
    properties: dict[str, Any] | None = None,
    **_: object,
) -> None:
    """Keep the caller's address in a message by which a task sends itself again."""
    request = getattr(current_task, "request", None)
    if request is None or properties is None or not address_of(request):
        return
    if headers and headers.get("id") == request.id:
        properties["reply_to"] = request.reply_to
        request.rpc_passed_on = True


def tell_end(
    task: Any = None, task_id: str = "", retval: Any = None, state: str = "", **_: object
) -> None:
    """Answer the caller of a task without a state: it raised Ignore, or rejected its message."""
    request, writer = task.request, writer_of(task.app)
    if writer is None or getattr(request, "rpc_passed_on", False):
        return
    if getattr(request, "rpc_ended", False):
        return
    if state == states.IGNORED:
        error = retval if retval.args else Ignore("the task raised Ignore, and has no result")
    elif state == states.REJECTED and not retval.requeue and celery.VERSION < REJECTED_FAILS:
        error = retval
    else:
        return
    writer.tell(task_id, error, states.FAILURE, request=request)
