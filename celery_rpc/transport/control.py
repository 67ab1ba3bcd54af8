"""Command: a remote control command to workers, and its message (kombu/pidbox.py)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Command:
    """One command, as celery/worker/control.py knows it."""

    method: str
    arguments: Mapping[str, Any] = field(default_factory=dict[str, Any])
    destination: Sequence[str] | None = None
    #: True: no answer is wanted.
    silent: bool = False


def control_message(ticket: str, command: Command, reply_queue: str) -> dict[str, Any]:
    """Return the body of a command; the answers go to the reply queue, with the ticket."""
    message: dict[str, Any] = {
        "method": command.method,
        "arguments": dict(command.arguments),
        "destination": command.destination,
        "pattern": None,
        "matcher": None,
        "ticket": ticket,
    }
    if not command.silent:
        message["reply_to"] = {"exchange": "", "routing_key": reply_queue}
    return message
