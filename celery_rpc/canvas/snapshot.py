"""Snapshot: a run as one JSON value: its steps, and how far each has come."""

import json
from typing import Any, Protocol

from kombu.utils.json import dumps

from celery_rpc.canvas.nodes import Node, Nodes, Step
from celery_rpc.errors import RemoteError

#: Of the format.
VERSION = 1


class Progress(Protocol):
    """What is known of a run."""

    id: str
    graph: Nodes

    def id_of(self, node: Node) -> str: ...
    def state(self, step: Any) -> str: ...
    def value(self, node: Node) -> Any: ...
    def error(self, node: Node) -> Exception | None: ...


def snapshot(run: Progress) -> dict[str, Any]:
    """Give a run as JSON: enough to build it again, and to go on from where it was.

    Values that JSON has no words for are written as Celery writes them (kombu.utils.json).
    """
    nodes = [node_state(run, node) for node in run.graph.nodes]
    state: dict[str, Any] = {"version": VERSION, "id": run.id, "nodes": nodes}
    written: dict[str, Any] = json.loads(dumps(state))
    return written


def node_state(run: Progress, node: Node) -> dict[str, Any]:
    """Give one node."""
    state: dict[str, Any] = {
        "kind": type(node).__name__.lower(),
        "id": run.id_of(node),
        "after": [parent.index for parent in node.after],
        "aside": node.aside,
        "state": run.state(node),
    }
    if isinstance(node, Step):
        state |= {
            "task": node.task,
            "queue": node.address.queue,
            "args": list(node.args),
            "kwargs": dict(node.kwargs),
            "options": node.options.as_celery(),
            "passing": node.passing,
            "names": list(node.names),
            "timeout": node.timeout,
        }
    error = run.error(node)
    if error is not None:
        kind = error.type if isinstance(error, RemoteError) else type(error).__name__
        state["error"] = {"type": kind, "message": str(error)}
    elif state["state"] == "SUCCESS":
        state["value"] = run.value(node)
    return state
