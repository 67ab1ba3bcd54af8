"""Queued: the messages that wait now, held against the signatures that are to come."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from celery_rpc.catalog.model import BUILTIN_PREFIX, Catalog
from celery_rpc.cli.connection import Session
from celery_rpc.cli.failure import say
from celery_rpc.diff.rules import MESSAGES, Change
from celery_rpc.errors import ArgumentsError, PermissionRefused
from celery_rpc.queues.peek import Message, waiting
from celery_rpc.support.deadline import Deadline
from celery_rpc.validation.arguments import Binding

#: Messages of a queue that are read, and seconds that this may take.
LIMIT, SECONDS = 1_000, 10.0

RULE = "MESSAGE_REFUSED"

#: Types of queues (RabbitMQ's ``x-queue-type``) that are left alone, and why.
LEFT_ALONE: Mapping[str, str] = {
    "quorum": "a quorum queue counts each look as a delivery, of which it may allow only so many",
    "stream": "what is in a stream does not wait for a worker",
}


def refused(
    session: Session, queues: Iterable[str], old: Catalog, new: Catalog
) -> Iterator[Change]:
    """Read what waits in queues, and name what the new signatures cannot accept."""
    for queue in sorted(set(queues)):
        bindings: dict[str, Binding | None] = {}
        for message in read(session, queue, {type_of(old, queue), type_of(new, queue)}):
            reason = misfit(message, queue, new, bindings)
            if reason:
                where = f"message {message.id or '(no id)'}"
                yield Change(RULE, queue, message.task, where, reason, MESSAGES)


def read(session: Session, queue: str, types: Iterable[str]) -> Sequence[Message]:
    """Read what waits in a queue; where that cannot be, say so, and go on."""
    for each in LEFT_ALONE.keys() & types:
        return unseen(queue, LEFT_ALONE[each])
    link = session.transport.link(Deadline.after(session.client.options.connect_timeout))
    try:
        found = waiting(link, queue, LIMIT, Deadline.after(SECONDS))
    except PermissionRefused as error:
        return unseen(queue, str(error))
    if found is None:
        return unseen(queue, f"{session.broker} does not show the messages that wait")
    if len(found) >= LIMIT:
        say(f"only {LIMIT:,} messages of queue {queue} were read", kind="note")
    return found


def type_of(catalog: Catalog, queue: str) -> str:
    """Return the type of a queue, as far as it is known."""
    service = catalog.services.get(queue)
    return str((service.arguments or {}).get("x-queue-type", "")) if service else ""


def unseen(queue: str, reason: str) -> Sequence[Message]:
    say(f"queue {queue} was not looked into: {reason}", kind="note")
    return ()


def misfit(
    message: Message, queue: str, new: Catalog, bindings: dict[str, Binding | None]
) -> str | None:
    """Return why a message cannot be accepted; None where it can, as far as is known."""
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
