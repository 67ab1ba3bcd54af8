"""Reply messages, read: bytes from whoever could write to the reply queue -> Outcome or Update.

Pure, and total: whatever the bytes, the answer is a value or Malformed; nothing is looked up among
imported modules, and no class is made from a name (CVE-2021-23727 was that).
"""

import builtins
import json
from typing import Any, Protocol

from celery_rpc.errors import (
    CallCancelled,
    NoSuchTask,
    WorkerLost,
    remote_error_class,
)
from celery_rpc.pending import FINAL, Outcome, Update
from celery_rpc.transport.received import Malformed, read_json


class Registry(Protocol):
    """Gives the class that was registered, or declared, under a dotted name; a dict will do."""

    def get(self, name: str, /) -> type[Exception] | None: ...


def parse_meta(body: bytes) -> dict[str, Any]:
    """Read a reply's body.

    Raises:
        Malformed: it is no JSON object of a task's state.
    """
    meta = read_json(body)
    if not isinstance(meta, dict):
        raise Malformed(f"a {type(meta).__name__} in place of an object")
    if not isinstance(meta.get("task_id"), str) or not isinstance(meta.get("status"), str):
        raise Malformed("task_id and status must be there, and be text")
    return meta


def to_outcome(
    meta: dict[str, Any], task: str, registry: Registry, worker: str | None = None
) -> Outcome | Update:
    """Read a task's state."""
    status, result = meta["status"], meta.get("result")
    if status not in FINAL:
        return Update(status, result)
    children = meta.get("children")
    traceback = meta.get("traceback")
    if not isinstance(traceback, str):
        traceback = None
    error = None
    if status != "SUCCESS":
        error = to_error(status, result, meta, task, registry, traceback, worker)
        result = None
    return Outcome(status, result, error, traceback, children, meta)


def to_error(
    status: str,
    result: Any,
    meta: dict[str, Any],
    task: str,
    registry: Registry,
    traceback: str | None,
    worker: str | None,
) -> Exception:
    """Give the exception that a failed task's reply stands for."""
    failure: dict[str, Any] = result if isinstance(result, dict) else {"exc_message": result}
    name = str(failure.get("exc_type") or "Exception")
    module = str(failure.get("exc_module") or "")
    args = to_args(failure.get("exc_message"))
    message = to_text(args)
    task_id: str = meta["task_id"]
    ours = module.startswith(("celery.", "billiard."))
    if status == "REVOKED" or (ours and name == "TaskRevokedError"):
        return CallCancelled(
            f"{task or 'the task'} was revoked before it gave a result ({message or 'revoked'})",
            task_id=task_id,
        )
    if ours and name == "WorkerLostError":
        return WorkerLost(f"{task or 'the task'}: {message}", task_id=task_id)
    if ours and name == "NotRegistered":
        return NoSuchTask(
            f"the worker that took the call does not know the task {task or message}",
            task=task or message,
            task_id=task_id,
        )
    dotted = name if module in ("", "builtins") else f"{module}.{name}"
    cls = remote_error_class(known_class(module, name, dotted, registry))
    error = cls(
        message,
        type=dotted,
        remote_traceback=traceback,
        task_id=task_id,
        worker=worker,
    )
    error.args = args
    where = f" on {worker}" if worker else ""
    if traceback:
        error.add_note(
            f"Remote traceback of {task or 'task'} ({task_id}){where}:\n{traceback.rstrip()}"
        )
    return error


def worker_of(meta: dict[str, Any], last: Update | None) -> str | None:
    """Give the node that ran a task: its reply names it, or what it said when it started."""
    name = meta.get("worker")
    if name is None and last is not None and isinstance(last.meta, dict):
        name = last.meta.get("hostname") if last.state == "STARTED" else None
    return name if isinstance(name, str) else None


def has_expired(meta: dict[str, Any]) -> bool:
    """Tell whether a worker dropped a revoked task because its message had expired."""
    result = meta.get("result")
    # celery/worker/request.py, Request.revoked
    return isinstance(result, dict) and to_args(result.get("exc_message")) == ("expired",)


def known_class(module: str, name: str, dotted: str, registry: Registry) -> type[Exception] | None:
    """Give the builtin or registered class of that name, which must be an Exception."""
    found = registry.get(dotted)
    if found is not None:
        return found
    if module == "builtins":
        found = vars(builtins).get(name)
        if isinstance(found, type) and issubclass(found, Exception):
            return found if found not in UNRAISABLE else None
        return None
    return registry.get(name)


#: Raised inside a generator or coroutine they would mean something else.
UNRAISABLE = (StopIteration, StopAsyncIteration)


def to_args(message: Any) -> tuple[Any, ...]:
    """Give the arguments of a remote exception, which may be anything JSON."""
    if isinstance(message, list | tuple):
        return tuple(message)
    return () if message is None else (message,)


def to_text(args: tuple[Any, ...]) -> str:
    """Give what str() of the remote exception would have given, as far as its arguments tell."""
    if len(args) == 1:
        return args[0] if isinstance(args[0], str) else _plain(args[0])
    return _plain(list(args)) if args else ""


def _plain(value: Any) -> str:
    try:
        return json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        return repr(value)
