"""Tree: a catalog's tasks by the attributes that lead to them."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from celery_rpc.catalog.model import Catalog, Service, TaskSpec
from celery_rpc.codegen.names import OF_CLIENT, OF_SERVICE, OF_TASK, attribute_of
from celery_rpc.codegen.report import Report

#: Parts of a task's name.
MAX_PARTS = 20


@dataclass(slots=True)
class Node:
    """A service, a part of it, or a task; and what is below it."""

    queue: str = ""
    #: The names on the way, without those of the escaped.
    path: tuple[str, ...] = ()
    attribute: str = ""
    task: TaskSpec | None = None
    #: By attribute, sorted.
    children: dict[str, "Node"] = field(default_factory=dict[str, "Node"])

    @property
    def reserved(self) -> Collection[str]:
        """The attributes that it has itself."""
        if not self.path:
            return OF_CLIENT
        return OF_SERVICE if self.task is None else OF_TASK

    @property
    def count(self) -> int:
        """The number of tasks here and below."""
        return (self.task is not None) + sum(each.count for each in self.children.values())

    def __iter__(self) -> Iterator["Node"]:
        yield self
        for each in self.children.values():
            yield from each

    def prune(self) -> None:
        """Sort what is below, and leave out what leads nowhere."""
        for each in self.children.values():
            each.prune()
        self.children = {
            name: each
            for name, each in sorted(self.children.items())
            if each.task is not None or each.children or len(each.path) == 1
        }


def tree_of(catalog: Catalog, report: Report) -> Node:
    """Return the tree of a catalog; what no attribute leads to is reported."""
    root = Node()
    for queue in sorted(catalog):
        service = catalog[queue]
        # Names without children first: a task that has some is a task before it is a part.
        placed = sorted((path_of(service, name).split("."), name) for name in service.public)
        for parts, name in placed:
            reason = place(root, service, parts, service.public[name])
            if reason:
                report.add(queue, name, "", f"{reason}: client.task({name!r:.100}, queue=...)")
    root.prune()
    return root


def path_of(service: Service, name: str) -> str:
    """Return the shortest path that names a task and no other."""
    short = name.removeprefix(f"{service.queue}.")
    return name if short != name and short in service.tasks else short


def place(root: Node, service: Service, parts: list[str], task: TaskSpec) -> str:
    """Put a task into the tree; gives why not, where it cannot be."""
    if f"{service.queue}.{'.'.join(parts)}" in service.tasks and ".".join(parts) == task.name:
        return "another task has this path too"
    if len(parts) > MAX_PARTS:
        return "its name has too many parts"
    node = root
    for name in (service.queue, *parts):
        attribute = attribute_of(name, node.reserved)
        if attribute is None:
            return f"{name[:80]!r} can be no attribute"
        own = Node(service.queue, (*node.path, name), attribute)
        node = node.children.setdefault(attribute, own)
        if node.path[-1] != name:
            return f"{node.path[-1]!r} has the attribute {attribute!r}"
    node.task = task
    return ""
