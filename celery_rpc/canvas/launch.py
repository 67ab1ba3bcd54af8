"""Launch: a graph is sent whole where the workers need no help, and run on the client otherwise."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any
from uuid import uuid4

from celery_rpc.canvas.client import LaunchClient
from celery_rpc.canvas.errbacks import stamp
from celery_rpc.canvas.graph import Graph
from celery_rpc.canvas.nodes import Node, Passing, Step
from celery_rpc.canvas.results import GroupReply
from celery_rpc.canvas.run import Run
from celery_rpc.canvas.whole import sent_whole
from celery_rpc.deadline import NEVER, Deadline
from celery_rpc.errors import CanvasError
from celery_rpc.unencodable import require_json


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


async def launch_async(graph: Graph, client: LaunchClient) -> Any:
    """Send a canvas without blocking the event loop, and await its value.

    Raises:
        CanvasError: a step cannot run; nothing was sent.
        DeadlineExceeded: it did not end within the client's timeout.
    """
    if graph.end is None or not graph.steps:
        return None if graph.end is None else []
    check(graph, client)
    deadline = Deadline.after(client.timeout)
    whole = sent_whole(graph, client, deadline, blocking=False)
    if whole is None:
        return await started(graph, client, deadline)
    return await whole.result(graph.end)


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
