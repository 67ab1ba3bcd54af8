"""Answers: result backends that also tell a task's caller of each state that they store.

Every state passes a task's backend: in the pool's processes and in the worker's own, of tasks that
ran, were revoked, expired or unknown, or whose process was lost.
"""

import sys
from collections.abc import Mapping
from functools import cache
from typing import Any

from celery import states
from celery.app.task import Context, Task
from celery.backends.base import Backend
from celery.backends.rpc import RPCBackend
from celery.exceptions import TaskRevokedError
from celery.utils.log import get_logger

from celery_rpc.worker import handover
from celery_rpc.worker.canvas import parts_of
from celery_rpc.worker.replies import WRITER, ReplyWriter, address_of

log = get_logger(__name__)


def answer_for(app: Any) -> None:
    """Make the backends of an app answer: the present ones, and those of later threads."""
    if WRITER in vars(app):
        return
    vars(app)[WRITER] = ReplyWriter(app)
    make = app._get_backend
    app._get_backend = lambda: adopt(make())
    if app._backend is not None:
        adopt(app._backend)
    handover.install()
    setattr(Task, "rpc_answers", property(answers))  # noqa: B010  # Celery has no types
    for task in app.tasks.values():
        adopt(task.backend)  # one may have its own


def answers(task: Any) -> bool | None:
    """Whether a task's callers are answered; the registered command leaves None out."""
    return isinstance(task.backend, Answering) or None


def adopt(backend: Any) -> Any:
    """Make a backend answer, or leave it as it is where its class cannot change."""
    if isinstance(backend, Backend) and not isinstance(backend, Answering):
        try:
            backend.__class__ = answering(backend.__class__)
        except TypeError:
            log.exception("calls are not answered: %r allows no change of its class", backend)
    return backend


@cache
def answering(own: type) -> type:
    """Return a backend's class with Answering; clients know the kind by its name, so it stays."""
    names = {"__module__": own.__module__, "__qualname__": own.__qualname__, "own": own}
    return type(own.__name__, (Answering, own), names)


class Answering(Backend):  # type: ignore[misc]  # Celery has no types
    """Mixed into the class of an app's own backend, which stores first and as it did before."""

    #: The app's own class.
    own: type

    def store_result(
        self,
        task_id: str,
        result: Any,
        state: str,
        traceback: Any = None,
        request: Any = None,
        **options: Any,
    ) -> Any:
        if isinstance(self, RPCBackend) and address_of(request):  # it stores nothing but the answer
            self.tell(task_id, result, state, traceback, request)
            return result
        try:
            stored = super().store_result(
                task_id, result, state, traceback=traceback, request=request, **options
            )
        except Exception:
            # A success that cannot be stored becomes a failure, which comes here too.
            if state in states.EXCEPTION_STATES:
                self.tell(task_id, result, state, traceback, request)
            raise
        self.tell(task_id, result, state, traceback, request)
        return stored

    # States that are not stored are told as well: `ignore_result` concerns the app's own results.

    def mark_as_done(
        self,
        task_id: str,
        result: Any,
        request: Any = None,
        store_result: bool = True,
        state: str = states.SUCCESS,
    ) -> None:
        super().mark_as_done(
            task_id, result, request=request, store_result=store_result, state=state
        )
        if not store_result or (request and request.ignore_result):
            self.tell(task_id, result, state, request=request)

    def mark_as_failure(
        self,
        task_id: str,
        exc: Exception,
        traceback: Any = None,
        request: Any = None,
        store_result: bool = True,
        call_errbacks: bool = True,
        state: str = states.FAILURE,
    ) -> None:
        try:
            super().mark_as_failure(
                task_id,
                exc,
                traceback=traceback,
                request=request,
                store_result=store_result,
                call_errbacks=call_errbacks,
                state=state,
            )
        finally:
            if not store_result:
                self.tell(task_id, exc, state, traceback, request)
            for step in getattr(request, "chain", None) or ():
                # Before Celery 5.7 the body of a chord that never starts was not marked.
                self.tell_parts(step, exc, traceback, whole=not store_result)

    def mark_as_revoked(
        self,
        task_id: str,
        reason: str = "",
        request: Any = None,
        store_result: bool = True,
        state: str = states.REVOKED,
    ) -> None:
        super().mark_as_revoked(
            task_id, reason, request=request, store_result=store_result, state=state
        )
        if not store_result:
            self.tell(task_id, TaskRevokedError(reason), state, request=request)

    def chord_error_from_stack(self, callback: Any, exc: Any = None) -> Any:
        exc = sys.exc_info()[1] if exc is None else exc
        try:
            return super().chord_error_from_stack(callback, exc)
        finally:
            # Celery marks it without a request, and so without an address.
            for step in (callback, *(callback.options.get("chain") or ())):
                self.tell_parts(step, exc, whole=True)

    def tell(
        self, task_id: str, result: Any, state: str, traceback: Any = None, request: Any = None
    ) -> None:
        """Send a task's caller a state, if it is a client of ours."""
        writer: ReplyWriter = vars(self.app)[WRITER]
        writer.tell(task_id, result, state, traceback, request)

    def tell_parts(
        self, canvas: Mapping[str, Any], exc: Any, traceback: Any = None, *, whole: bool
    ) -> None:
        """Send the callers of tasks that will never run that they have failed.

        Args:
            whole: also the caller of the signature itself, not only of its parts.
        """
        for part in parts_of(canvas):
            options = part.get("options") or {}
            if options.get("task_id") and (whole or part is not canvas):
                self.tell(options["task_id"], exc, states.FAILURE, traceback, Context(options))

    def __reduce__(self, *args: Any, **kwargs: Any) -> Any:
        function, arguments = super().__reduce__(*args, **kwargs)
        return function, tuple(self.own if each is type(self) else each for each in arguments)
