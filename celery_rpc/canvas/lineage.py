"""Lineages: where the steps of a run are in their canvas, as Celery would say it; pure."""

from collections.abc import Sequence

from celery_rpc.calls.call import Lineage
from celery_rpc.canvas.nodes import Given, Node, Step


class Lineages:
    """The lineage of each step of a run.

    Args:
        ids: those of the nodes.
        causes: for each node the step whose end led to it, once it has been reached.
    """

    def __init__(self, nodes: Sequence[Node], ids: Sequence[str], causes: Sequence[int | None]):
        self._nodes = nodes
        self._ids = ids
        self._causes = causes
        #: Ids of the roots of steps; None where a step is one itself.
        self._roots: dict[int, str | None] = {}
        #: Ids by which workers knew steps, where they are not the steps' own.
        self._called: dict[int, str] = {}

    def of(self, step: Step) -> Lineage:
        """Return the lineage of a step that is about to be sent."""
        cause = self._causes[step.index]
        root = None if cause is None else self.root_id(cause)
        parent = None if cause is None else self.called(cause)
        lineage = step.lineage(lambda node: self._ids[node.index], root, parent)
        self._roots[step.index] = lineage.root_id
        return lineage

    def root(self, index: int) -> str | None:
        """Return the id of a step's root; None where it is one itself, or not known."""
        return self._roots.get(index)

    def root_id(self, index: int) -> str:
        """Return the id of a step's root."""
        return self._roots.get(index) or self.called(index)

    def called(self, index: int) -> str:
        """Return the id by which a worker knew a step."""
        return self._called.get(index, self._ids[index])

    def landed(self, index: int, task_id: str, root: str | None) -> None:
        """Note by which id a step was called, and what is known of its root."""
        if task_id != self._ids[index]:
            self._called[index] = task_id
        node = self._nodes[index]
        if isinstance(node, Given):
            self._roots[index] = root or node.root
