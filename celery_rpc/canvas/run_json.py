"""A run as one JSON value: its graph, and how far each node has come; written, and read again."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from itertools import chain
from typing import Any

from kombu.utils.json import dumps, loads

from celery_rpc.calls.call import DEFAULTS, CallOptions, Lineage
from celery_rpc.calls.pending import Outcome
from celery_rpc.calls.retry import Retry, Tries
from celery_rpc.canvas.commands import Alarm, AlarmKind
from celery_rpc.canvas.error_json import error_from_json, error_to_json
from celery_rpc.canvas.machine import Machine
from celery_rpc.canvas.nodes import Errback, Gate, Given, Join, Node, Nodes, Passing, Step
from celery_rpc.canvas.progress import StepState
from celery_rpc.catalog.address import Address
from celery_rpc.errors import CanvasError
from celery_rpc.settings.client_options import UNSET

#: Of the format.
VERSION = 2

KINDS: dict[str, type[Node]] = {"step": Step, "join": Join, "gate": Gate, "given": Given}


# ----- written


def run_to_json(run_id: str, machine: Machine, ids: Sequence[str]) -> dict[str, Any]:
    """Return a run as JSON.

    Values that JSON has no words for are written as Celery writes them (kombu.utils.json).

    Args:
        ids: those of the nodes.
    """
    guards = chain.from_iterable(node.guards for node in machine.nodes)
    errbacks = list(dict.fromkeys(chain.from_iterable(guards)))
    numbers = {errback: number for number, errback in enumerate(errbacks)}
    course = machine.course
    state = {
        "version": VERSION,
        "id": run_id,
        "nodes": [
            {**node_to_json(node, numbers), "id": ids[node.index], **progress(machine, node.index)}
            for node in machine.nodes
        ],
        "errbacks": [errback_to_json(errback) for errback in errbacks],
        "called": sorted(numbers[errback] for errback in machine.called),
        "ends": [node.index for node in course.ends],
        "ready": list(course.ready),
        "alarms": [alarm._asdict() for alarm in machine.alarms.values()],
        "deadline": machine.deadline,
        "limit": machine.limit,
        "verdict": course.decided_by,
    }
    written: dict[str, Any] = json.loads(dumps(state))
    return written


def errback_to_json(errback: Errback) -> dict[str, Any]:
    """Return an errback as JSON."""
    end = None if errback.end is None else errback.end.index
    return {"signature": errback.signature, "end": end}


def node_to_json(node: Node, errbacks: Mapping[Errback, int]) -> dict[str, Any]:
    """Return a node as JSON, without how far it has come."""
    written: dict[str, Any] = {
        "kind": type(node).__name__.lower(),
        "after": [parent.index for parent in node.after],
        "guards": [[errbacks[errback] for errback in guard] for guard in node.guards],
        "callbacks": [callback.index for callback in node.callbacks],
        "aside": node.aside,
    }
    if isinstance(node, Join):
        written["before"] = None if node.before is None else node.before.index
    elif isinstance(node, Given):
        written["root"] = node.root
    elif isinstance(node, Step):
        written |= step_to_json(node)
    return written


def step_to_json(step: Step) -> dict[str, Any]:
    """Return what a step has beside other nodes."""
    return {
        "task": step.task,
        "queue": step.address.queue,
        "address": asdict(step.address),
        "args": list(step.args),
        "kwargs": dict(step.kwargs),
        "options": options_to_json(step.options),
        "passing": step.passing,
        "names": list(step.names),
        "timeout": step.timeout,
        "retry": None if step.retry is None else asdict(step.retry),
        "told": asdict(step.told),
        "group": None if step.group is None else step.group.index,
        "place": step.place,
    }


def options_to_json(options: CallOptions) -> dict[str, Any]:
    """Return the options that differ from the defaults."""
    found = {each.name: getattr(options, each.name) for each in fields(options)}
    return {
        name: {"policy": asdict(value)} if isinstance(value, Retry) else value
        for name, value in found.items()
        if value is not UNSET and value != getattr(DEFAULTS, name)
    }


def progress(machine: Machine, index: int) -> dict[str, Any]:
    """Return how far a node has come."""
    course, failure = machine.course, machine.course.failures.get(index)
    written: dict[str, Any] = {"state": course.states[index], "cause": course.causes[index]}
    if index in machine.under_way:
        written["attempt"] = machine.under_way[index]
    tries = machine.tries.get(index)
    if tries is not None:
        before = None if tries.before is None else error_to_json(tries.before)
        written["tries"] = {"made": tries.made, "before": before}
    if failure is not None and failure.error is not None:
        written["error"] = error_to_json(failure.error)
        written["outcome"] = {"state": failure.state, "traceback": failure.traceback}
    elif course.states[index] is StepState.SUCCESS:
        written["value"] = course.values[index]
    return written


# ----- read


def machine_from_json(state: Mapping[str, Any], **how: Any) -> tuple[Machine, list[str]]:
    """Return the machine of a run that was written, and the ids of its nodes.

    Its ``resume`` is the first event to call.

    Args:
        how: what a Machine takes beside its nodes, ends, deadline and limit.

    Raises:
        CanvasError: it was written in another version of the format.
    """
    if state.get("version") != VERSION:
        raise CanvasError(
            f"this run was written in version {state.get('version')!r} of the format, and "
            f"version {VERSION} is read here: finish it with the release that began it"
        )
    state = loads(json.dumps(state))
    errbacks = [Errback(errback["signature"]) for errback in state["errbacks"]]
    nodes = nodes_from_json(state["nodes"], errbacks)
    for errback, written in zip(errbacks, state["errbacks"], strict=True):
        errback.end = None if written["end"] is None else nodes[written["end"]]
    machine = Machine(
        nodes,
        [nodes[index] for index in state["ends"]],
        deadline=state["deadline"],
        limit=state["limit"],
        **how,
    )
    for node, written in zip(nodes, state["nodes"], strict=True):
        restore_node(machine, node, written)
    machine.called = {errbacks[number] for number in state["called"]}
    for alarm in state["alarms"]:
        kind = AlarmKind(alarm.pop("kind"))
        machine.alarms[kind, alarm["place"]] = Alarm(kind, **alarm)
    machine.course.recount(state["ready"], state["verdict"])
    machine.decided, machine.over = state["verdict"] is not None, machine.course.over
    return machine, [written["id"] for written in state["nodes"]]


def nodes_from_json(
    written: Sequence[Mapping[str, Any]], errbacks: Sequence[Errback]
) -> list[Node]:
    """Return the nodes of a graph."""
    graph = Nodes()
    for each in written:
        graph.put(KINDS[each["kind"]](id=each["id"], aside=each["aside"]))
    nodes = graph.nodes
    for node, each in zip(nodes, written, strict=True):
        node.after = [nodes[index] for index in each["after"]]
        node.callbacks = [nodes[index] for index in each["callbacks"]]
        node.guards = [[errbacks[number] for number in guard] for guard in each["guards"]]
        if isinstance(node, Join):
            node.before = None if each["before"] is None else nodes[each["before"]]
        elif isinstance(node, Given):
            node.root = each["root"]
        elif isinstance(node, Step):
            fill_step(node, each, nodes)
    return nodes


def fill_step(step: Step, written: Mapping[str, Any], nodes: Sequence[Node]) -> None:
    """Adopt what a step has beside other nodes."""
    group: Any = None if written["group"] is None else nodes[written["group"]]
    step.task, step.address = written["task"], Address(**written["address"])
    step.args, step.kwargs = tuple(written["args"]), written["kwargs"]
    step.options = options_from_json(written["options"])
    step.passing, step.names = Passing(written["passing"]), tuple(written["names"])
    step.timeout, step.place, step.group = written["timeout"], written["place"], group
    step.retry = None if written["retry"] is None else Retry(**written["retry"])
    step.told = Lineage(**written["told"])


def options_from_json(written: Mapping[str, Any]) -> CallOptions:
    """Return the options of a step."""
    options = dict(written)
    if isinstance(options.get("retry"), dict):
        options["retry"] = Retry(**options["retry"]["policy"])
    return CallOptions(**options)


def restore_node(machine: Machine, node: Node, written: Mapping[str, Any]) -> None:
    """Set how far a node has come."""
    course, index = machine.course, node.index
    course.states[index], course.causes[index] = StepState(written["state"]), written["cause"]
    course.values[index] = written.get("value")
    if "error" in written:
        error = error_from_json(written["error"])
        course.failures[index] = Outcome(error=error, **written["outcome"])
    if "attempt" in written:
        machine.under_way[index] = written["attempt"]
    if "tries" in written and isinstance(node, Step):
        tries = machine.tries[index] = Tries(node.retry, idempotent=node.options.idempotent)
        before = written["tries"]["before"]
        tries.made = written["tries"]["made"]
        tries.before = None if before is None else error_from_json(before)
