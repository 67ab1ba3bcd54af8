"""Cancel: revoke a call, and find out what became of it."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from uuid import uuid4

from celery_rpc.bell import Bell
from celery_rpc.deadline import Deadline
from celery_rpc.errors import CallCancelled, RpcError
from celery_rpc.pending import Pending
from celery_rpc.reply import Cancellation
from celery_rpc.transport.base import CallTransport
from celery_rpc.transport.control import Command

#: Seconds that a revoke without answer may take.
HURRY = 0.3


def cancel(
    transport: CallTransport, pending: Pending, terminate: bool, signal: str, timeout: float
) -> Cancellation:
    """Revoke a call at every worker, and say what was found."""
    if pending.done:
        return Cancellation.FINISHED
    revoke, query = uuid4().hex, uuid4().hex
    commands = {
        revoke: Command(
            "revoke", {"task_id": [pending.id], "terminate": terminate, "signal": signal}
        ),
        query: Command("query_task", {"ids": [pending.id]}),
    }
    answers: dict[str, list[Any]] = {revoke: [], query: []}
    bell = Bell()
    counted: list[int | None] = []

    def answer(ticket: str, body: Any) -> None:
        answers[ticket].append(body)
        bell.ring()

    deadline = Deadline.after(max(timeout, 0.0))
    try:
        counted.append(transport.broadcast(commands, answer, Deadline.after(max(timeout, 1.0))))
        pending.watch(bell.ring)
        bell.wait_for(lambda: _settled(answers, counted[0], pending), deadline)
        state = _running(answers[query], pending.id)
        if state == "active" and terminate:
            pending.wait(deadline)
    finally:
        pending.forget(bell.ring)
        transport.unexpect(commands)
    return _verdict(pending, answers, state)


def revoke(
    transport: CallTransport,
    task_ids: Sequence[str],
    *,
    terminate: bool,
    signal: str = "SIGTERM",
) -> None:
    """Ask every worker to drop calls, and wait for no answer; a broker that is gone is no error.

    Args:
        terminate: stop them where they run (pools of processes can).
        signal: what a running one is sent.
    """
    command = Command(
        "revoke",
        {"task_id": list(task_ids), "terminate": terminate, "signal": signal},
        silent=True,
    )
    commands = {uuid4().hex: command}
    with suppress(RpcError):
        transport.broadcast(commands, lambda ticket, body: None, Deadline.after(HURRY))
    transport.unexpect(commands)


def _settled(answers: dict[str, list[Any]], expected: int | None, pending: Pending) -> bool:
    if pending.done:
        return True
    return expected is not None and all(len(each) >= expected for each in answers.values())


def _running(answers: list[Any], task_id: str) -> str | None:
    """Give the state in which some worker has the task: active, reserved, or None."""
    states: list[str] = []
    for body in answers:
        if not isinstance(body, dict):
            continue
        for tasks in body.values():
            found = tasks.get(task_id) if isinstance(tasks, dict) else None
            if isinstance(found, list | tuple) and found:
                states.append(str(found[0]))
    if "active" in states:
        return "active"
    return states[0] if states else None


def _verdict(pending: Pending, answers: dict[str, list[Any]], state: str | None) -> Cancellation:
    if pending.outcome is not None:
        revoked = isinstance(pending.outcome.error, CallCancelled)
        return Cancellation.REVOKED if revoked else Cancellation.FINISHED
    if state == "active":
        return Cancellation.RUNNING
    if not any(isinstance(body, dict) for bodies in answers.values() for body in bodies):
        return Cancellation.UNANSWERED
    pending.fail(
        CallCancelled(f"{pending.task or 'the call'} was cancelled", task_id=pending.id), "REVOKED"
    )
    return Cancellation.FLAGGED
