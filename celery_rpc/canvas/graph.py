"""Graph: plain tasks of any services, and what each waits for."""

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

from celery_rpc.calls.retry import Retry
from celery_rpc.canvas.celery_classes import to_signature
from celery_rpc.canvas.lowering import lower
from celery_rpc.canvas.nodes import Gate, Node, Nodes, Passing, Step
from celery_rpc.errors import CanvasError

After = Node | Sequence[Node] | Mapping[str, Node] | None


class Graph(Nodes):
    """Plain tasks of any services, and what each waits for; flat, however deep a canvas was.

    ``add`` steps by hand, or take them ``from_canvas``; then ``client.run(graph)``.
    """

    def __init__(self) -> None:
        super().__init__()
        #: The node that has the result of the canvas that this graph was made of.
        self.end: Node | None = None
        #: True when edges were added later: only then can steps wait for one another.
        self._reordered = False

    @classmethod
    def from_canvas(
        cls,
        canvas: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> "Graph":
        """Return the graph of a canvas: a signature, chain, group or chord, nested at will.

        Raises:
            CanvasError: a part of it is no signature of a remote task.
        """
        graph = cls()
        graph.end = lower(graph, canvas, args, kwargs, options)
        return graph

    def add(
        self,
        signature: Any,
        *,
        after: After = None,
        timeout: float | None = None,
        retry: Retry | None = None,
    ) -> Step:
        """Add one task.

        Args:
            signature: of a remote task: ``client.billing.add.s(1)``.
            after: the step that it waits for, whose result goes before its own arguments; a list
                of steps, whose results go there as one list; or a dict, keyword -> step. A
                signature that is immutable (``si``) waits, and takes no result.
            timeout: seconds until it must have ended, from when it is sent, and so for each
                attempt; left out, the policy's attempt_timeout.
            retry: a Retry: after which failures it is sent again, and when.

        Raises:
            CanvasError: it is no signature of one remote task, or ``after`` no step of this graph.
        """
        before = len(self)
        step = lower(self, signature)
        if not isinstance(step, Step) or any(
            n is not step and not n.aside for n in self.nodes[before:]
        ):
            del self.nodes[before:]
            raise CanvasError(f"a step is one task, not {signature!r}: use Graph.from_canvas")
        step.timeout, step.retry = timeout, retry or step.retry
        if after is not None:
            self._come_after(step, after, immutable=bool(to_signature(signature).immutable))
        return step

    def _come_after(self, step: Step, after: Any, *, immutable: bool) -> None:
        names: tuple[str, ...] = ()
        if isinstance(after, Node):
            parents = [after]
        elif isinstance(after, Mapping):
            names, parents = tuple(after), list(after.values())
        else:
            parents = list(after)
        self._own(parents)
        if immutable:
            step.after = parents
        elif names:
            step.after, step.names, step.passing = parents, names, Passing.NAMED
        else:
            step.after = parents if isinstance(after, Node) else [self.join(parents)]
            step.passing = Passing.VALUE

    def order(self, first: Node, then: Step) -> None:
        """Let one step wait for another without taking its result.

        Raises:
            CanvasError: one of them is no step of this graph.
        """
        self._own([first, then])
        self._reordered = True
        if then.passing is Passing.VALUE:
            then.after = [self.put(Gate([*then.after, first]))]
        else:
            then.after = [*then.after, first]

    def _own(self, nodes: Sequence[Any]) -> None:
        for node in nodes:
            mine = isinstance(node, Node) and 0 <= node.index < len(self)
            if not mine or self.nodes[node.index] is not node:
                raise CanvasError(f"{node!r} is no step of this graph: use what add() gave")

    @property
    def ends(self) -> list[Node]:
        """The nodes whose values are the graph's: the canvas's end, or those nobody waits for."""
        if self.end is not None:
            return [self.end]
        main = [node for node in self.nodes if not node.aside]
        awaited = {parent.index for node in main for parent in node.after}
        return [node for node in main if node.index not in awaited]

    def check(self) -> None:
        """Refuse a graph that could never end.

        Raises:
            CanvasError: steps wait for one another; names them.
        """
        if not self._reordered:
            return
        order = TopologicalSorter({n.index: [p.index for p in n.after] for n in self.nodes})
        try:
            order.prepare()
        except CycleError as error:
            circle = [self.nodes[index] for index in error.args[1]]
            names = " -> ".join(node.label for node in circle if isinstance(node, Step))
            raise CanvasError(f"these steps wait for one another: {names}") from error

    def __repr__(self) -> str:
        return f"<Graph of {len(self.steps):,} steps>"
