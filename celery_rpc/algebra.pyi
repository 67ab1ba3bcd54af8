"""Algebra: which canvases fit together, for type checkers.

``Out`` is what a canvas gives, ``In`` what it waits for: the value of the task before it. Types are
compared exactly in a group, whose values are a list where all are of one type, or else a tuple.

Of overloads, the first that fits decides: a canvas that can both be sent and take a value comes
before one that can be sent, and that before one that waits. So they overlap, and are meant to.
"""

# mypy: disable-error-code="overload-overlap"
# pyright: reportOverlappingOverload=false

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Generic, Literal, Self, TypedDict, TypeVar, Unpack, overload

from celery_rpc.calls.reply import Reply
from celery_rpc.calls.retry import Retry
from celery_rpc.canvas import GroupReply, Plan
from celery_rpc.catalog.address import Address
from celery_rpc.catalog.model import TaskSpec
from celery_rpc.settings.client_options import Unset

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")
E = TypeVar("E")
F = TypeVar("F")
R = TypeVar("R")
Args = TypeVar("Args")
Out = TypeVar("Out")
In = TypeVar("In", contravariant=True)

class ServiceBase:
    """A service, or a part of it: its attributes are its tasks."""

    def __getitem__(self, name: str) -> Any:
        """Give the task or namespace of that name; any text is a name here, dots included."""
    def __dir__(self) -> Iterable[str]: ...

class Settings(TypedDict, total=False):
    """The options of a call: those of celery_rpc.calls.call.CallOptions, and those of Celery's that
    mean nothing here.
    """

    timeout: float | Unset | None
    countdown: float | None
    eta: datetime | str | None
    expires: float | datetime | str | None
    priority: int | None
    headers: Mapping[str, Any] | None
    task_id: str | None
    link: Any
    link_error: Any
    ignore_result: bool | None
    shadow: str | None
    time_limit: float | None
    soft_time_limit: float | None
    retry: Retry | bool
    idempotent: bool
    replaces: bool
    idempotency_key: str | None
    wait_for_ready: bool
    validate: bool | Unset
    check: Literal["consumers"] | None
    cancel_on_timeout: bool | Literal["terminate"]
    compression: str | None
    delivery_mode: Literal[1, 2, "transient", "persistent"] | None
    argsrepr: str | None
    kwargsrepr: str | None
    root_id: str | None
    parent_id: str | None
    group_id: str | None
    group_index: int | None
    chord: Any
    chain: Any
    retries: int
    replaced_task_nesting: int
    stamped_headers: Sequence[str] | None
    stamps: Mapping[str, Any]
    reply_to: str | None
    serializer: Literal["json"] | None
    producer: Any
    publisher: Any
    connection: Any
    router: Any
    route_name: str | None
    retry_policy: Mapping[str, Any] | None
    add_to_parent: bool
    task_type: Any
    result_cls: Any
    exchange_type: str | None
    mandatory: bool
    immediate: bool
    timestamp: float | None

class TaskBase(Generic[Args, Out]):
    """A remote task: call it, send it, await it, or sign it.

    ``Args`` are the tuples that are all of its arguments by position.
    """

    @overload
    def apply_async(
        self, args: Args | list[Any] = ..., kwargs: None = None, **options: Unpack[Settings]
    ) -> Reply[Out]:
        """Send the call with options (those of Celery's own apply_async).

        With keywords beside them, the arguments are not checked here.
        """
    @overload
    def apply_async(
        self, args: Sequence[Any] | None, kwargs: Mapping[str, Any], **options: Unpack[Settings]
    ) -> Reply[Out]: ...
    @overload
    def apply_async(
        self, *, kwargs: Mapping[str, Any], **options: Unpack[Settings]
    ) -> Reply[Out]: ...
    def batch(self, arguments: Iterable[Args | Mapping[str, Any]]) -> list[Reply[Out]]:
        """Send many calls by one pipelined publish.

        Args:
            arguments: one item a call: a tuple of positional arguments, or a dict of keywords.
        """
    def options(self, **options: Unpack[Settings]) -> Self:
        """Give this task with options for its calls: timeout, priority, headers, countdown, ..."""
    def signature(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        immutable: bool = False,
        **options: Unpack[Settings],
    ) -> Flex[Any, Out]:
        """Give a signature with options; its arguments are not checked here."""
    def map(self, items: Iterable[Any]) -> Sig[list[Out]]:
        """Give a canvas that calls the task with each item, one after the other in one worker."""
    def starmap(self, items: Iterable[Args | list[Any]]) -> Sig[list[Out]]:
        """Give a canvas as of map(), whose items are tuples of arguments."""
    def chunks(self, items: Iterable[Args | list[Any]], size: int) -> Canvas[list[list[Out]]]:
        """Give a canvas that calls the task with tuples of arguments, so many in each message."""
    @property
    def name(self) -> str:
        """The task's full name."""
    @property
    def queue(self) -> str:
        """The queue that it is called by."""
    @property
    def spec(self) -> TaskSpec:
        """All that is known of the task."""
    @property
    def address(self) -> Address:
        """Where its calls go."""

class _Linked(Generic[Out]):
    def set(self, *, immutable: bool | None = None, **options: Unpack[Settings]) -> Self:
        """Set options, in place."""
    def clone(self) -> Self:
        """Give a copy."""
    def link(self, callback: Partial[Out, R]) -> Partial[Out, R]:
        """Call a task with the value; gives the callback, as Celery does."""
    def link_error(self, errback: Any) -> Any:
        """Call a task if this one fails; gives the errback, as Celery does."""
    def on_error(self, errback: Any) -> Self:
        """Call a task if this one fails; gives this canvas."""

class Canvas(_Linked[Out]):
    """What can be sent as it is, and gives an ``Out``."""

    async def aio(self) -> Out:
        """Send it and await the value."""
    def explain(self) -> Plan:
        """Say what would be sent where, who listens there, and what is wrong; send nothing."""
    @overload
    def __or__(self, other: PartialGroup[Out, R]) -> Group[R]: ...
    @overload
    def __or__(self, other: Partial[Out, R]) -> Chain[R]: ...

class Partial(_Linked[Out], Generic[In, Out]):
    """What waits for an ``In``, and then gives an ``Out``: the later part of a chain."""

    def delay(self, value: In, /) -> Reply[Out]:
        """Send it with what it waits for."""
    def apply_async(self, args: tuple[In] | list[In], **options: Unpack[Settings]) -> Reply[Out]:
        """Send it with what it waits for, and with options."""
    async def aio(self, value: In, /) -> Out:
        """Send it with what it waits for, and await the value."""
    @overload
    def __or__(self, other: PartialGroup[Out, R]) -> PartialGroup[In, R]: ...
    @overload
    def __or__(self, other: Partial[Out, R]) -> Partial[In, R]: ...

class Sig(Canvas[Out]):
    """A task with all of its arguments."""

    def __call__(self) -> Out:
        """Call the task and wait for its value, like a local function."""
    def delay(self) -> Reply[Out]:
        """Send it."""
    def apply_async(self, **options: Unpack[Settings]) -> Reply[Out]:
        """Send it with options (those of Celery's own apply_async)."""

class Chain(Canvas[Out]):
    """Tasks one after the other, or a chord; the value is that of the last."""

    def __call__(self) -> Reply[Out]:
        """Send it, as Celery does."""
    def delay(self) -> Reply[Out]:
        """Send it."""
    def apply_async(self, **options: Unpack[Settings]) -> Reply[Out]:
        """Send it with options (those of Celery's own apply_async)."""

class Group(Canvas[Out]):
    """Tasks at once; with ``|`` and a task for their values it is a chord."""

    def __call__(self) -> GroupReply[Out]:
        """Send it, as Celery does."""
    def delay(self) -> GroupReply[Out]:
        """Send it."""
    def apply_async(self, **options: Unpack[Settings]) -> GroupReply[Out]:
        """Send it with options (those of Celery's own apply_async)."""

class _Either(Canvas[Out], Partial[In, Out], Generic[In, Out]):
    """What can be sent as it is, and can take a value from the one before as well."""

    def delay(self, value: In = ..., /) -> Reply[Out]: ...
    def apply_async(
        self, args: tuple[In] | list[In] = ..., **options: Unpack[Settings]
    ) -> Reply[Out]: ...
    async def aio(self, value: In = ..., /) -> Out: ...
    @overload
    def __or__(self, other: PartialGroup[Out, R]) -> FlexGroup[In, R]: ...
    @overload
    def __or__(self, other: Partial[Out, R]) -> FlexChain[In, R]: ...

class Flex(_Either[In, Out], Sig[Out]):
    """A task that can be called as it is, and can take a value from the one before as well."""

    def __call__(self, value: In = ..., /) -> Out: ...

class ImmSig(Flex[object, Out]):
    """A task with all of its arguments, which ignores the value of the one before."""

class FlexChain(_Either[In, Out], Chain[Out]):
    """A chain that begins with a Flex."""

    def __call__(self, value: In = ..., /) -> Reply[Out]: ...

class PartialGroup(Partial[In, Out]):
    """Tasks at once, each of which takes the value of the one before."""

    def delay(self, value: In, /) -> GroupReply[Out]: ...  # type: ignore[override]
    def apply_async(  # type: ignore[override]
        self, args: tuple[In] | list[In], **options: Unpack[Settings]
    ) -> GroupReply[Out]: ...

class FlexGroup(Group[Out], PartialGroup[In, Out], Generic[In, Out]):
    """Tasks at once, each of which may take the value of the one before."""

    def delay(self, value: In = ..., /) -> GroupReply[Out]: ...  # type: ignore[override]
    def apply_async(  # type: ignore[override]
        self, args: tuple[In] | list[In] = ..., **options: Unpack[Settings]
    ) -> GroupReply[Out]: ...
    async def aio(self, value: In = ..., /) -> Out: ...
    @overload
    def __or__(self, other: PartialGroup[Out, R]) -> FlexGroup[In, R]: ...
    @overload
    def __or__(self, other: Partial[Out, R]) -> FlexChain[In, R]: ...

class ChordHeader(Generic[Out]):
    """A chord whose body is still to come."""

    def __call__(self, body: Partial[Out, R]) -> Reply[R]:
        """Send it with its body, as Celery does."""

@overload
def chain(_1: Flex[R, A], /) -> FlexChain[R, A]: ...
@overload
def chain(_1: Canvas[A], /) -> Chain[A]: ...
@overload
def chain(_1: Partial[R, A], /) -> Partial[R, A]: ...
@overload
def chain(_1: Flex[R, A], _2: Partial[A, B], /) -> FlexChain[R, B]: ...
@overload
def chain(_1: Canvas[A], _2: Partial[A, B], /) -> Chain[B]: ...
@overload
def chain(_1: Partial[R, A], _2: Partial[A, B], /) -> Partial[R, B]: ...
@overload
def chain(_1: Flex[R, A], _2: Partial[A, B], _3: Partial[B, C], /) -> FlexChain[R, C]: ...
@overload
def chain(_1: Canvas[A], _2: Partial[A, B], _3: Partial[B, C], /) -> Chain[C]: ...
@overload
def chain(_1: Partial[R, A], _2: Partial[A, B], _3: Partial[B, C], /) -> Partial[R, C]: ...
@overload
def chain(
    _1: Flex[R, A], _2: Partial[A, B], _3: Partial[B, C], _4: Partial[C, D], /
) -> FlexChain[R, D]: ...
@overload
def chain(
    _1: Canvas[A], _2: Partial[A, B], _3: Partial[B, C], _4: Partial[C, D], /
) -> Chain[D]: ...
@overload
def chain(
    _1: Partial[R, A], _2: Partial[A, B], _3: Partial[B, C], _4: Partial[C, D], /
) -> Partial[R, D]: ...
@overload
def chain(
    _1: Flex[R, A], _2: Partial[A, B], _3: Partial[B, C], _4: Partial[C, D], _5: Partial[D, E], /
) -> FlexChain[R, E]: ...
@overload
def chain(
    _1: Canvas[A], _2: Partial[A, B], _3: Partial[B, C], _4: Partial[C, D], _5: Partial[D, E], /
) -> Chain[E]: ...
@overload
def chain(
    _1: Partial[R, A], _2: Partial[A, B], _3: Partial[B, C], _4: Partial[C, D], _5: Partial[D, E], /
) -> Partial[R, E]: ...
@overload
def chain(
    _1: Canvas[Any],
    _2: Partial[Any, Any],
    _3: Partial[Any, Any],
    _4: Partial[Any, Any],
    _5: Partial[Any, Any],
    _6: Partial[Any, Any],
    /,
    *more: Partial[Any, Any],
) -> Chain[Any]: ...
@overload
def chain(
    _1: Partial[R, Any],
    _2: Partial[Any, Any],
    _3: Partial[Any, Any],
    _4: Partial[Any, Any],
    _5: Partial[Any, Any],
    _6: Partial[Any, Any],
    /,
    *more: Partial[Any, Any],
) -> Partial[R, Any]: ...
@overload
def chain(tasks: Iterable[Any], /) -> Chain[Any]:
    """Give tasks one after the other, each with the result of the one before."""

@overload
def group(*tasks: Flex[R, A]) -> FlexGroup[R, list[A]]: ...
@overload
def group(*tasks: Canvas[A]) -> Group[list[A]]: ...
@overload
def group(*tasks: Partial[R, A]) -> PartialGroup[R, list[A]]: ...
@overload
def group(tasks: Iterable[Flex[R, A]], /) -> FlexGroup[R, list[A]]: ...
@overload
def group(tasks: Iterable[Canvas[A]], /) -> Group[list[A]]: ...
@overload
def group(tasks: Iterable[Partial[R, A]], /) -> PartialGroup[R, list[A]]: ...
@overload
def group(_1: Flex[R, A], _2: Flex[R, B], /) -> FlexGroup[R, tuple[A, B]]: ...
@overload
def group(_1: Canvas[A], _2: Canvas[B], /) -> Group[tuple[A, B]]: ...
@overload
def group(_1: Partial[R, A], _2: Partial[R, B], /) -> PartialGroup[R, tuple[A, B]]: ...
@overload
def group(_1: Flex[R, A], _2: Flex[R, B], _3: Flex[R, C], /) -> FlexGroup[R, tuple[A, B, C]]: ...
@overload
def group(_1: Canvas[A], _2: Canvas[B], _3: Canvas[C], /) -> Group[tuple[A, B, C]]: ...
@overload
def group(
    _1: Partial[R, A], _2: Partial[R, B], _3: Partial[R, C], /
) -> PartialGroup[R, tuple[A, B, C]]: ...
@overload
def group(
    _1: Flex[R, A], _2: Flex[R, B], _3: Flex[R, C], _4: Flex[R, D], /
) -> FlexGroup[R, tuple[A, B, C, D]]: ...
@overload
def group(
    _1: Canvas[A], _2: Canvas[B], _3: Canvas[C], _4: Canvas[D], /
) -> Group[tuple[A, B, C, D]]: ...
@overload
def group(
    _1: Partial[R, A], _2: Partial[R, B], _3: Partial[R, C], _4: Partial[R, D], /
) -> PartialGroup[R, tuple[A, B, C, D]]: ...
@overload
def group(
    _1: Flex[R, A], _2: Flex[R, B], _3: Flex[R, C], _4: Flex[R, D], _5: Flex[R, E], /
) -> FlexGroup[R, tuple[A, B, C, D, E]]: ...
@overload
def group(
    _1: Canvas[A], _2: Canvas[B], _3: Canvas[C], _4: Canvas[D], _5: Canvas[E], /
) -> Group[tuple[A, B, C, D, E]]: ...
@overload
def group(
    _1: Partial[R, A], _2: Partial[R, B], _3: Partial[R, C], _4: Partial[R, D], _5: Partial[R, E], /
) -> PartialGroup[R, tuple[A, B, C, D, E]]: ...
@overload
def group(
    _1: Canvas[Any],
    _2: Canvas[Any],
    _3: Canvas[Any],
    _4: Canvas[Any],
    _5: Canvas[Any],
    _6: Canvas[Any],
    /,
    *more: Canvas[Any],
) -> Group[list[Any]]: ...
@overload
def group(
    _1: Partial[R, Any],
    _2: Partial[R, Any],
    _3: Partial[R, Any],
    _4: Partial[R, Any],
    _5: Partial[R, Any],
    _6: Partial[R, Any],
    /,
    *more: Partial[R, Any],
) -> PartialGroup[R, list[Any]]:
    """Give tasks at once; their results are a list."""

@overload
def chord(header: Group[A], body: Partial[A, R]) -> Chain[R]: ...
@overload
def chord(header: Iterable[Canvas[A]], body: Partial[list[A], R]) -> Chain[R]: ...
@overload
def chord(header: Group[A]) -> ChordHeader[A]: ...
@overload
def chord(header: Iterable[Canvas[A]]) -> ChordHeader[list[A]]:
    """Give tasks at once, and then one with the list of their results."""
