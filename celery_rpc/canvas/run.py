"""Run: a graph under way, as those see it who wait for it."""

from collections.abc import Generator, Sequence
from typing import Any

from celery_rpc.calls.pending import Outcome, Pending
from celery_rpc.calls.reply import Reply
from celery_rpc.canvas import endings
from celery_rpc.canvas.client import RunClient
from celery_rpc.canvas.driver import Driver, OnChange
from celery_rpc.canvas.nodes import Node, Nodes, Step
from celery_rpc.canvas.progress import ENDED, RunStatus, StepState
from celery_rpc.canvas.results import decoder_of, in_types, result_of
from celery_rpc.canvas.run_json import run_to_json
from celery_rpc.errors import ClientClosed
from celery_rpc.settings.client_options import UNSET, Unset
from celery_rpc.support.deadline import NEVER, Deadline
from celery_rpc.support.fork import renew_after_fork

#: Steps under way at once.
LIMIT = 1_000


class Run:
    """A graph under way, advanced on the client; it ends with its client.

    Any thread may ask it, wait for it, or await it.
    """

    def __init__(
        self,
        graph: Nodes,
        client: Any,
        *,
        ends: Sequence[Node],
        deadline: Deadline = NEVER,
        limit: int = LIMIT,
        on_change: OnChange | None = None,
    ) -> None:
        self.graph = graph
        self.client: RunClient = client
        self.id = self.client.new_id()
        self.deadline = deadline
        self._ends = ends
        #: Ends with the value, or the first failure of an end ...
        self._value = Pending(self.id, "the run", deadline)
        #: ... and this with the last of the steps.
        self._over = Pending(self.id, "the run", deadline)
        self._driver = Driver(
            graph,
            client,
            ends=ends,
            deadline=deadline,
            limit=limit,
            on_change=on_change,
            decided=self._value.resolve,
            finished=lambda: self._over.resolve(Outcome("SUCCESS")),
        )
        self._value.decode, self._value.explain = self._read_ends, self._driver.explain
        renew_after_fork(self)

    def start(self) -> "Run":
        """Send what waits for nothing; the rest follows by itself."""
        for node in self.graph.steps:
            if node.id is not None and (known := self.client.expected(node.id)) is not None:
                known.explain = self._driver.explain
        self._driver.start()
        return self

    def _read_ends(self, value: Any) -> Any:
        """Return the value of the run in the types that its last tasks declare."""
        if len(self._ends) == 1:
            return in_types(self._ends[0], value, self.client)
        return [in_types(*each, self.client) for each in zip(self._ends, value, strict=True)]

    # ----- its steps

    def id_of(self, node: Node) -> str:
        """Return the id of a step's call, or of a group."""
        return self._driver.ids[node.index]

    def result(self, node: Node) -> Any:
        """Return the result of a step: a Reply; of a group: a GroupReply."""
        return result_of(self, node)

    def pending(self, node: Node) -> Pending:
        """Return the meeting point of a node's outcome and of whoever waits for it."""
        asked = self._driver.asked
        if node.index not in asked:
            made = asked.setdefault(node.index, self._meeting_point(node))
            if self.state(node) in ENDED:
                made.resolve(self._driver.machine.course.outcome(node.index))
        return asked[node.index]

    def _meeting_point(self, node: Node) -> Pending:
        call = self._driver.calls.get(node.index)
        if call is not None and (not isinstance(node, Step) or node.retry is None):
            return call
        task = node.task if isinstance(node, Step) else ""
        made = Pending(self.id_of(node), task, self.deadline)
        made.decode, made.explain = decoder_of(node, self.client), self._driver.explain
        return made

    # ----- how it stands

    def status(self) -> RunStatus:
        """Count the steps by how far they have come."""
        return self._driver.machine.course.status()

    def state(self, step: Node) -> StepState:
        """Return how far a step has come."""
        return self._driver.machine.course.states[step.index]

    def value(self, node: Node) -> Any:
        """Return the value of a node that has been reached."""
        return self._driver.machine.course.values[node.index]

    def error(self, node: Node) -> Exception | None:
        """Return the error of a step that has failed, or that depends on one."""
        failure = self._driver.machine.course.failures.get(node.index)
        return None if failure is None else failure.error

    def snapshot(self) -> dict[str, Any]:
        """Return the run as it stands as one JSON value: its graph, and how far each step is."""
        return run_to_json(self.id, self._driver.machine, self._driver.ids)

    # ----- its end

    @property
    def done(self) -> bool:
        """True once every step has ended."""
        return self._over.done

    def get(self, timeout: float | Unset | None = UNSET) -> Any:
        """Wait for the value: that of the last step, or of several a list.

        The first failure that the value depends on ends the wait; other steps go on.

        Args:
            timeout: seconds from now. Left out: until the run's deadline where it has one, else
                the client's default. None: for ever.

        Raises:
            DeadlineExceeded: it was not over in time; the run goes on.
            RemoteError: a step raised.
            RpcError: a step failed; the class says how.
        """
        return Reply(self._value, self.client).get(timeout)

    def __await__(self) -> Generator[Any, None, Any]:
        return Reply(self._value, self.client).__await__()

    def cancel(self, *, terminate: bool = False, signal: str = "SIGTERM") -> RunStatus:
        """Send nothing more, ask the workers to drop what was sent, and say how it stands.

        Args:
            terminate: stop steps where they run (pools of processes can).
            signal: what a running one is sent.
        """
        under_way = [pending.id for pending in list(self._driver.calls.values())]
        self._driver.stop(StepState.CANCELLED, endings.cancelled)
        self.client.revoke(under_way, terminate, signal)
        self._over.wait(Deadline.after(1.0))
        return self.status()

    def after_fork(self) -> None:
        """In a child process: the run goes on in the parent alone."""
        self._driver.after_fork()
        for each in (self._value, self._over, *self._driver.asked.values()):
            if not each.done:
                each.abandon(ClientClosed("this run belongs to the parent process"))

    def __repr__(self) -> str:
        status = self.status()
        return f"<Run {self.id}: {status.ended:,} of {status.total:,} steps have ended>"
