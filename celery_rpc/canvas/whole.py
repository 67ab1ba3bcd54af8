"""Whole: a graph that the workers carry through by themselves, from one message to the next."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from celery_rpc.calls.call import Call
from celery_rpc.calls.pending import Pending
from celery_rpc.calls.relay import relay
from celery_rpc.canvas.client import LaunchClient
from celery_rpc.canvas.endings import waits_for
from celery_rpc.canvas.errbacks import stamp
from celery_rpc.canvas.graph import Graph
from celery_rpc.canvas.nodes import Join, Node, Passing, Step
from celery_rpc.canvas.results import result_of
from celery_rpc.support.deadline import Deadline

#: At most so many steps go to the workers by one message, which carries all but the first.
LONGEST_LINE = 16


@dataclass(frozen=True, slots=True)
class Line:
    """Steps one after the other, and the lines that begin where they end."""

    steps: Sequence[Step]
    fork: Sequence["Line"] = ()

    def __iter__(self) -> Iterator[Step]:
        """Yield the steps, and those of the fork."""
        yield from self.steps
        for line in self.fork:
            yield from line


def lines_of(graph: Graph, most: int) -> list[Line] | None:
    """Return the lines of a graph in which nobody need wait for several steps; None: it is none.

    Args:
        most: steps that may wait for a reply at once.
    """
    steps = [step for step in graph.steps if not step.aside]
    if len(graph.steps) > most or not all(is_plain(node) for node in graph.nodes):
        return None
    followers: dict[int, list[Step]] = {step.index: [] for step in steps}
    for step in steps:
        for before in step.after:
            followers[before.index].append(step)
    lines: list[Line] = []
    for first in steps:
        if not first.after:
            line = line_from(first, followers, LONGEST_LINE)
            if line is None:
                return None
            lines.append(line)
    return lines


def is_plain(node: Node) -> bool:
    """Whether a node needs no client: a task that follows one at most, or a list nobody takes."""
    if isinstance(node, Join):
        return not node.aside
    if not isinstance(node, Step) or node.passing is Passing.NAMED or len(node.after) > 1:
        return False
    if node.timeout or node.retry or any(node.guards):
        return False
    return all(isinstance(before, Step) and not before.aside for before in node.after)


def line_from(first: Step, followers: Mapping[int, Sequence[Step]], room: int) -> Line | None:
    """Return the line that begins with a step; None if it has more steps than there is room."""
    steps = [first]
    while len(following := followers[steps[-1].index]) == 1:
        steps.extend(following)
        if len(steps) > room:
            return None
    fork: list[Line] = []
    left = room - len(steps)
    for each in following:
        line = line_from(each, followers, left)
        if line is None:
            return None
        left -= len([*line])
        fork.append(line)
    return None if left < 0 else Line(steps, fork)


def sent_whole(
    graph: Graph, client: LaunchClient, deadline: Deadline, *, blocking: bool = True
) -> "Whole | None":
    """Send what needs nobody between its steps; None when that cannot be.

    Args:
        blocking: wait until the broker has it; else a refusal comes by the replies.
    """
    lines = lines_of(graph, client.max_in_flight)
    if lines is None:
        return None
    whole = Whole(graph, client)
    whole.send(lines, deadline, blocking=blocking)
    return whole


class Whole:
    """A graph that the workers carry through by themselves."""

    def __init__(self, graph: Graph, client: LaunchClient) -> None:
        self.graph = graph
        self.client = client
        stamp(graph, client.reply_to)
        self._pending: dict[int, Pending] = {}
        self._ids = [node.id or client.new_id() for node in graph.nodes]

    def send(self, lines: Sequence[Line], deadline: Deadline, *, blocking: bool) -> None:
        """Send the first step of each line; what follows is expected before."""
        for step in self.graph.steps:
            self._pending[step.index] = self._expected(step)
        for line in lines:
            self._tie(line)
        calls = [self._call(line, deadline) for line in lines]
        if blocking:
            self.client.send_calls(calls)
            return
        for call in calls:
            self.client.send_step(call, None)

    def _expected(self, step: Step) -> Pending:
        pending: Pending = self.client.reply(self.id_of(step)).pending
        pending.decode = self.client.decoder(step.address, step.task)
        return pending

    def _tie(self, line: Line, before: Sequence[tuple[str, Pending]] = ()) -> None:
        """Let a failure be that of all that follows, and let that say what it waits for."""
        steps = [*line]
        known = [*before]
        for place, step in enumerate(line.steps, 1):
            pending = self._pending[step.index]
            if known:
                pending.explain = partial(unanswered, [*known])
            known.append((step.label, pending))
            if rest := [self._pending[each.index] for each in steps[place:]]:
                pending.on_done(partial(fail_with, pending, rest))
        for branch in line.fork:
            self._tie(branch, known)

    def _call(self, line: Line, deadline: Deadline) -> Call:
        step = line.steps[0]
        links = [self._message(each) for each in step.callbacks]
        chain = self._after(line)[::-1]  # a worker takes the last item first
        options = step.options
        if links or chain:
            options = replace(options, link=links or None, chain=chain or None)
        return Call(
            id=self.id_of(step), task=step.task, address=step.address, args=step.args,
            kwargs=step.kwargs, options=options, expires_in=deadline.remaining(),
            decode=self.client.decoder(step.address, step.task),
            lineage=step.lineage(self.id_of, None, None),
        )  # fmt: skip

    def _after(self, line: Line) -> list[dict[str, Any]]:
        """Return what follows the first step of a line, as signatures for its worker."""
        rest = [each for step in line.steps[1:] for each in self._messages(step)]
        if line.fork:
            rest.append(canvas("group", [self._branch(each) for each in line.fork]))
        return rest

    def _branch(self, line: Line) -> dict[str, Any]:
        first, *rest = [*self._messages(line.steps[0]), *self._after(line)]
        return canvas("chain", [first, *rest]) if rest else first

    def _messages(self, step: Step) -> Iterator[dict[str, Any]]:
        yield self._message(step)
        if step.options.replaces:
            yield relay(self.id_of(step), step.address, self.client.reply_to)

    def _message(self, step: Any) -> dict[str, Any]:
        """Return a step as the signature that a worker sends on: it knows root and parent."""
        lineage = asdict(step.lineage(self.id_of, None, None))
        options = {
            **{name: value for name, value in lineage.items() if value is not None},
            **step.options.as_celery(),
            **step.address.options,
            "task_id": self.id_of(step),
            "reply_to": self.client.reply_to,
        }
        links = [self._message(each) for each in step.callbacks]
        if links:
            options["link"] = links
        immutable = step.passing is Passing.NOTHING
        return signature(step.task, step.args, step.kwargs, options, immutable=immutable)

    def id_of(self, node: Node) -> str:
        return self._ids[node.index]

    def result(self, node: Node) -> Any:
        return result_of(self, node)

    def pending(self, node: Node) -> Pending:
        return self._pending[node.index]


def unanswered(before: Sequence[tuple[str, Pending]]) -> str:
    """Return which of the steps before one have not answered."""
    return waits_for([label for label, pending in before if not pending.done])


def fail_with(failed: Pending, rest: Sequence[Pending]) -> None:
    """End what a failed step would have come to with its error, which names it."""
    outcome = failed.outcome
    if outcome is not None and outcome.stops_chain:
        for each in rest:
            each.resolve(outcome)


def canvas(kind: str, parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a chain or a group in JSON."""
    return signature(f"celery.{kind}", (), {"tasks": parts}, {}, kind=kind)


def signature(
    task: str,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    options: Mapping[str, Any],
    *,
    kind: str | None = None,
    immutable: bool = False,
) -> dict[str, Any]:
    """Return a signature in JSON."""
    return {
        "task": task,
        "args": list(args),
        "kwargs": dict(kwargs),
        "options": dict(options),
        "subtask_type": kind,
        "immutable": immutable,
    }
