"""Errbacks: what is called when a step fails, once each: by its worker, or else by the client."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from celery_rpc.call import CallOptions
from celery_rpc.canvas.nodes import Guard, Node, Nodes, Step
from celery_rpc.canvas.stock import listed
from celery_rpc.errors import NoSuchTask, RemoteError, WorkerLost

#: Failures of which a worker has told the errbacks that came with the task.
TOLD = (RemoteError, WorkerLost, NoSuchTask)


class Errbacks:
    """The errbacks of a run that its client calls."""

    def __init__(self) -> None:
        self._called: set[Guard] = set()

    def due(self, node: Node, error: Exception | None) -> Iterator[Any]:
        """Yield what is to be called because a node has failed; that of a guard only once."""
        for guard in node.guards:
            if guard not in self._called:
                self._called.add(guard)
                yield guard.errback
        if isinstance(node, Step) and not isinstance(error, TOLD):
            yield from listed(node.options.link_error)


def stamp(graph: Nodes, reply_to: str) -> None:
    """Let errbacks answer to this client: their worker's own reply queue is read by nobody."""
    stamped: dict[int, CallOptions] = {}
    for step in graph.steps:
        if step.options.link_error:
            known = stamped.get(id(step.options))
            if known is None:
                known = stamped[id(step.options)] = answering(step.options, reply_to)
            step.options = known


def answering(options: CallOptions, reply_to: str) -> CallOptions:
    """Give options whose errbacks answer to a queue."""
    errbacks = [
        {**each, "options": {**each["options"], "reply_to": reply_to}}
        for each in listed(options.link_error)
    ]
    return replace(options, link_error=errbacks)
