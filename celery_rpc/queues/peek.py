"""Waiting: the messages that wait in a queue, read and left where they are."""

import json
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from celery_rpc.catalog.address import Address
from celery_rpc.support.deadline import Deadline
from celery_rpc.transport.amqp.link import AmqpLink
from celery_rpc.transport.link import Link
from celery_rpc.transport.received import Malformed, read_json
from celery_rpc.transport.redis.link import RedisLink

#: Messages that Redis is asked for at once, and bytes after which no more are read.
CHUNK, MAX_BYTES = 50, 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Message:
    """A call that waits in a queue."""

    task: str = ""
    id: str = ""
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    #: Why it could not be read, if so.
    problem: str = ""


def waiting(link: Link, queue: str, limit: int, deadline: Deadline) -> list[Message] | None:
    """Return messages that wait in a queue, the oldest first; None: this broker does not show them.

    On Redis nothing changes. On RabbitMQ they are taken and given back, in their places; from then
    on the broker marks them as redelivered.

    Args:
        limit: how many are read at most.
    """
    if isinstance(link, RedisLink):
        return [to_message(*opened(raw)) for raw in in_redis(link, queue, limit, deadline)]
    if isinstance(link, AmqpLink):
        if link.depth(Address(queue), deadline) is None:
            return []
        return link.run(lambda channel: in_rabbitmq(channel, queue, limit), deadline)
    return None


def in_redis(link: RedisLink, queue: str, limit: int, deadline: Deadline) -> Iterator[bytes]:
    """Read a queue's lists, one for each priority, from their ends: there the oldest are."""
    size = 0
    for key in link.keys_of(queue):
        last = -1
        while limit > 0 and size < MAX_BYTES:
            first = last - min(CHUNK, limit) + 1
            found = link.command("LRANGE", key, first, last, deadline=deadline)
            yield from reversed(found)
            size += sum(map(len, found))
            limit -= len(found)
            last = first - 1
            if len(found) < CHUNK:
                break


def in_rabbitmq(channel: Any, queue: str, limit: int) -> list[Message]:
    """Receive messages, and acknowledge none: they go back when the channel is closed."""
    found: list[Message] = []
    size = 0
    while len(found) < limit and size < MAX_BYTES:
        taken = channel.basic_get(queue, no_ack=False)
        if taken is None:
            break
        size += len(taken.body)
        properties = {"content-type": taken.properties.get("content_type")}
        found.append(to_message(taken.body, taken.headers or {}, properties))
    return found


def opened(raw: bytes) -> tuple[Any, Any, Any]:
    """Open the envelope in which kombu keeps a message on Redis."""
    try:
        envelope = json.loads(raw)
        body, properties = envelope["body"], envelope.get("properties") or {}
        if properties.get("body_encoding") == "base64":
            body = b64decode(body)
    except Exception:  # whoever publishes chooses what stands there
        return b"", {}, {}
    return body, envelope.get("headers"), envelope


def to_message(body: Any, headers: Any, properties: Any) -> Message:
    """Read a message of Celery's protocol 2 or 1; whatever it is, nothing is raised."""
    headers = headers if isinstance(headers, Mapping) else {}
    task, task_id = str(headers.get("task", "")), str(headers.get("id", ""))
    kind = properties.get("content-type")
    if kind != "application/json" or headers.get("compression"):
        how = headers.get("compression") or kind or "no kombu message"
        return Message(task, task_id, problem=f"it is not read: {str(how)[:80]}")
    try:
        read = read_json(body if isinstance(body, bytes) else str(body).encode())
    except (Malformed, ValueError) as error:
        return Message(task, task_id, problem=f"it is {error}"[:200])
    if isinstance(read, dict):
        task, task_id = str(read.get("task", task)), str(read.get("id", task_id))
        args, kwargs = read.get("args") or [], read.get("kwargs") or {}
    elif isinstance(read, list) and len(read) == 3:
        args, kwargs = read[:2]
    else:
        args = kwargs = None
    if not (isinstance(args, list) and isinstance(kwargs, dict)):
        return Message(task, task_id, problem="it is no call of a task")
    return Message(task, task_id, args, kwargs)
