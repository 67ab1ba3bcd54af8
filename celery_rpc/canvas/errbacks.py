"""Errbacks: where those that workers call send their answers."""

from dataclasses import replace

from celery_rpc.call import CallOptions
from celery_rpc.canvas.nodes import Nodes
from celery_rpc.canvas.stock import listed


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
