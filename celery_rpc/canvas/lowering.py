"""Lowering: a Celery canvas -> the nodes of a graph; pure.

What each part means is Celery's (docs: userguide/canvas): a chain passes each result on; a group
gives a list, also in the middle of a chain, which makes it the header of a chord; an immutable
signature waits but takes nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

from celery_rpc.calls.call import DEFAULTS, NO_LINEAGE, CallOptions, Lineage
from celery_rpc.calls.encoding import owned
from celery_rpc.calls.retry import Retry
from celery_rpc.canvas.celery_classes import (
    Chain,
    Chord,
    Chunks,
    Group,
    Signature,
    is_canvas,
    listed,
    to_signature,
)
from celery_rpc.canvas.context import LINEAGE, OWN, Context
from celery_rpc.canvas.nodes import (
    Errback,
    Gate,
    Join,
    Junction,
    Node,
    Nodes,
    Passing,
    Step,
    belong,
)
from celery_rpc.canvas.shape import gives_members, steps_of
from celery_rpc.catalog.address import ADDRESSING, Address, overriding
from celery_rpc.errors import CanvasError
from celery_rpc.support.jsonable import SENT_AS_IT_IS

#: What says where a signature goes.
ADDRESS = ADDRESSING | {"exchange_type"}


def lower(
    nodes: Nodes, canvas: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None, source: Node | None = None,
) -> Node | None:  # fmt: skip
    """Add a canvas to a graph, and give the node that has its result; None when it is empty.

    Raises:
        CanvasError: a part of it is no signature of a remote task.
    """
    context = Context(source, tuple(args), dict(kwargs or {}), dict(options or {}))
    end = Lowering(nodes).lower(canvas, context)
    return end if source is not None else outermost(end, canvas)


def outermost(end: Node | None, canvas: Any) -> Node | None:
    """Return the node that has the result of a whole canvas.

    A group of one whose member gives a list has that list for its result, where it is nothing but
    that group (celery/canvas.py, group.apply_async).
    """
    if isinstance(end, Join) and len(end.after) == 1 and isinstance(end.after[0], Junction):
        steps = [to_signature(canvas)]
        while len(steps) == 1 and isinstance(steps[0], Chain):
            steps = list(steps_of(steps[0]))
        if len(steps) == 1 and isinstance(steps[0], Group):
            return end.after[0]
    return end


class Lowering:
    """Turns signatures into nodes, each kind in its own way."""

    def __init__(self, nodes: Nodes) -> None:
        self.nodes = nodes
        #: Copies of what was lowered, by the identity of the original, which is kept alive.
        self._owned: dict[int, tuple[Any, Any]] = {}
        #: Errbacks that were read, by the identity of the original.
        self._errbacks: dict[int, tuple[Any, Any]] = {}
        #: Options that were read, by their repr: those of a group are alike.
        self._read: dict[str, CallOptions] = {}

    def lower(self, canvas: Any, context: Context) -> Node | None:
        """Add a signature of any kind."""
        signature = signature_of(canvas)
        if isinstance(signature, Chunks):
            signature = signature.group().set(**signature.options)
        options = overriding(signature.options, context.options)
        if context.links and isinstance(signature, Group) and isinstance(context.source, Junction):
            signature = linked_body(signature, context.links)
        elif context.links:
            options["link"] = [*listed(options.get("link")), *context.links]
        if isinstance(signature, Chain):
            end = self.lower_chain(signature, options, context)
        elif isinstance(signature, Group):
            end = self.lower_group(signature, options, context)
        elif isinstance(signature, Chord):
            end = self.lower_chord(signature, options, context)
        else:
            end = self.lower_task(signature, options, context)
        return self.follow(options, end, context)

    def follow(self, options: Mapping[str, Any], end: Node | None, context: Context) -> Node | None:
        """Add what Celery has attached to a signature: the rest of a chain."""
        if end is None:
            return None
        end.id = end.id or options.get("task_id")
        for rest in reversed(options.get("chain") or ()):
            end = self.lower(rest, context.after(end)) or end
        return end

    def link(self, step: Step, callbacks: Sequence[Any]) -> None:
        """Add the callbacks of a task."""
        group = str(uuid4()) if len(callbacks) > 1 else None  # Celery makes a group of them
        for place, callback in enumerate(callbacks):
            reached = self.lower(callback, Context(step, aside=True))
            step.callbacks += [] if reached is None else [reached]
            if group is not None and isinstance(reached, Step):
                reached.told = replace(reached.told, group_id=group, group_index=place)

    def lower_chain(
        self, signature: Any, options: Mapping[str, Any], context: Context
    ) -> Node | None:
        inside = context.inside(options, self.errbacks(options))
        inside = replace(inside, args=(*inside.args, *signature.args))
        end: Node | None = None
        guard: list[Errback] | None = None
        steps = list(spliced(signature))
        for number, step in enumerate(steps, 1):
            own: list[Errback] | None = None
            if number == len(steps):
                inside = replace(inside, links=listed(options.get("link")))
            elif gives_members(step):
                own = []
            reached = self.lower(step, inside if own is None else inside.guarded(own))
            if reached is None:
                continue
            if guard is not None:
                guard += self.guard(step, inside, reached)
            if isinstance(end, Join):
                belong(reached, end)
            end, guard = reached, own
            inside = inside.after(end)
        return ended(end, inside, context)

    def lower_group(
        self, signature: Any, options: Mapping[str, Any], context: Context
    ) -> Node | None:
        members = self.members(signature, context.of_member(options))
        return self.arrived(self.join(members, context), context)

    def join(self, members: Sequence[Node], context: Context) -> Join:
        """Add the list of the members of a group."""
        joined = self.nodes.join(members, before=context.source, aside=context.aside)
        for place, member in enumerate(members):
            belong(member, joined, place)
        return joined

    def arrived(self, joined: Join, context: Context) -> Node:
        """Return the node of a list that is there once its source is, also if it is empty."""
        if joined.after or context.source is None:
            return joined
        gate: Node = self.nodes.put(Gate([joined, context.source], aside=context.aside))
        return gate

    def members(self, signature: Any, context: Context) -> list[Node]:
        """Add the members of a group; those of groups directly in it become its own."""
        found: list[Node] = []
        for each in signature.tasks:
            member = to_signature(each)
            if isinstance(member, Group):
                options = overriding(member.options, context.options)
                found += self.members(member, context.of_member(options))
            elif (end := self.lower(member, context)) is not None:
                found.append(end)
        return found

    def lower_chord(
        self, signature: Any, options: Mapping[str, Any], context: Context
    ) -> Node | None:
        if signature.body is None:
            raise CanvasError("a chord without a body: call it with one, or use a group")
        body = signature_of(signature.body)
        inside = context.inside(options, self.errbacks(options))
        guard: list[Errback] = []
        header = replace(
            inside.guarded(guard),
            args=(*inside.args, *signature.args),
            kwargs={**signature.kwargs.get("kwargs", {}), **inside.kwargs},
        )
        tasks = signature.tasks
        group = tasks if isinstance(tasks, Group) else Group(tasks)
        joined = self.join(self.members(group, header), context)
        joined.id = group.options.get("task_id")
        # A countdown is the header's: the body starts when that is done (celery issue 7851).
        late = {k: v for k, v in inside.options.items() if k not in ("countdown", "eta")}
        source = self.arrived(joined, context)
        links = listed(options.get("link"))
        end = self.lower(body, replace(inside.after(source), options=late, links=links))
        if end is None:
            raise CanvasError("the body of a chord has no task: nothing would come of its header")
        guard += self.guard(body, inside, end)
        belong(end, joined)
        return ended(end, inside, context)

    def guard(self, body: Any, around: Context, end: Node) -> list[Errback]:
        """Return the errbacks of what follows tasks that may fail at once: they are its own."""
        if isinstance(body, Group):
            return errbacks_of_members(end)
        known = [each.signature for each in around.errbacks]
        own = [each for each in self.errbacks(body.options) if each not in known]
        return [*around.errbacks, *(Errback(each, end) for each in own)]

    def lower_task(self, signature: Any, options: Mapping[str, Any], context: Context) -> Step:
        """Add one plain task."""
        source = [] if context.source is None else [context.source]
        args, kwargs = tuple(signature.args), dict(signature.kwargs)
        if not signature.immutable:
            args, kwargs = (*context.args, *args), {**kwargs, **context.kwargs}
        errbacks = self.errbacks(options)
        around = [each.signature for each in context.errbacks]
        errbacks += [each for each in around if each not in errbacks]
        begun_here = [Errback(each) for each in errbacks if is_canvas(each)]
        read = self.options(options, [each for each in errbacks if not is_canvas(each)])
        step: Step = self.nodes.put(
            Step(
                after=source,
                guards=(*context.guards, begun_here) if begun_here else context.guards,
                task=str(signature.task),
                address=address_of(signature, options),
                args=tuple([self.own(arg) for arg in args]),
                kwargs={name: self.own(arg) for name, arg in kwargs.items()},
                options=read,
                retry=read.retry if isinstance(read.retry, Retry) else None,
                passing=Passing.VALUE if source and not signature.immutable else Passing.NOTHING,
                aside=context.aside,
                told=told_lineage(options),
            )
        )
        self.link(step, listed(options.get("link")))
        return step

    def own(self, value: Any) -> Any:
        """Return a value as it is now; what several tasks share is copied once."""
        if type(value) in SENT_AS_IT_IS:
            return value
        known = self._owned.get(id(value))
        if known is None:
            known = self._owned[id(value)] = value, owned(value)
        return known[1]

    def errbacks(self, options: Mapping[str, Any]) -> list[Any]:
        """Return the errbacks among the options, each one object however often it is met."""
        return [self.errback(each) for each in listed(options.get("link_error"))]

    def errback(self, given: Any) -> Any:
        """Return an errback as JSON that any worker sends to the right queue.

        Raises:
            CanvasError: it does not say where it goes.
        """
        known = self._errbacks.get(id(given))
        if known is None:
            errback: dict[str, Any] = owned(dict(signature_of(given)))
            if not is_canvas(errback):
                address = address_of(signature_of(errback), errback["options"])
                kept = {k: v for k, v in errback["options"].items() if k not in ADDRESS}
                where = address.options if address.queue else named_by(address)
                errback["options"] = {**kept, **where}
            known = self._errbacks[id(given)] = given, errback
        return known[1]

    def options(self, options: Mapping[str, Any], errbacks: Sequence[Any]) -> CallOptions:
        """Read the options of a task, once for all that have the same."""
        own = {k: v for k, v in options.items() if k not in OWN and k not in ADDRESS}
        if errbacks:
            own["link_error"] = errbacks
        if not own:
            return DEFAULTS
        key = repr(sorted(own.items()))
        made = self._read.get(key)
        if made is None:
            made = self._read[key] = DEFAULTS.merged(**own)
        return made


def signature_of(canvas: Any) -> Any:
    """Return a canvas as a signature.

    Raises:
        CanvasError: it is none.
    """
    signature = to_signature(canvas)
    if not isinstance(signature, Signature):
        raise CanvasError(f"{canvas!r} is no signature: take one from a task by .s()")
    return signature


def linked_body(body: Any, callbacks: Sequence[Any]) -> Any:
    """Return a group that is the body of a chord with the callbacks of that chord.

    They follow its first member, and do not get its value (celery/canvas.py, group.link).
    """
    members = [to_signature(each) for each in body.tasks]
    if members:
        members[0] = members[0].clone()
        for callback in callbacks:
            members[0].link(to_signature(callback).clone().set(immutable=True))
    return Group(members, **body.options)


def named_by(address: Address) -> dict[str, Any]:
    """Return the options of an address by an exchange that is not the default one."""
    return {"exchange": address.exchange, "routing_key": address.routing_key}


def ended(end: Node | None, inside: Context, around: Context) -> Node | None:
    """Let the errbacks of a canvas get the id of its end, and return that."""
    for errback in inside.errbacks[len(around.errbacks) :]:
        errback.end = end
    return end


def errbacks_of_members(end: Node | None) -> list[Errback]:
    """Return the errbacks of a group: each member has its own, and those of what is around it."""
    return [
        Errback(signature, task)
        for task in ends_of(end)
        if isinstance(task, Step)
        for signature in errbacks_of(task)
    ]


def errbacks_of(task: Step) -> Iterator[Any]:
    """Yield the errbacks of a task: its worker calls tasks, and the client begins canvases."""
    yield from listed(task.options.link_error)
    yield from (each.signature for guard in task.guards for each in guard if each.end is None)


def ends_of(end: Node | None) -> list[Node]:
    """Return the nodes that have the values of what a node has: of a list its members."""
    if isinstance(end, Join):
        return [leaf for member in end.after for leaf in ends_of(member)]
    return [] if end is None or isinstance(end, Gate) else [end]


def told_lineage(options: Mapping[str, Any]) -> Lineage:
    """Return what Celery has written of a task's lineage into the options of its signature."""
    if LINEAGE.isdisjoint(options):
        return NO_LINEAGE
    return Lineage(**{name: options.get(name) for name in LINEAGE})


def spliced(chain: Any) -> Iterator[Any]:
    """Yield the steps of a chain; plain chains in it are part of it."""
    for step in steps_of(chain):
        if isinstance(step, Chain) and not step.options and not step.args:
            yield from spliced(step)
        else:
            yield step


def address_of(signature: Any, options: Mapping[str, Any]) -> Address:
    """Return where a signature goes, by its options and those of the canvases around it.

    Raises:
        CanvasError: it does not say so.
    """
    address = Address.from_options(options)
    if address is None and signature.task in ("celery.map", "celery.starmap"):
        address = Address.from_options(to_signature(signature.kwargs["task"]).options)
    if address is None:
        raise CanvasError(
            f"the signature of {signature.task!r} says no queue: take it from a client "
            f"(client.<queue>.{signature.task}.s(...)), or set queue="
        )
    return address
