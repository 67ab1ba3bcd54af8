"""Errbacks: who calls them, with what, and where their answers go; pure.

Some errbacks take an id, others a request, an error and a traceback; only a worker that has the
task knows which. So a worker calls every errback, also for failures that no worker knows of: it is
given the body of a chord that it cannot send, and then calls the errbacks of that body.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from celery_rpc.calls.call import DEFAULTS, CallOptions
from celery_rpc.canvas.celery_classes import is_canvas, listed
from celery_rpc.canvas.graph import Graph
from celery_rpc.canvas.nodes import Node, Nodes, Passing, Step
from celery_rpc.catalog.address import Address
from celery_rpc.errors import RemoteError

#: Registered in every worker (celery/app/builtins.py): it sends the body of a chord, or else calls
#: its errbacks.
CALLER = "celery.chord_unlock"

#: Characters of an error that an errback is told.
MOST = 1_000


@dataclass(frozen=True, slots=True)
class Failure:
    """Why errbacks are called."""

    #: What has the result of the canvas that failed ...
    end: Node
    #: ... and the id by which it is known.
    id: str
    root_id: str
    #: The id of the task that failed.
    culprit: str
    error: Exception

    @property
    def reason(self) -> str:
        """The error in Celery's words (celery/backends/redis.py, on_chord_part_return)."""
        error = self.error
        shown = repr(error)
        if isinstance(error, RemoteError):
            name = error.type.rpartition(".")[2]
            shown = f"{name}({', '.join(map(repr, error.args))})"
        return f"Dependency {self.culprit} raised {shown}"[:MOST]


def errback_graph(errback: Mapping[str, Any], failure: Failure, reply_to: str) -> Graph:
    """Return what to run so that an errback is called."""
    if is_canvas(errback):
        graph = Graph.from_canvas(errback, (failure.id,))
        for step in graph.steps:
            if not step.after:
                step.told = replace(step.told, parent_id=failure.id, root_id=failure.root_id)
        return graph
    graph = Graph()
    graph.put(
        Step(
            task=CALLER,
            address=Address.from_options(errback["options"]) or Address(""),
            kwargs={
                "group_id": failure.id,
                "result": [],
                "callback": unsendable(failure, answering(errback, reply_to)),
            },
            options=DEFAULTS.merged(ignore_result=True),
        )
    )
    return graph


def unsendable(failure: Failure, errback: Mapping[str, Any]) -> dict[str, Any]:
    """Return a chord's body that no worker can send: a stamp that is not there is its error.

    No worker has a task of its name, so that no code of a service runs.
    """
    end = failure.end
    step = end if isinstance(end, Step) else Step(task="celery.group")
    return {
        "task": f"{step.task} (unanswered)",
        "args": list(step.args),
        "kwargs": dict(step.kwargs),
        "options": {
            "task_id": failure.id,
            "link_error": [errback],
            "stamped_headers": [failure.reason],
        },
        "subtask_type": None,
        "immutable": step.passing is Passing.NOTHING,
        "root_id": failure.root_id,  # of the request that errbacks get
    }


def errbacks_in(graph: Nodes) -> Iterator[Any]:
    """Yield the errbacks of a graph, those that several tasks share once."""
    found: dict[int, Any] = {}
    for step in graph.steps:
        around = (each.signature for each in chain.from_iterable(step.guards))
        found |= {id(each): each for each in (*listed(step.options.link_error), *around)}
    yield from found.values()


def stamp(graph: Nodes, reply_to: str) -> None:
    """Let errbacks answer to this client: their worker's own reply queue is read by nobody."""
    stamped: dict[int, CallOptions] = {}
    for step in graph.steps:
        if step.options.link_error:
            known = stamped.get(id(step.options))
            if known is None:
                errbacks = [answering(each, reply_to) for each in listed(step.options.link_error)]
                known = replace(step.options, link_error=errbacks)
                stamped[id(step.options)] = known
            step.options = known


def answering(errback: Mapping[str, Any], reply_to: str) -> dict[str, Any]:
    """Return an errback that answers to a queue."""
    return {**errback, "options": {**errback["options"], "reply_to": reply_to}}
