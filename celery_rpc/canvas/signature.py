"""Signatures, chains, groups and chords of remote tasks: Celery's, sent by a client.

They are Celery's own classes with three differences: they go through the client that they came
from; ``aio()`` awaits their value; and ``|`` neither copies nor nests, so that it stays cheap.
"""

from collections.abc import Coroutine, Iterable, Mapping, Sequence
from copy import copy, deepcopy
from typing import TYPE_CHECKING, Any

from celery_rpc.calls.call import Target
from celery_rpc.canvas.celery_classes import (
    Chain,
    Chord,
    Chunks,
    FoldingChain,
    Group,
    Map,
    Signature,
    StarMap,
    is_task,
    restored,
    to_signature,
)
from celery_rpc.canvas.graph import Graph
from celery_rpc.canvas.launch import launch, launch_async
from celery_rpc.canvas.origin import app_of, client_of
from celery_rpc.canvas.plan import Plan, plan_of
from celery_rpc.canvas.shape import has_no_member, has_no_task, lone_step, steps_of
from celery_rpc.errors import ArgumentsError, CanvasError
from celery_rpc.support.deadline import Deadline

if TYPE_CHECKING:  # celery ships no types

    class Base(dict[str, Any]):
        app: Any
        _app: Any
        options: dict[str, Any]
        tasks: Any
        body: Any

        def __init__(self, *args: Any, **kwargs: Any) -> None: ...
        def append_to_list_option(self, key: str, value: Any) -> Any: ...
else:
    Base = Signature


class Canvas(Base):
    """What all of them can do."""

    def apply_async(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Any:
        """Send it.

        Args:
            args: partial arguments, put before those of the first task.
            kwargs: partial keywords, for the first task.
            options: what replaces the options of the tasks; those of Celery's apply_async.

        Returns:
            A Reply; of a group a GroupReply; None when there is nothing to send.

        Raises:
            CanvasError: a step cannot run; nothing was sent.
        """
        graph = self.graph(args, kwargs, **options)
        return launch(graph, client_of(self, graph))

    def delay(self, *args: Any, **kwargs: Any) -> Any:
        """Send it, with partial arguments."""
        return self.apply_async(args, kwargs)

    def aio(self, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
        """Return a coroutine that sends it and awaits the value; the event loop is never blocked.

        What is sent is what the canvas is now, not what it is when the coroutine is awaited.

        Raises:
            DeadlineExceeded: it did not end within the client's default timeout; what was not
                sent by then never will be.
        """
        graph = self.graph(args, kwargs)
        return launch_async(graph, client_of(self, graph))

    def graph(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Graph:
        """Return the flat graph of plain tasks that it means."""
        given = {name: value for name, value in options.items() if value is not None}
        return Graph.from_canvas(self, args or (), kwargs, **given)

    def explain(self, *args: Any, **kwargs: Any) -> Plan:
        """Describe what would be sent where, who listens there, and what is wrong; send nothing."""
        graph = self.graph(args, kwargs)
        return plan_of(graph, client_of(self, graph))

    @property
    def app(self) -> Any:
        """The app of the client that it came from; Celery's would fall back to the program's own.

        Raises:
            CanvasError: it came from no client.
        """
        return app_of(self)

    def clone(self, *args: Any, **kwargs: Any) -> Any:
        """Return a copy, with further arguments."""
        return adopt(super().clone(*args, **kwargs), self._app)  # type: ignore[misc]

    def copy(self) -> Any:
        """Return a copy with options of its own, and the same client."""
        return restored(type(self), {name: copy(each) for name, each in self.items()}, self._app)

    __copy__ = copy

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        memo[id(self)] = made = restored(type(self), {}, self._app)
        made.update(deepcopy(dict(self), memo))
        return made

    def __reduce__(self) -> Any:
        return restored, (type(self), dict(self))

    def __or__(self, other: Any) -> Any:
        return joined(self, to_signature(other)) if is_step(other) else NotImplemented

    def __ror__(self, other: Any) -> Any:
        return joined(to_signature(other), self) if is_step(other) else NotImplemented

    __ior__ = __or__


class RemoteSignature(Canvas, Signature):  # type: ignore[misc]
    """One task with its arguments, or some of them."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the task and wait for its value, like a local function."""
        graph = self.graph(args, kwargs)
        client = client_of(self, graph)
        return launch(graph, client, Deadline.after(client.timeout)).get()

    def freeze(self, _id: str | None = None, *args: Any, **kwargs: Any) -> Any:
        """Assign it an id, and return the reply that will come to it."""
        return super().freeze(_id or client_of(self).new_id(), *args, **kwargs)

    def map(self, items: Iterable[Any]) -> "xmap":
        """Return a canvas that calls the task with each item, one after the other in one worker."""
        return xmap(self, list(items), app=self._app)

    def starmap(self, items: Iterable[Any]) -> "xstarmap":
        """Return a canvas as of map(), whose items are tuples of arguments."""
        return xstarmap(self, list(items), app=self._app)

    def chunks(self, items: Iterable[Any], size: int) -> "chunks":
        """Return a canvas that calls the task with tuples of arguments, so many in each message."""
        return chunks(self, list(items), size, app=self._app)


class chain(Canvas, FoldingChain):  # type: ignore[misc] # noqa: N801
    """Tasks one after the other, each with the result of the one before."""

    def __new__(cls, *tasks: Any, **options: Any) -> "chain":
        return dict.__new__(cls)  # Celery's folds the steps into one another, and copies them

    def __init__(self, *tasks: Any, **options: Any) -> None:
        steps = list(tasks[0]) if len(tasks) == 1 and is_many(tasks[0]) else list(tasks)
        super().__init__([to_signature(step) for step in steps], **options)

    def freeze(self, *args: Any, **kwargs: Any) -> Any:
        """Assign its tasks their ids, and return the reply that will come to the last one."""
        self.tasks = with_chords(self, self._app)  # Celery's would freeze copies of groups
        return super().freeze(*args, **kwargs)


class group(Canvas, Group):  # type: ignore[misc] # noqa: N801
    """Tasks at once; their results are a list."""

    def __init__(self, *tasks: Any, **options: Any) -> None:
        members = members_of(tasks[0] if len(tasks) == 1 else tasks)
        flat = [part for member in members for part in inner_members(member)]
        # One of one, or of none, is not the same as its member.
        super().__init__(flat if len(flat) > 1 else members, **options)

    def graph(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Graph:
        refuse_links(options)
        return super().graph(args, kwargs, **options)


class chord(Canvas, Chord):  # type: ignore[misc] # noqa: N801
    """Tasks at once, and then one with the list of their results."""

    def __init__(self, header: Any, body: Any = None, *args: Any, **options: Any) -> None:
        super().__init__(members_of(header), to_signature(body), *args, **options)

    def __call__(self, body: Any = None, **options: Any) -> Any:
        return self.apply_async((), {"body": body} if body else {}, **options)

    def graph(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Graph:
        kwargs = dict(kwargs or {})
        body = kwargs.pop("body", None)
        if body is None:
            return super().graph(args, kwargs, **options)
        return chord(self.tasks, body, app=self._app, **self.options).graph(args, kwargs, **options)

    def link(self, callback: Any) -> Any:
        return self.append_to_list_option("link", callback)

    def link_error(self, errback: Any) -> Any:
        return self.append_to_list_option("link_error", errback)


class xmap(Canvas, Map):  # type: ignore[misc] # noqa: N801
    """One task for each item, one after the other in one worker."""


class xstarmap(Canvas, StarMap):  # type: ignore[misc] # noqa: N801
    """One task for each tuple of arguments, one after the other in one worker."""


class chunks(Canvas, Chunks):  # type: ignore[misc] # noqa: N801
    """One task for many tuples of arguments, so many of them in each message."""

    def graph(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Graph:
        refuse_links(options)
        return super().graph(args, kwargs, **options)

    def __call__(self, **options: Any) -> Any:
        return self.apply_async(**options)


#: Options that canvases heed; they do not go to workers.
HEEDED = frozenset({"retry", "idempotent", "replaces"})

#: Celery's classes, and ours.
KINDS: Sequence[tuple[Any, Any]] = (
    (Chain, chain),
    (Group, group),
    (Chord, chord),
    (Map, xmap),
    (StarMap, xstarmap),
    (Chunks, chunks),
    (Signature, RemoteSignature),
)


def adopt(signature: Any, app: Any = None) -> Any:
    """Return Celery's signature, or one that came as JSON or from a pickle, as one of an app.

    Raises:
        CanvasError: it is no signature.
    """
    try:
        found = to_signature(signature, app=None if isinstance(signature, Signature) else app)
        kind = next(ours for theirs, ours in KINDS if isinstance(found, theirs))
    except (LookupError, TypeError, AttributeError, StopIteration) as error:
        raise CanvasError(f"{signature!r:.200} is no signature") from error
    home = found._app
    if isinstance(found, kind) and app in (None, home):
        return found
    app = app or home
    kwargs = {name: with_app(part, app) for name, part in found.kwargs.items()}
    return restored(kind, {**found, "kwargs": kwargs}, app)


def with_app(part: Any, app: Any) -> Any:
    """Return a part of a canvas, or a list of parts, as those of an app; all else as it is."""
    if isinstance(part, Signature):
        return adopt(part, app)
    if isinstance(part, list) and any(isinstance(each, Signature) for each in part):
        return [with_app(each, app) for each in part]
    return part


def joined(left: Any, right: Any) -> Any:
    """Return what ``left | right`` means."""
    app = left._app or right._app
    if has_no_task(right) or has_no_member(right):
        return left
    if isinstance(left, Group):
        return chord(left, right, app=app)
    steps, others = parts_of(left), parts_of(right)
    if isinstance(lone_step(left), Group) and not isinstance(others[0], Group):
        steps = [chord(lone_step(left), others.pop(0), app=app)]
    return chain([*steps, *others], app=app)


def parts_of(signature: Any) -> list[Any]:
    """Return the steps of a chain; one with options of its own stays whole."""
    if isinstance(signature, Chain) and not signature.options and not signature.args:
        return list(signature.tasks)
    return [signature]


def with_chords(whole: Any, app: Any) -> list[Any]:
    """Return the steps of a chain with each group that another step follows as a chord."""
    made: list[Any] = []
    parts = [part for step in steps_of(whole) for part in parts_of(step)]
    for part in reversed(parts):
        made.append(chord(part, made.pop(), app=app) if isinstance(part, Group) and made else part)
    return made[::-1]


def refuse_links(options: Mapping[str, Any]) -> None:
    """Refuse callbacks that are given to a group when it is sent, as Celery does.

    Raises:
        ArgumentsError: there are some.
    """
    for name in ("link", "link_error"):
        if options.get(name) is not None:
            raise ArgumentsError(
                f"cannot add {name}= to a group that is sent: use a chord, or link its members",
                parameter=name,
            )


def inner_members(member: Any) -> list[Any]:
    """Return what a member of a group adds to it: a group its members, in their place."""
    return members_of(member) if isinstance(member, Group) else [member]


def members_of(given: Any) -> list[Any]:
    """Return signatures as a list; a group with options of its own stays whole."""
    if isinstance(given, Group) and not given.options:
        return list(given.tasks)
    return [*map(to_signature, [given] if is_step(given) or isinstance(given, Mapping) else given)]


def is_step(value: Any) -> bool:
    """Whether a value may be part of a canvas: a signature, or a bare task."""
    return isinstance(value, Signature) or is_task(value)


def is_many(value: Any) -> bool:
    """Return whether a value is an iterable of signatures, and no signature itself."""
    return not isinstance(value, Mapping) and hasattr(value, "__iter__")


def make_signature(
    app: Any, target: Target, args: Sequence[Any], kwargs: Mapping[str, Any], immutable: bool
) -> Any:
    """Return the signature of a remote task; it carries its address."""
    return RemoteSignature(
        target.spec.name,
        args=tuple(args),
        kwargs=dict(kwargs),
        options={**target.options.as_celery(HEEDED), **target.address.options},
        app=app,
        immutable=immutable,
    )
