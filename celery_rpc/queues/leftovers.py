"""Leftovers: what nobody reads any more on a Redis broker."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from celery_rpc.catalog.address import REPLIES
from celery_rpc.support.deadline import Deadline
from celery_rpc.transport.redis.link import RedisLink

#: Celery's own mailboxes for answers to remote control. They are read at once, so one that nobody
#: has touched for so many seconds was left behind.
PIDBOX = ".reply.celery.pidbox"
IDLE = 60

PARTS = (".alive", ".taken")

#: Keys that one SCAN looks at, and seconds after which the search ends.
STEP = 1000
SEARCH = 10.0


@dataclass(frozen=True, slots=True)
class Leftovers:
    """Keys that can be deleted."""

    #: Reply queues of clients of ours that ended without a word, and that have no end set.
    replies: tuple[str, ...] = ()
    #: Mailboxes of Celery's own clients.
    mailboxes: tuple[str, ...] = ()
    #: False when the search was not finished.
    complete: bool = True

    @property
    def keys(self) -> tuple[str, ...]:
        return (*self.replies, *self.mailboxes)


def find_leftovers(link: RedisLink) -> Leftovers:
    """Look for what was left behind; reads only."""
    deadline = Deadline.after(SEARCH)
    ours = set(scan(link, f"{REPLIES}*", deadline))
    replies = {key.removesuffix(".taken") for key in ours if not key.endswith(".alive")}
    dead = [
        part
        for key in sorted(replies)
        if f"{key}.alive" not in ours and not is_alive(link, key)
        for part in (key, f"{key}.taken")
        if part in ours and run(link, "TTL", part) == -1
    ]
    mailboxes = [key for key in scan(link, f"*{PIDBOX}", deadline) if is_forgotten(link, key)]
    return Leftovers(tuple(dead), tuple(sorted(mailboxes)), complete=not deadline.passed)


def scan(link: RedisLink, pattern: str, deadline: Deadline) -> Iterator[str]:
    """Yield the keys that fit a pattern, each once, without the prefix of all keys."""
    cursor: Any = b"0"
    seen: set[str] = set()
    while not deadline.passed:
        words = ("SCAN", cursor, "MATCH", escape(link.prefix) + pattern, "COUNT", STEP)
        cursor, keys = link.command(*words, deadline=Deadline.after(SEARCH))
        for key in keys:
            name = key.decode(errors="surrogateescape").removeprefix(link.prefix)
            if name not in seen:
                seen.add(name)
                yield name
        if cursor == b"0":
            return


def escape(text: str) -> str:
    """Return a text as a pattern that only this text fits."""
    return "".join(f"\\{each}" if each in "*?[]^\\" else each for each in text)


def is_alive(link: RedisLink, reply_queue: str) -> bool:
    """Return whether a client keeps its reply queue; asked last, as it may have just begun to."""
    return bool(run(link, "EXISTS", f"{reply_queue}.alive"))


def is_forgotten(link: RedisLink, key: str) -> bool:
    """Return whether a list has no end set and nobody has touched it for a while."""
    if run(link, "TYPE", key) != b"list" or run(link, "TTL", key) != -1:
        return False
    idle = run(link, "OBJECT", "IDLETIME", key, at=2)
    return isinstance(idle, int) and idle >= IDLE


def clean(link: RedisLink, found: Leftovers) -> int:
    """Delete what was found, but for what is in use again; give the number of keys."""
    keys = [
        *(key for key in found.replies if not is_alive(link, key.removesuffix(".taken"))),
        *(key for key in found.mailboxes if is_forgotten(link, key)),
    ]
    return sum(int(run(link, "DEL", key)) for key in keys)


def bound_queues(link: RedisLink) -> set[str]:
    """Return the queues that kombu has bound to an exchange on this database."""
    separator = b"\x06\x16"  # kombu.transport.redis.Channel.sep
    found: set[str] = set()
    for binding in scan(link, "_kombu.binding.*", Deadline.after(SEARCH)):
        if run(link, "TYPE", binding) == b"set":
            members = run(link, "SMEMBERS", binding)
            found |= {each.rpartition(separator)[2].decode(errors="replace") for each in members}
    return {queue for queue in found if queue and not queue.endswith("celery.pidbox")}


def run(link: RedisLink, *words: Any, at: int = 1) -> Any:
    """Run a command whose word ``at`` is a key, to be completed by the prefix of all keys."""
    command = [*words]
    command[at] = f"{link.prefix}{command[at]}".encode(errors="surrogateescape")
    return link.command(*command, deadline=Deadline.after(SEARCH))
