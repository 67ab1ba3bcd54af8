"""Reply messages, read: bytes from whoever could write to the reply queue -> Outcome or Update.

Pure, and total: whatever the bytes, the answer is a value or Malformed; nothing is looked up among
imported modules, and no class is made from a name (CVE-2021-23727 was that).
"""

import builtins
from typing import Any, Protocol

from celery_rpc.calls.pending import FINAL, Outcome, Update
from celery_rpc.errors import (
    CallCancelled,
    NoSuchTask,
    RemoteError,
    WorkerLost,
    remote_error_class,
)
from celery_rpc.transport.failure import Failure, read_failure, to_args
from celery_rpc.transport.received import Malformed, read_json
from celery_rpc.transport.tracebacks import REMOTE_NOTE


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
    if status == "SUCCESS":
        traceback = meta.get("traceback")
        kept = traceback if isinstance(traceback, str) else None
        return Outcome(status, result, None, kept, children, meta)
    failure = read_failure(result, meta.get("traceback"))
    error = to_error(failure, meta, task, registry, worker)
    return Outcome(status, None, error, failure.traceback, children, meta)


def to_error(
    failure: Failure, meta: dict[str, Any], task: str, registry: Registry, worker: str | None
) -> Exception:
    """Return the exception that a failed task's reply stands for."""
    task_id: str = meta["task_id"]
    if meta["status"] == "REVOKED":
        return CallCancelled(
            f"{task or 'the task'} was revoked before it gave a result "
            f"({failure.text or 'revoked'})",
            task_id=task_id,
        )
    if failure.is_lost_worker:
        return WorkerLost(f"{task or 'the task'}: {failure.text}", task_id=task_id)
    if failure.is_refusal_of(task):
        return NoSuchTask(
            f"the worker that took the call does not know the task {task or failure.text}",
            task=task or failure.text,
            task_id=task_id,
        )
    return remote_error(failure, task_id, task, registry, worker)


def remote_error(
    failure: Failure, task_id: str, task: str, registry: Registry, worker: str | None
) -> RemoteError:
    """Return a task's exception, as an instance of the class of that name if one is known."""
    error = remote_error_class(known_class(failure, registry))(
        failure.text,
        type=failure.type,
        remote_traceback=failure.traceback,
        task_id=task_id,
        worker=worker,
    )
    error.args = failure.args
    where = f" on {worker}" if worker else ""
    if failure.traceback:
        stack = failure.traceback.rstrip()
        error.add_note(f"{REMOTE_NOTE}{task or 'task'} ({task_id}){where}:\n{stack}")
    return error


def worker_of(meta: dict[str, Any], last: Update | None) -> str | None:
    """Return the node that ran a task: its reply names it, or what it said when it started."""
    name = meta.get("worker")
    if name is None and last is not None and isinstance(last.meta, dict):
        name = last.meta.get("hostname") if last.state == "STARTED" else None
    return name if isinstance(name, str) else None


def has_expired(meta: dict[str, Any]) -> bool:
    """Return whether a worker dropped a revoked task because its message had expired."""
    result = meta.get("result")
    # celery/worker/request.py, Request.revoked
    return isinstance(result, dict) and to_args(result.get("exc_message")) == ("expired",)


def known_class(failure: Failure, registry: Registry) -> type[Exception] | None:
    """Return the builtin or registered class of that name, which must be an Exception."""
    found = registry.get(failure.type)
    if found is not None:
        return found
    if failure.module == "builtins":
        found = vars(builtins).get(failure.name)
        if isinstance(found, type) and issubclass(found, Exception):
            return found if found not in UNRAISABLE else None
        return None
    return registry.get(failure.name)


#: Raised inside a generator or coroutine they would mean something else.
UNRAISABLE = (StopIteration, StopAsyncIteration)
