"""Launch: a graph is sent whole where the workers need no help, and run on the client otherwise."""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

from celery_rpc.calls.unencodable import require_json
from celery_rpc.canvas.celery_classes import is_canvas
from celery_rpc.canvas.client import LaunchClient
from celery_rpc.canvas.errbacks import errbacks_in, stamp
from celery_rpc.canvas.graph import Graph
from celery_rpc.canvas.nodes import Node, Passing, Step
from celery_rpc.canvas.results import GroupReply
from celery_rpc.canvas.run import Run
from celery_rpc.canvas.whole import sent_whole
from celery_rpc.catalog.address import Address
from celery_rpc.errors import CanvasError
from celery_rpc.settings.client_options import UNSET, Unset
from celery_rpc.support.deadline import NEVER, Deadline


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


async def launch_async(
    graph: Graph, client: LaunchClient, timeout: float | Unset | None = UNSET
) -> Any:
    """Send a canvas without blocking the event loop, and await its value.

    Args:
        timeout: seconds for all of it. Left out: the client's default. None: for ever.

    Raises:
        CanvasError: a step cannot run; nothing was sent.
        DeadlineExceeded: it did not end in time.
    """
    if graph.end is None or not graph.steps:
        return None if graph.end is None else []
    deadline = Deadline.after(client.timeout if isinstance(timeout, Unset) else timeout)
    await check_async(graph, client)
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
        check_start(step)
        if step.passing is Passing.NOTHING:  # all of its arguments are there
            step.args, step.kwargs = client.bind_step(step)
        require_json(step.label, step.args, step.kwargs, known)
    check_errbacks(graph, client)


def check_start(step: Step) -> None:
    """Refuse a step that could not start before it ends.

    Raises:
        CanvasError: says by which options.
    """
    start = step.options.starts_after
    if step.patience is not None and start >= step.patience:
        raise CanvasError(
            f"{step.label} ends after {step.patience:g} s (timeout, or attempt_timeout of its "
            f"retry), and may not start before {start:g} s have passed (countdown or eta)"
        )


async def check_async(graph: Graph, client: LaunchClient) -> None:
    """Check without blocking the event loop, where workers have to be asked first."""
    graphs = [graph, *(inner for _, inner in errbacks_below(graph))]
    queues = {step.address.queue for each in graphs for step in each.steps}
    if all(client.knows(queue) for queue in queues):
        check(graph, client)
    else:
        await asyncio.to_thread(check, graph, client)


def errbacks_below(graph: Graph) -> Iterator[tuple[Any, Graph]]:
    """Yield the errbacks of a graph, and those that these have in turn, each with its own graph."""
    for errback in errbacks_in(graph):
        inner = Graph.from_canvas(errback, ("",))
        yield errback, inner
        yield from errbacks_below(inner)


def check_errbacks(graph: Graph, client: LaunchClient) -> None:
    """Refuse errbacks that nobody would run.

    Raises:
        CanvasError: names the first of them, and why.
    """
    known: dict[tuple[str, str], Address] = {}
    for errback, inner in errbacks_below(graph):
        for step in inner.steps:
            kind = step.address.label, step.task
            if kind not in known:
                known[kind] = client.check_errback(step)
            if not is_canvas(errback):
                errback["options"] |= known[kind].options


def awaited_by(steps: Iterable[Node]) -> set[int]:
    """Return the places of all that steps wait for: of a list also its members."""
    found: set[int] = set()
    waiting = [parent for step in steps for parent in step.after]
    while waiting:
        node = waiting.pop()
        if node.index not in found:
            found.add(node.index)
            if not isinstance(node, Step):
                waiting += node.after
    return found
