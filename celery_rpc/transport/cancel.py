"""Cancel: revoke a call, and find out what became of it."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any
from uuid import uuid4

from celery_rpc.calls.pending import Pending
from celery_rpc.calls.reply import Cancellation
from celery_rpc.errors import CallCancelled, ConfigurationError, RpcError
from celery_rpc.support.bell import Bell
from celery_rpc.support.deadline import Deadline
from celery_rpc.transport.control import Command
from celery_rpc.transport.link import CallTransport

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


def revoke_stamped(
    transport: CallTransport,
    stamps: Mapping[str, Any],
    *,
    terminate: bool,
    signal: str,
    destination: Sequence[str] | None = None,
    window: float = 0.0,
) -> list[Any]:
    """Ask workers to drop all calls that have one of these stamps; return their answers.

    Args:
        stamps: what each is called, and its value or several.
        terminate, signal: as of revoke().
        destination: the names of the workers that are asked; None: all of them.
        window: seconds in which they may answer; 0: no answer is wanted.

    Raises:
        ConfigurationError: these are no stamps.
        Unavailable: the broker could not be asked.
    """
    arguments = {"headers": listed_stamps(stamps), "terminate": terminate, "signal": signal}
    ticket, inbox, answers = uuid4().hex, SimpleQueue[Any](), list[Any]()
    command = Command("revoke_by_stamped_headers", arguments, destination, silent=not window)
    commands, deadline = {ticket: command}, Deadline.after(window)
    try:
        counted = transport.broadcast(
            commands, lambda _, body: inbox.put(body), Deadline.after(max(window, 1.0))
        )
        wanted = counted if destination is None else len(destination)
        while window and (wanted is None or len(answers) < wanted):
            answers.append(inbox.get(timeout=deadline.remaining()))
    except Empty:
        pass  # the window is over
    finally:
        transport.unexpect(commands)
    return answers


def listed_stamps(stamps: Any) -> dict[str, list[str | int | float]]:
    """Return stamps with a list of values each, as workers compare them.

    Raises:
        ConfigurationError: these are no stamps.
    """
    if isinstance(stamps, Mapping) and stamps and all(isinstance(name, str) for name in stamps):
        listed = {
            name: list(value) if isinstance(value, list | tuple | set | frozenset) else [value]
            for name, value in stamps.items()
        }
        if all(isinstance(each, str | int | float) for value in listed.values() for each in value):
            return listed
    raise ConfigurationError(
        "headers must be a dict of stamps, each with a text or a number, or a list of them; not "
        f"{stamps!r:.200}"
    )


def _settled(answers: dict[str, list[Any]], expected: int | None, pending: Pending) -> bool:
    if pending.done:
        return True
    return expected is not None and all(len(each) >= expected for each in answers.values())


def _running(answers: list[Any], task_id: str) -> str | None:
    """Return the state in which some worker has the task: active, reserved, or None."""
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
