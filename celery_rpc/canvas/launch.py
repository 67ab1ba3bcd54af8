"""Launch: a graph is sent whole where the workers need no help, and run on the client otherwise."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any
from uuid import uuid4

from celery_rpc.call import Call
from celery_rpc.canvas.client import LaunchClient
from celery_rpc.canvas.errbacks import stamp
from celery_rpc.canvas.graph import Graph
from celery_rpc.canvas.nodes import Gate, Given, Node, Passing, Step
from celery_rpc.canvas.results import GroupReply, result_of
from celery_rpc.canvas.run import Run
from celery_rpc.deadline import NEVER, Deadline
from celery_rpc.errors import CanvasError
from celery_rpc.pending import Pending
from celery_rpc.unencodable import require_json

#: A chain of at most so many plain tasks goes to the workers whole; each message of a longer one
#: would carry all that is left of it.
LONGEST_LINE = 16


def launch(graph: Graph, client: LaunchClient, deadline: Deadline = NEVER) -> Any:
    """Send a canvas, and give its result: a reply, a group of replies, None where it is empty.

    Raises:
        CanvasError: a step cannot run; nothing was sent.
    """
    if graph.end is None:
        return None
    if not graph.steps:  # an empty list, for which no client need be known
        return GroupReply(str(uuid4()), list, client)
    check(graph, client)
    family = sent_whole(graph, client, deadline) or started(graph, client, deadline)
    return family.result(graph.end)


def started(graph: Graph, client: LaunchClient, deadline: Deadline, **how: Any) -> Run:
    """Run a graph on the client."""
    stamp(graph, client.reply_to)
    return Run(graph, client, ends=graph.ends, deadline=deadline, **how).start()


def check(graph: Graph, client: LaunchClient) -> None:
    """Refuse what could not run, before anything is sent.

    Raises:
        CanvasError: names the first step that cannot run, and why.
        ArgumentsError: names the parameter that does not fit, or is missing.
        EncodeError: names the argument that is no JSON.
    """
    graph.check()
    awaited = awaited_by(graph.steps)
    answers: dict[tuple[str, str, bool | None], bool] = {}
    known: dict[int, Any] = {}
    for step in graph.steps:
        if not step.address.queue:
            step.address = client.located(step)
        kind = step.address.queue, step.task, step.options.ignore_result
        if kind not in answers:
            answers[kind] = client.check_step(step)
        if not answers[kind]:
            if step.index in awaited:
                raise CanvasError(
                    f"{step.label} ignores its result, for which other steps wait: ask for it by "
                    ".set(ignore_result=False)"
                )
            step.options = replace(step.options, ignore_result=True)
        if step.passing is Passing.NOTHING:  # all of its arguments are there
            step.args, step.kwargs = client.bind_step(step)
        require_json(step.label, step.args, step.kwargs, known)


def awaited_by(steps: Iterable[Node]) -> set[int]:
    """Give the places of all that steps wait for: of a list also its members."""
    found: set[int] = set()
    waiting = [parent for step in steps for parent in step.after]
    while waiting:
        node = waiting.pop()
        if node.index not in found:
            found.add(node.index)
            if not isinstance(node, Step):
                waiting += node.after
    return found


def sent_whole(graph: Graph, client: LaunchClient, deadline: Deadline) -> "Whole | None":
    """Send what needs nobody between its steps; None when that cannot be."""
    plan = apart(graph, client.max_in_flight) or in_line(graph)
    if plan is None or any(step.timeout or step.retry or step.guards for step in graph.steps):
        return None
    whole = Whole(graph, client)
    whole.send(plan, deadline)
    return whole


#: The steps that are sent, each with those that its worker sends on.
Plan = Sequence[tuple[Step, Sequence[Step]]]


def apart(graph: Graph, most: int) -> Plan | None:
    """Give the steps of a graph in which none waits for another."""
    main = [step for step in graph.steps if not step.aside]
    if len(main) > most or any(step.after for step in main):
        return None
    return [(step, ()) for step in main] if callbacks_are_plain(graph) else None


def in_line(graph: Graph) -> Plan | None:
    """Give the steps of a graph that is a short chain of plain tasks."""
    main = [node for node in graph.nodes if not node.aside]
    for before, node in zip([None, *main], main, strict=False):
        follows = [before] if before else []
        if not isinstance(node, Step) or node.after != follows or node.passing is Passing.NAMED:
            return None
    if not 0 < len(main) <= LONGEST_LINE or not callbacks_are_plain(graph):
        return None
    first, *rest = [step for step in graph.steps if not step.aside]
    return [(first, rest)]


def callbacks_are_plain(graph: Graph) -> bool:
    """Tell whether every callback is one task, so that the worker can send it."""
    return all(
        isinstance(node, Step) and not any(parent.aside for parent in node.after)
        for node in graph.nodes
        if node.aside
    ) and not any(isinstance(node, Given | Gate) for node in graph.nodes)


class Whole:
    """A graph that the workers carry through by themselves."""

    def __init__(self, graph: Graph, client: LaunchClient) -> None:
        self.graph = graph
        self.client: Any = client
        stamp(graph, client.reply_to)
        self._pending: dict[int, Pending] = {}
        self._ids = [node.id or client.new_id() for node in graph.nodes]

    def send(self, plan: Plan, deadline: Deadline) -> None:
        """Send the first steps; what follows is expected before."""
        for first, rest in plan:
            line = [first, *rest]
            for node in (*line, *(each for step in line for each in step.callbacks)):
                self._pending[node.index] = self._expected(node)
            self._fail_together([self._pending[step.index] for step in line])
        self.client.send_calls([self._call(first, rest, deadline) for first, rest in plan])

    def _expected(self, node: Node) -> Pending:
        pending: Pending = self.client.reply(self.id_of(node)).pending
        if isinstance(node, Step):
            pending.decode = self.client.decoder(node.address, node.task)
        return pending

    def _fail_together(self, line: Sequence[Pending]) -> None:
        """Let the first failure be that of all that follows: it names the task that failed."""
        for place, pending in enumerate(line[:-1], 1):
            pending.on_done(partial(fail_with, pending, line[place:]))

    def _call(self, step: Step, rest: Sequence[Step], deadline: Deadline) -> Call:
        links = [self._message(each) for each in step.callbacks]
        # A worker takes the last item of a chain first.
        chain = [self._message(each) for each in reversed(rest)]
        options = step.options
        if links or chain:
            options = replace(options, link=links or None, chain=chain or None)
        lineage = step.lineage(self.id_of, None, None)
        return Call(
            id=self.id_of(step), task=step.task, address=step.address, args=step.args,
            kwargs=step.kwargs, options=options, expires_in=deadline.remaining(),
            decode=self.client.decoder(step.address, step.task), lineage=lineage,
        )  # fmt: skip

    def _message(self, step: Any) -> dict[str, Any]:
        """Give a step as the signature that a worker sends on, which knows its root and parent."""
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
        return message(step, options)

    def id_of(self, node: Node) -> str:
        return self._ids[node.index]

    def result(self, node: Node) -> Any:
        return result_of(self, node)

    def pending(self, node: Node) -> Pending:
        return self._pending[node.index]


def fail_with(failed: Pending, rest: Sequence[Pending]) -> None:
    """End what a failed step would have come to with its error, which names it."""
    outcome = failed.outcome
    if outcome is not None and outcome.stops_chain:
        for each in rest:
            each.resolve(outcome)


def message(step: Step, options: Mapping[str, Any]) -> dict[str, Any]:
    """Give a step as a signature in JSON."""
    return {
        "task": step.task,
        "args": list(step.args),
        "kwargs": dict(step.kwargs),
        "options": dict(options),
        "subtask_type": None,
        "immutable": step.passing is Passing.NOTHING,
    }
