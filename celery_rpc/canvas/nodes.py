"""Nodes: the points of a graph, and what each makes of the values before it; pure."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from celery_rpc.calls.call import DEFAULTS, NO_LINEAGE, CallOptions, Lineage
from celery_rpc.calls.retry import Retry
from celery_rpc.catalog.address import Address


class Passing(StrEnum):
    """How a step takes the results of those it comes after."""

    #: Not at all: it only waits for them.
    NOTHING = "nothing"
    #: The first one goes before its own arguments, as in a chain.
    VALUE = "value"
    #: Each goes by a keyword.
    NAMED = "named"


@dataclass(eq=False, slots=True)
class Errback:
    """An errback of a canvas, called once, however many of the tasks that it guards fail."""

    signature: Any
    #: What has the result of the canvas: the errback gets its id.
    end: "Node | None" = None


@dataclass(eq=False, slots=True)
class Node:
    """A point in a graph that has a value once it is reached."""

    #: Those whose values must be there first.
    after: list["Node"] = field(default_factory=list["Node"])
    #: Given before the run where somebody holds the result already.
    id: str | None = None
    #: What the client calls should it fail: lists that it shares with others, one for each group
    #: around it that something follows.
    guards: Sequence[Sequence[Errback]] = ()
    #: The ends of its callbacks (``link``).
    callbacks: list["Node"] = field(default_factory=list["Node"])
    #: It is a callback, or part of one: the result of the canvas does not wait for it.
    aside: bool = False
    #: Place in the graph.
    index: int = -1

    @property
    def source(self) -> "Node | None":
        """What it follows: the parent of its result, as Celery calls it."""
        return self.after[0] if self.after else None

    @property
    def label(self) -> str:
        """Name the node, for people."""
        return f"list {self.index}"


@dataclass(eq=False, slots=True)
class Junction(Node, ABC):
    """A point that has its value once those before it have theirs; no message is sent for it."""

    @abstractmethod
    def value(self, values: Sequence[Any]) -> Any:
        """Make its value of those before it."""


@dataclass(eq=False, slots=True)
class Join(Junction):
    """The values of several nodes as one list."""

    #: What its members follow.
    before: Node | None = None

    @property
    def source(self) -> Node | None:
        return self.before

    def value(self, values: Sequence[Any]) -> Any:
        return list(values)


@dataclass(eq=False, slots=True)
class Gate(Junction):
    """The first of several values, once all of them are there."""

    @property
    def source(self) -> Node | None:
        return self.after[0].source

    def value(self, values: Sequence[Any]) -> Any:
        return values[0]


@dataclass(eq=False, slots=True)
class Given(Node):
    """The result of a call that was made elsewhere, known by its id."""

    #: Id of the root of that call; None: it is one itself.
    root: str | None = None

    @property
    def label(self) -> str:
        return f"the call {self.id}"


@dataclass(eq=False, slots=True, repr=False)
class Step(Node):
    """One plain task. Its value is the task's result."""

    task: str = ""
    address: Address = field(default_factory=lambda: Address(""))
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    options: CallOptions = DEFAULTS
    passing: Passing = Passing.NOTHING
    #: The keywords of NAMED, in the order of ``after``.
    names: Sequence[str] = ()
    #: Seconds from when it is sent; None: as long as the run.
    timeout: float | None = None
    #: When it is sent again after a failure.
    retry: Retry | None = None
    #: What its signature says of its lineage; it goes before what the graph says.
    told: Lineage = NO_LINEAGE
    #: The group that it is a member of, or the header of the chord that it ends ...
    group: Join | None = None
    #: ... and its place there, as a member.
    place: int | None = None

    @property
    def patience(self) -> float | None:
        """Seconds until an attempt must have ended."""
        if self.timeout is None and self.retry is not None:
            return self.retry.attempt_timeout
        return self.timeout

    @property
    def label(self) -> str:
        return f"step {self.index} ({self.task} on {self.address.label})"

    def arguments(self, values: Sequence[Any]) -> tuple[Sequence[Any], Mapping[str, Any]]:
        """Return the arguments of its call, from the values of those it comes after."""
        if self.passing is Passing.VALUE:
            return (values[0], *self.args), self.kwargs
        if self.passing is Passing.NAMED:
            return self.args, {**self.kwargs, **dict(zip(self.names, values, strict=False))}
        return self.args, self.kwargs

    def lineage(
        self, id_of: Callable[[Node], str], root: str | None, parent: str | None
    ) -> Lineage:
        """Return the lineage of its call.

        Args:
            root: the root of the step that led to it; None: it is a root itself.
            parent: the id of the step that led to it.
        """
        told, group = self.told, self.group
        return Lineage(
            told.root_id or root,
            told.parent_id or parent,
            told.group_id or (None if group is None else id_of(group)),
            self.place if told.group_index is None else told.group_index,
        )

    def __repr__(self) -> str:
        return f"<{self.label}>"


def belong(end: Node, group: Join, place: int | None = None) -> None:
    """Let the end of a part of a canvas be of a group; if it is a group, all of its members."""
    if isinstance(end, Step):
        end.group, end.place = group, place
    elif isinstance(end, Join):
        for member in end.after:
            belong(member, group, member.place if isinstance(member, Step) else None)


class Nodes:
    """The nodes of a graph, in the order in which they came."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []

    def put(self, node: Node) -> Any:
        """Add a node."""
        node.index = len(self.nodes)
        self.nodes.append(node)
        return node

    def join(
        self, nodes: Iterable[Node], *, before: Node | None = None, aside: bool = False
    ) -> Join:
        """Add a point that has the values of several nodes as a list."""
        joined: Join = self.put(Join(list(nodes), before=before, aside=aside))
        return joined

    @property
    def steps(self) -> list[Step]:
        """The tasks, in the order in which they were added."""
        return [node for node in self.nodes if isinstance(node, Step)]

    def __len__(self) -> int:
        return len(self.nodes)
