"""Errbacks: what is called when a step fails, once each: by its worker, or else by the client."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from typing import Any

from celery_rpc.call import CallOptions
from celery_rpc.canvas.nodes import Errback, Node, Nodes, Step
from celery_rpc.canvas.stock import listed
from celery_rpc.errors import NoSuchTask, RemoteError, WorkerLost

#: Failures of which a worker has told the errbacks that came with the task.
TOLD = (RemoteError, WorkerLost, NoSuchTask)


class Errbacks:
    """The errbacks of a run that its client calls."""

    def __init__(self) -> None:
        self._called: set[Errback] = set()

    def due(self, node: Node, error: Exception | None) -> Iterator[tuple[Any, Node]]:
        """Yield what to call because a node has failed, and the node whose id it gets.

        What guards several nodes is called only once.
        """
        for errback in chain.from_iterable(node.guards):
            if errback not in self._called:
                self._called.add(errback)
                yield errback.signature, errback.end or node
        if isinstance(node, Step) and not isinstance(error, TOLD):
            for signature in listed(node.options.link_error):
                yield signature, node


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
