"""Probe: who has a call that takes long; asked right before its deadline, for the error's text."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import uuid4

from celery_rpc.errors import RpcError
from celery_rpc.support.deadline import Deadline, latest
from celery_rpc.support.fork import renew_after_fork
from celery_rpc.support.timers import Clock
from celery_rpc.transport.control import Command
from celery_rpc.transport.link import CallTransport

#: Seconds before the deadline at which workers are asked, and the shortest call that is worth it.
BEFORE, WORTH = 1.0, 3.0

#: Seconds for which calls are gathered that one question asks for, and how many it may ask for.
GATHERING, MANY = 0.05, 1_000

#: What celery/worker/control.py says of a task, as a sentence's end.
STATES = {"active": "is running it", "reserved": "has it, and has not started it",
          "scheduled": "has it, and waits until it is to start (a retry, countdown or eta)",
          "ready": "has just ended it"}  # fmt: skip

NOBODY = (
    "no worker that answers has it: it waits in the queue, a worker lost it, or it replaced itself "
    "or ignored its result"
)

#: The id of a task -> its state, and whatever else the worker tells of it.
Told = Mapping[str, tuple[str, Any]]


def queried(answer: Any) -> Iterator[tuple[str, str, Any]]:
    """Read a worker's answer to query_task."""
    for task_id, told in answer.items() if isinstance(answer, dict) else ():
        if isinstance(told, list | tuple) and told:
            yield task_id, str(told[0]), told[-1]


def scheduled(answer: Any) -> Iterator[tuple[str, str, Any]]:
    """Read a worker's answer to scheduled."""
    for entry in answer if isinstance(answer, list) else ():
        info = entry.get("request") if isinstance(entry, dict) else None
        if isinstance(info, dict) and isinstance(info.get("id"), str):
            yield info["id"], "scheduled", info


#: What is asked, and what reads the answers. query_task misses a task that is to be run again: the
#: end of one attempt makes the worker forget the next (celery/worker/state.py, task_ready).
READERS: Mapping[str, Callable[[Any], Iterator[tuple[str, str, Any]]]] = {
    "scheduled": scheduled,
    "query_task": queried,
}


@dataclass(eq=False, slots=True)
class Probe:
    """One call, and the workers that may have it."""

    task_id: str
    task: str
    nodes: frozenset[str]
    deadline: Deadline
    #: Whether a worker may have it that is not to start it yet.
    is_put_off: bool = False
    question: "Question | None" = None

    @property
    def finding(self) -> str:
        """What is known now, as a sentence; empty where the workers could not be asked."""
        question = self.question
        if question is None or not question.sent or not self.nodes:
            return ""
        methods = [name for name in READERS if self.is_put_off or name != "scheduled"]
        answers = [question.told_by(method) for method in methods]
        for each in answers:
            for node, told in each.items():
                if node in self.nodes and self.task_id in told:
                    state, info = told[self.task_id]
                    return f"{self._replaced(info)}{node} {STATES.get(state, 'knows it')}"
        silent = sorted(node for node in self.nodes if not all(node in each for each in answers))
        if silent:
            return f"{', '.join(silent[:5])} did not answer when asked: dead, frozen or cut off"
        return NOBODY

    def _replaced(self, info: Any) -> str:
        """Name the task that replaced the call's own, if one did: it has the call's id."""
        name = info.get("name") if isinstance(info, dict) else None
        if not isinstance(name, str) or name == self.task:
            return ""
        return f"it replaced itself by {name[:200]}: "


class Question:
    """One question to workers, for several calls."""

    def __init__(self, probes: Sequence[Probe]) -> None:
        self.sent = False
        self._ids = {probe.task_id for probe in probes}
        self._answers: dict[str, dict[str, Told]] = {name: {} for name in READERS}
        self.commands = {uuid4().hex: asked("query_task", probes, ids=sorted(self._ids))}
        if put_off := [probe for probe in probes if probe.is_put_off]:
            self.commands[uuid4().hex] = asked("scheduled", put_off)

    def hear(self, ticket: str, body: Any) -> None:
        """Note an answer; whatever it is, nothing is raised."""
        method = self.commands[ticket].method
        for node, answer in body.items() if isinstance(body, dict) else ():
            self._answers[method][node] = {
                task_id: (state, info)
                for task_id, state, info in READERS[method](answer)
                if task_id in self._ids
            }

    def told_by(self, method: str) -> dict[str, Told]:
        """Return what each worker has answered; more may come meanwhile."""
        return self._answers[method].copy()


def asked(method: str, probes: Sequence[Probe], **arguments: Any) -> Command:
    """Return a command to all the workers that may have one of these calls."""
    nodes = frozenset[str]().union(*(probe.nodes for probe in probes))
    return Command(method, arguments, destination=sorted(nodes))


class Probes:
    """Asks for calls in a thread of its own, for those that come together by one question."""

    def __init__(self, transport: CallTransport) -> None:
        self._transport = transport
        self._clock = Clock("probes")
        self._waiting: deque[Probe] = deque()
        renew_after_fork(self)

    def ask(self, probe: Probe) -> None:
        """Ask soon; whatever goes wrong is no worse than no answer."""
        self._waiting.append(probe)
        self._clock.after(GATHERING, self._ask)

    def _ask(self) -> None:
        probes: list[Probe] = []
        with suppress(IndexError):
            while len(probes) < MANY:
                probes.append(self._waiting.popleft())
        probes = [probe for probe in probes if not probe.deadline.passed]
        if not probes:
            return
        question = Question(probes)
        for probe in probes:
            probe.question = question
        deadline = latest(probe.deadline for probe in probes)
        # Later, in this thread: not before the question was sent.
        forget = partial(self._transport.unexpect, question.commands)
        self._clock.after(deadline.capped(BEFORE), forget)
        with suppress(RpcError):
            self._transport.broadcast(question.commands, question.hear, deadline)
            question.sent = True

    def close(self) -> None:
        """End the thread."""
        self._clock.close()

    def after_fork(self) -> None:
        """In a child process: leave the parent's calls to the parent."""
        self._waiting = deque()
