"""Queued: the messages that wait now, held against the signatures that are to come."""

from collections.abc import Iterable, Iterator

from celery_rpc.binding import Binding
from celery_rpc.cli.connection import Session
from celery_rpc.cli.failure import say
from celery_rpc.deadline import Deadline
from celery_rpc.discovery.rules import MESSAGES, Change
from celery_rpc.errors import ArgumentsError
from celery_rpc.model import BUILTIN_PREFIX, Catalog
from celery_rpc.transport.waiting import Message, waiting

#: Messages of a queue that are read, and seconds that this may take.
LIMIT, SECONDS = 1_000, 10.0

RULE = "MESSAGE_REFUSED"


def refused(session: Session, queues: Iterable[str], new: Catalog) -> Iterator[Change]:
    """Read what waits in queues, and name what the new signatures cannot accept."""
    deadline = Deadline.after(session.client.options.connect_timeout)
    link = session.transport.link(deadline)
    for queue in sorted(set(queues)):
        found = waiting(link, queue, LIMIT, Deadline.after(SECONDS))
        if found is None:
            say(f"{session.broker} does not show the messages that wait", kind="note")
            return
        if len(found) >= LIMIT:
            say(f"only {LIMIT:,} messages of queue {queue} were read", kind="note")
        bindings: dict[str, Binding | None] = {}
        for message in found:
            reason = misfit(message, queue, new, bindings)
            if reason:
                where = f"message {message.id or '(no id)'}"
                yield Change(RULE, queue, message.task, where, reason, MESSAGES)


def misfit(
    message: Message, queue: str, new: Catalog, bindings: dict[str, Binding | None]
) -> str | None:
    """Say why a message cannot be accepted; None where it can, as far as is known."""
    if message.problem or message.task.startswith(BUILTIN_PREFIX):
        return message.problem or None
    spec = new.find(queue, message.task)
    if spec is None:
        return "the task is not there any more"
    if message.task not in bindings:
        signature = spec.signature
        told = signature is not None and signature.exact
        bindings[spec.name] = Binding(spec.name, signature) if signature and told else None
    binding = bindings[message.task]
    try:
        if binding is not None:
            binding.bind(message.args, message.kwargs)
    except ArgumentsError as error:
        return str(error)
    return None
