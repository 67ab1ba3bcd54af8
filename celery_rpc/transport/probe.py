"""Probe: who has a call that takes long; asked right before its deadline, for the error's text."""

from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any
from uuid import uuid4

from celery_rpc.deadline import Deadline
from celery_rpc.errors import RpcError
from celery_rpc.transport.base import CallTransport
from celery_rpc.transport.control import Command

#: Seconds before the deadline at which workers are asked, and the shortest call that is worth it.
BEFORE, WORTH = 1.0, 3.0

#: What celery/worker/control.py says of a task, as a sentence's end.
STATES = {"active": "is running it", "reserved": "has it, and has not started it",
          "ready": "has just ended it"}  # fmt: skip


class Probe:
    """A question to the workers of a service; it never waits for the answers."""

    def __init__(self, task_id: str, task: str, nodes: Collection[str]) -> None:
        self.task_id, self.task = task_id, task
        self.nodes = frozenset(nodes)
        self.answers: dict[str, Any] = {}
        self.sent = False
        self._commands: Mapping[str, Command] = {
            uuid4().hex: Command("query_task", {"ids": [task_id]}, destination=sorted(nodes))
        }

    def ask(self, transport: CallTransport, deadline: Deadline) -> None:
        """Send the question; whatever goes wrong is no worse than no answer."""
        with suppress(RpcError):
            transport.broadcast(self._commands, self._answer, deadline)
            self.sent = True

    def end(self, transport: CallTransport) -> None:
        """Take no more answers."""
        transport.unexpect(self._commands)

    def _answer(self, ticket: str, body: Any) -> None:
        if isinstance(body, dict):
            self.answers |= {node: body[node] for node in self.nodes & body.keys()}

    @property
    def finding(self) -> str:
        """What is known now, as a sentence; empty where the workers could not be asked."""
        if not self.sent or not self.nodes:
            return ""
        answers = self.answers.copy()  # more may come meanwhile
        for node, tasks in answers.items():
            found = tasks.get(self.task_id) if isinstance(tasks, dict) else None
            if isinstance(found, list | tuple) and found:
                known = f"{node} {STATES.get(str(found[0]), 'knows it')}"
                return self._replaced(found[-1]) + known
        silent = sorted(self.nodes - answers.keys())
        if silent:
            return f"{', '.join(silent[:5])} did not answer when asked: dead, frozen or cut off"
        return (
            "no worker that answers has it: it waits in the queue, a worker lost it, or it "
            "replaced itself or ignored its result"
        )

    def _replaced(self, info: Any) -> str:
        """Say by which task the call's own was replaced, if it was: that one has the call's id."""
        name = info.get("name") if isinstance(info, dict) else None
        if not isinstance(name, str) or name == self.task:
            return ""
        return f"it replaced itself by {name[:200]}: "
