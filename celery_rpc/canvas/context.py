"""Context: what a part of a canvas gets from the canvas around it; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from celery_rpc.canvas.nodes import Errback, Node

#: What Celery writes of a task's place in its canvas.
LINEAGE = frozenset({"root_id", "parent_id", "group_id", "group_index"})

#: Options of a canvas that are not passed on to the tasks in it.
OWN = LINEAGE | {"task_id", "link", "link_error", "chain", "chord", "reply_to"}


@dataclass(frozen=True, slots=True)
class Context:
    """What a part of a canvas gets from the canvas around it."""

    #: Whose value it takes.
    source: Node | None = None
    #: Partial arguments, put before those of the first tasks.
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    #: Options that replace those of the tasks.
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    #: Callbacks in addition to its own.
    links: Sequence[Any] = ()
    #: Errbacks of the canvases around it: called by the worker of a task that fails ...
    errbacks: tuple[Errback, ...] = ()
    #: ... or, where several may fail before something that follows, by the client, once each.
    guards: tuple[Sequence[Errback], ...] = ()
    #: It is a callback, or part of one.
    aside: bool = False

    def after(self, source: Node | None) -> "Context":
        """Return the context of what comes next: arguments are for the first alone."""
        return replace(self, source=source, args=(), kwargs={}, options={}, links=())

    def inside(self, options: Mapping[str, Any], errbacks: Sequence[Any]) -> "Context":
        """Return the context of what is inside a canvas with these options and errbacks."""
        return replace(
            self,
            options={name: value for name, value in options.items() if name not in OWN},
            errbacks=(*self.errbacks, *map(Errback, errbacks)),
            links=(),
        )

    def of_member(self, options: Mapping[str, Any]) -> "Context":
        """Return the context of the members of a group: callbacks and errbacks are options, too."""
        inside = self.inside(options, ())
        linked = {name: options[name] for name in ("link", "link_error") if name in options}
        return replace(inside, options={**inside.options, **linked})

    def guarded(self, guard: Sequence[Errback]) -> "Context":
        """Return the context of tasks that may fail at once: the client calls the errbacks."""
        return replace(self, errbacks=(), guards=(*self.guards, guard))
