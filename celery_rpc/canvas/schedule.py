"""Course: how far each node of a graph has come, and which steps may go next; pure."""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from celery_rpc.calls.pending import Outcome
from celery_rpc.canvas.nodes import Given, Junction, Node, Step
from celery_rpc.canvas.progress import ENDED, RunStatus, StepState

#: All ends together, where the place of one is given else.
EVERY = -1

#: Told of each node that has come further: its place, and its state.
Moved = Callable[[int, StepState], object]


class Course:
    """The states and values of a graph's nodes. One thread at a time may move it on.

    Args:
        ends: the nodes whose values are those of the run.
    """

    def __init__(self, nodes: Sequence[Node], ends: Sequence[Node], moved: Moved) -> None:
        self.nodes = nodes
        self.ends = ends
        self.states = [StepState.WAITING] * len(nodes)
        self.values: list[Any] = [None] * len(nodes)
        self.failures: dict[int, Outcome] = {}
        #: The step whose end led to each node; None where nothing had to come before.
        self.causes: list[int | None] = [None] * len(nodes)
        #: Steps for which all is there that they wait for, in their turn.
        self.ready: deque[int] = deque()
        self._moved = moved
        self._missing = [len(node.after) for node in nodes]
        self._followers: list[list[int]] = [[] for _ in nodes]
        for node in nodes:
            for parent in node.after:
                self._followers[parent.index].append(node.index)
        self._left = len(nodes)
        self._ends_left = {node.index for node in ends}
        #: What decided how the run ends for those who wait for its value: the place of an end that
        #: failed, or EVERY when all ends have values; None while that is open.
        self.decided_by: int | None = None if ends else EVERY

    @property
    def over(self) -> bool:
        """True once every node has ended."""
        return self._left == 0

    def begin(self) -> None:
        """Reach what waits for nothing."""
        self._reach(n for n in self.nodes if not n.after and not isinstance(n, Given))

    def succeed(self, index: int, value: Any) -> None:
        """End a node by its value, and reach what waited for nothing else."""
        self._reach(self._arrive(index, value))

    def _reach(self, nodes: Iterable[Node]) -> None:
        """Let steps take their turn; a list has its value at once, and what waits for it may go."""
        reached = deque(nodes)
        while reached:
            node = reached.popleft()
            if isinstance(node, Junction):
                reached += self._arrive(node.index, node.value(self.before(node)))
            else:
                self.ready.append(node.index)

    def _arrive(self, index: int, value: Any) -> list[Node]:
        """Note a node's value, and return those that waited for nothing else."""
        self.values[index] = value
        self.end(index, StepState.SUCCESS)
        cause = self.causes[index] if isinstance(self.nodes[index], Junction) else index
        free: list[Node] = []
        for follower in self._followers[index]:
            self._missing[follower] -= 1
            if self._missing[follower] == 0 and self.states[follower] is StepState.WAITING:
                self.causes[follower] = cause
                free.append(self.nodes[follower])
        return free

    def before(self, node: Node) -> list[Any]:
        """Return the values of those that a node comes after."""
        return [self.values[parent.index] for parent in node.after]

    def fail(self, index: int, outcome: Outcome) -> None:
        """End a node by a failure, and skip all that depends on it."""
        state = StepState.FAILURE
        failed = [index]
        while failed:
            index = failed.pop()
            if self.states[index] in ENDED:
                continue
            self.failures[index] = outcome
            self.end(index, state)
            state = StepState.SKIPPED
            failed += self._followers[index]

    def stop(self, state: StepState, error: Callable[[str, StepState], Exception]) -> None:
        """End all that has not ended, each by an error of its own."""
        self.ready.clear()
        for index, node in enumerate(self.nodes):
            if self.states[index] not in ENDED:
                failure = error(node.label, self.states[index])
                self.failures[index] = Outcome("REVOKED", error=failure)
                self.end(index, state)

    def end(self, index: int, state: StepState) -> None:
        """Set the state of a node that has ended."""
        self._left -= 1
        if index in self._ends_left and self.decided_by is None:
            self._judge(index)
        self.move(index, state)

    def _judge(self, index: int) -> None:
        """Decide how the run ends: the first failure of an end decides, whatever still runs."""
        self._ends_left.remove(index)
        if index in self.failures:
            self.decided_by = index
        elif not self._ends_left:
            self.decided_by = EVERY

    @property
    def verdict(self) -> Outcome | None:
        """How the run ends for those who wait for its value; None while that is open."""
        if self.decided_by is None:
            return None
        if self.decided_by != EVERY:
            return self.failures[self.decided_by]
        values = [self.values[node.index] for node in self.ends]
        return Outcome("SUCCESS", values[0] if len(values) == 1 else values)

    def recount(self, ready: Iterable[int], decided_by: int | None) -> None:
        """Adopt states, values and failures that were set from outside."""
        self.ready = deque(ready)
        self.decided_by = decided_by
        ended = [state in ENDED for state in self.states]
        self._left = ended.count(False)
        self._ends_left = {node.index for node in self.ends if not ended[node.index]}
        for node in self.nodes:
            reached = [self.states[parent.index] is StepState.SUCCESS for parent in node.after]
            self._missing[node.index] = reached.count(False)

    def move(self, index: int, state: StepState) -> None:
        """Set the state of a node."""
        self.states[index] = state
        self._moved(index, state)

    def outcome(self, index: int) -> Outcome:
        """Return the outcome of a node that has ended."""
        failure = self.failures.get(index)
        return failure if failure is not None else Outcome("SUCCESS", self.values[index])

    def status(self) -> RunStatus:
        """Count the steps by how far they have come."""
        counts = Counter(self.states[node.index] for node in self.nodes if isinstance(node, Step))
        return RunStatus(*(counts[state] for state in StepState))
