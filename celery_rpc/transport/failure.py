"""Failure: the exception that a reply tells of, and whether the task's own code raised it; pure.

What a task raises comes with its traceback. What a worker or its pool ends a task with has none
(celery/worker/request.py, and on_unknown_task of celery/worker/consumer/consumer.py). Only there do
Celery's classes mean what they say: a task may raise them too, or let pass those of another call.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from celery_rpc.transport.tracebacks import shown, text_at_end, usual_texts

#: What Celery sends in place of an exception that cannot be pickled, with all that is in it.
WRAPPER = "celery.utils.serialization.UnpickleableExceptionWrapper"

#: How pools begin to say it (billiard/pool.py, mark_as_worker_lost).
EXITED = "Worker exited prematurely"

#: How many wrappers around an exception are opened.
MAX_WRAPPERS = 16


@dataclass(frozen=True, slots=True)
class Failure:
    """An exception as strings and JSON."""

    module: str
    #: The qualified name of its class.
    name: str
    args: tuple[Any, ...]
    #: What ``str()`` gave of it, as far as the reply tells.
    text: str
    #: None: the worker or its pool ended the task.
    traceback: str | None

    @property
    def type(self) -> str:
        """The dotted name of its class; of a builtin without the module."""
        return dotted(self.module, self.name)

    def is_refusal_of(self, task: str) -> bool:
        """Whether a worker did not run the task because it does not know it."""
        named = not task or self.args == (task,)
        return named and self._is_of_worker("celery.exceptions.NotRegistered")

    @property
    def is_lost_worker(self) -> bool:
        """Whether the process that ran the task has died.

        Of one that the task raised, a worker sends another reply by itself, which may come first.
        """
        return self._is_of_worker("billiard.exceptions.WorkerLostError") and self.text.startswith(
            EXITED
        )

    def _is_of_worker(self, kind: str) -> bool:
        return self.traceback is None and self.type == kind


def read_failure(result: Any, traceback: Any) -> Failure:
    """Read the result and the traceback of a reply, which may be any JSON."""
    given: Mapping[str, Any] = result if isinstance(result, dict) else {"exc_message": result}
    module = str(given.get("exc_module") or "")
    name = str(given.get("exc_type") or "Exception")
    args = to_args(given.get("exc_message"))
    if not isinstance(traceback, str):
        return Failure(module, name, args, unraised_text(name, args), None)
    if dotted(module, name) == WRAPPER:
        return unwrapped(module, name, args, traceback)
    text = text_at_end(traceback, dotted(module, name).removeprefix("__main__."), args)
    return Failure(module, name, args, to_text(args) if text is None else text, traceback)


def unwrapped(module: str, name: str, args: tuple[Any, ...], traceback: str) -> Failure:
    """Return the exception that Celery has wrapped: module, name, arguments and repr.

    Arguments of which one is no JSON are sent as the repr of all of them.
    """
    text = to_text(args)
    for _ in range(MAX_WRAPPERS):
        if dotted(module, name) != WRAPPER or len(args) != 4 or not isinstance(args[2], list | str):
            break
        module, name, inner, text = str(args[0]), str(args[1]), args[2], str(args[3])
        args = to_args(inner)
        if args and not isinstance(inner, str):
            text = usual_texts(args)[0]
    return Failure(module, name, args, text, traceback)


def dotted(module: str, name: str) -> str:
    """Return the dotted name of a class; of a builtin without the module."""
    return name if module in ("", "builtins") else f"{module}.{name}"


def to_args(message: Any) -> tuple[Any, ...]:
    """Return the arguments of a remote exception, which may be anything JSON."""
    if isinstance(message, list | tuple):
        return tuple(message)
    return () if message is None else (message,)


def to_text(args: tuple[Any, ...]) -> str:
    """Return the only argument as text, or all of them as JSON."""
    if len(args) == 1 and isinstance(args[0], str):
        return args[0]
    try:
        return json.dumps(args[0] if len(args) == 1 else args) if args else ""
    except (TypeError, ValueError, RecursionError):
        return shown(args)


def unraised_text(name: str, args: tuple[Any, ...]) -> str:
    """Return a text for what has no traceback, where a number alone would say little."""
    is_text = len(args) == 1 and isinstance(args[0], str)
    return to_text(args) if is_text or not args else f"{name}: {to_text(args)}"
