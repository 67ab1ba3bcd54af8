"""Run: a graph under way. It moves on when a reply arrives, in the thread that brought it."""

import logging
from collections import deque
from collections.abc import Callable, Generator, Sequence
from functools import partial
from threading import Lock
from typing import Any

from celery_rpc.call import Call
from celery_rpc.canvas.client import RunClient
from celery_rpc.canvas.course import Course
from celery_rpc.canvas.endings import cancelled, late, too_late, waits_for
from celery_rpc.canvas.errbacks import Errbacks
from celery_rpc.canvas.lineage import Lineages
from celery_rpc.canvas.nodes import Given, Node, Nodes, Step
from celery_rpc.canvas.progress import ENDED, RunStatus, StepState
from celery_rpc.canvas.results import decoder_of, in_types, result_of
from celery_rpc.canvas.snapshot import snapshot
from celery_rpc.clock import Alarm
from celery_rpc.config import UNSET, Unset
from celery_rpc.deadline import NEVER, Deadline
from celery_rpc.errors import ClientClosed, Overloaded
from celery_rpc.fork import renew_after_fork
from celery_rpc.pending import Outcome, Pending
from celery_rpc.reply import Reply
from celery_rpc.retry import Attempts

log = logging.getLogger("celery_rpc.canvas")

#: Steps under way at once.
LIMIT = 1_000

#: Seconds between two looks whether the client has room for more calls.
PAUSE = 0.02

#: Alarms that are of no step: the run's deadline, and the next look for room.
DEADLINE, NO_ROOM = -1, -2


OnChange = Callable[[Step, StepState], object]


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
        self._limit = limit
        self._on_change = on_change
        self._course = Course(graph.nodes, ends, self._moved)
        #: The nodes' own where somebody has frozen them; a graph can be run again.
        self._ids = [node.id or self.client.new_id() for node in graph.nodes]
        self._flying: dict[int, Pending] = {}
        #: Of nodes whose result somebody has asked for.
        self._asked: dict[int, Pending] = {}
        self._attempts: dict[int, Attempts] = {}
        self._errbacks = Errbacks()
        self._lineages = Lineages(graph.nodes, self._ids, self._course.causes)
        self._alarms: dict[int, Alarm] = {}
        self._inbox: deque[Callable[[], object]] = deque()
        self._lock = Lock()
        #: Ends with the value, or the first failure of an end ...
        self._value = Pending(self.id, "the run", deadline)
        self._value.decode, self._value.explain = self._read_ends, self._explain
        #: ... and this with the last of the steps.
        self._over = Pending(self.id, "the run", deadline)
        renew_after_fork(self)

    # ----- the way of it

    def start(self) -> "Run":
        """Send what waits for nothing; the rest follows by itself."""
        if self.deadline.at is not None:
            self._alarms[DEADLINE] = self.client.clock.after(
                self.deadline.remaining() or 0.0, self._out_of_time
            )
        self._post(self._begin)
        return self

    def _begin(self) -> None:
        for node in self.graph.nodes:
            if isinstance(node, Given):
                self._await(node.index, self.id_of(node))
            elif node.id is not None and (known := self.client.expected(node.id)) is not None:
                known.explain = self._explain
        self._course.begin()

    def _await(self, index: int, task_id: str) -> None:
        pending = self.client.reply(task_id).pending
        self.client.hold(pending)
        self._fly(index, pending)

    def _post(self, event: Callable[[], object]) -> None:
        """Let something happen; whoever finds nobody at it does all that there is to do."""
        self._inbox.append(event)
        while self._inbox and self._lock.acquire(blocking=False):
            try:
                while self._inbox:
                    self._inbox.popleft()()
                    self._send_ready()
                    self._tell_ends()
            finally:
                self._lock.release()

    def _send_ready(self) -> None:
        ready = self._course.ready
        room = self._limit - len(self._flying)
        if room < min(len(ready), self._limit // 4):
            return  # the workers have plenty: later, many go out by one publish
        while ready and len(self._flying) < self._limit:
            index = ready.popleft()
            if self._course.states[index] is not StepState.WAITING:
                continue
            try:
                self._send(index, self.graph.nodes[index])  # type: ignore[arg-type]
            except Overloaded:  # the client's other calls have taken all places
                ready.appendleft(index)
                self._look_again()
                return

    def _look_again(self) -> None:
        """Try soon whether there is room: perhaps none of the calls under way is of this run."""
        if NO_ROOM not in self._alarms:
            self._alarms[NO_ROOM] = self.client.clock.after(
                PAUSE, lambda: self._post(lambda: self._alarms.pop(NO_ROOM, None))
            )

    def _send(self, index: int, step: Step) -> None:
        again = step.retry is not None  # the reply of an attempt is not yet that of the step
        try:
            pending = self.client.send_step(
                self._call(step, again), None if again else self._asked.get(index)
            )
        except Overloaded:
            raise
        except Exception as error:  # it is this step's, whatever it is: the others go on
            self._ended(index, Outcome("FAILURE", error=error))
            return
        self._course.move(index, StepState.SENT)
        if step.options.ignore_result:  # no reply comes, and nobody waits for it
            self.client.forget(pending.id)
            self._course.succeed(index, None)
            return
        self._fly(index, pending)
        if step.patience is not None:
            self._alarms[index] = self.client.clock.after(
                step.patience, partial(self._too_late, pending, step)
            )

    def _call(self, step: Step, again: bool) -> Call:
        args, kwargs = step.arguments(self._course.before(step))
        left = self.deadline.remaining()
        limits = [each for each in (step.patience, left) if each is not None]
        return Call(
            id=self.client.new_id() if again else self.id_of(step),
            task=step.task,
            address=step.address,
            args=args,
            kwargs=kwargs,
            options=step.options,
            expires_in=min(limits) if limits else None,
            decode=self.client.decoder(step.address, step.task),
            lineage=self._lineages.of(step),
        )

    def _fly(self, index: int, pending: Pending) -> None:
        self._flying[index] = pending
        pending.root = pending.root or self._lineages.root(index)
        pending.on_done(partial(self._landed, index, pending))

    def _landed(self, index: int, pending: Pending) -> None:
        """Take a reply; in the thread that brought it."""
        outcome = pending.outcome
        if outcome is not None:
            self._post(partial(self._take, index, pending, outcome))

    def _take(self, index: int, pending: Pending, outcome: Outcome) -> None:
        if self._flying.get(index) is pending:
            del self._flying[index]
            self._lineages.landed(index, pending.id, pending.root)
            self._ended(index, outcome)

    def _ended(self, index: int, outcome: Outcome) -> None:
        alarm = self._alarms.pop(index, None)
        if alarm is not None:
            alarm.cancel()
        if outcome.error is None:
            self._course.succeed(index, outcome.value)
        elif not self._try_again(index, outcome):
            node = self.graph.nodes[index]
            for errback, failed in self._errbacks.due(node, outcome.error):
                self.client.run_errback(
                    errback, self._lineages.called(failed.index), self._lineages.root_id(index)
                )
            self._course.fail(index, outcome)

    def _moved(self, index: int, state: StepState) -> None:
        """Tell whoever waits for a node, or watches the run."""
        node = self.graph.nodes[index]
        if self._on_change is not None and isinstance(node, Step):
            try:
                self._on_change(node, state)
            except Exception:  # it is the user's, and the run goes on
                log.exception("a callback of %r failed", self)
        if state in ENDED:
            # Its id may be known elsewhere, too: frozen before, or kept by Celery's own results.
            for waiting in (self._asked.get(index), self.client.expected(self._ids[index])):
                if waiting is not None and not waiting.done:
                    waiting.resolve(self._course.outcome(index))

    def _tell_ends(self) -> None:
        """Tell those who wait for the value, or for the last step."""
        if self._course.verdict is not None:
            self._value.resolve(self._course.verdict)
        if self._course.over and not self._over.done:
            for alarm in self._alarms.values():
                alarm.cancel()
            self._alarms.clear()
            self._over.resolve(Outcome("SUCCESS"))

    def _read_ends(self, value: Any) -> Any:
        """Return the value of the run in the types that its last tasks declare."""
        if len(self._ends) == 1:
            return in_types(self._ends[0], value, self.client)
        return [in_types(*each, self.client) for each in zip(self._ends, value, strict=True)]

    # ----- failures

    def _try_again(self, index: int, outcome: Outcome) -> bool:
        """Send a step again where its policy says so; tell whether that will happen."""
        node = self.graph.nodes[index]
        if not isinstance(node, Step) or node.retry is None or outcome.error is None:
            return False
        attempts = self._attempts.get(index)
        if attempts is None:
            attempts = self._attempts[index] = Attempts(
                node.retry, self.deadline, idempotent=node.options.idempotent, wait_for_ready=False
            )
        try:
            pause = attempts.pause_after(outcome.error)
        except Exception:  # it is the error itself: there is no further attempt
            return False
        self._course.move(index, StepState.WAITING)
        self._alarms[index] = self.client.clock.after(
            pause, lambda: self._post(lambda: self._course.ready.append(index))
        )
        return True

    def _too_late(self, pending: Pending, step: Step) -> None:
        self.client.forget(pending.id)
        pending.fail(too_late(step, pending))

    def _out_of_time(self) -> None:
        """The run's deadline has come."""
        self._post(partial(self._stop, StepState.FAILURE, late))

    def _stop(
        self, state: StepState, error: Callable[[str, StepState, Sequence[str]], Exception]
    ) -> None:
        """End all that has not ended."""
        flying, open_steps = list(self._flying.values()), self._open_steps()
        self._flying.clear()
        self._course.stop(state, lambda step, state: error(step, state, open_steps))
        for pending in flying:
            self.client.forget(pending.id)

    def _open_steps(self) -> list[str]:
        """Return the names of the steps whose answer is awaited."""
        return [self.graph.nodes[index].label for index in sorted(self._flying)]

    def _explain(self) -> str:
        return waits_for(self._open_steps())

    # ----- asking

    def id_of(self, node: Node) -> str:
        """Give the id of a step's call, or of a group."""
        return self._ids[node.index]

    def result(self, node: Node) -> Any:
        """Give the result of a step: a Reply; of a group: a GroupReply."""
        return result_of(self, node)

    def pending(self, node: Node) -> Pending:
        """Give the meeting point of a node's outcome and of whoever waits for it."""
        index = node.index
        known = self._asked.get(index)
        if known is not None:
            return known
        made = self._asked.setdefault(index, self._meeting_point(node))
        if self._course.states[index] in ENDED:
            made.resolve(self._course.outcome(index))
        return made

    def _meeting_point(self, node: Node) -> Pending:
        flying = self._flying.get(node.index)
        if flying is not None and (not isinstance(node, Step) or node.retry is None):
            return flying
        task = node.task if isinstance(node, Step) else ""
        made = Pending(self.id_of(node), task, self.deadline)
        made.decode = decoder_of(node, self.client)
        made.explain = self._explain
        return made

    def status(self) -> RunStatus:
        """Count the steps by how far they have come."""
        return self._course.status()

    def state(self, step: Node) -> StepState:
        """Tell how far a step has come."""
        return self._course.states[step.index]

    def value(self, node: Node) -> Any:
        """Give the value of a node that has been reached."""
        return self._course.values[node.index]

    def error(self, node: Node) -> Exception | None:
        """Give the error of a step that has failed, or that depends on one."""
        failure = self._course.failures.get(node.index)
        return None if failure is None else failure.error

    def snapshot(self) -> dict[str, Any]:
        """Give the run as it stands as one JSON value."""
        return snapshot(self)

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
        return Reply(self._value, self.client).get(timeout)  # type: ignore[arg-type]

    def __await__(self) -> Generator[Any, None, Any]:
        return Reply(self._value, self.client).__await__()  # type: ignore[arg-type]

    def cancel(self, *, terminate: bool = False, signal: str = "SIGTERM") -> RunStatus:
        """Send nothing more, ask the workers to drop what was sent, and say how it stands.

        Args:
            terminate: stop steps where they run (pools of processes can).
            signal: what a running one is sent.
        """
        flying = [pending.id for pending in list(self._flying.values())]
        self._post(partial(self._stop, StepState.CANCELLED, cancelled))
        self.client.revoke(flying, terminate, signal)
        self._over.wait(Deadline.after(1.0))
        return self.status()

    def after_fork(self) -> None:
        """In a child process: the run goes on in the parent alone."""
        self._lock = Lock()
        self._inbox.clear()
        for each in (self._value, self._over, *self._asked.values()):
            if not each.done:
                each.abandon(ClientClosed("this run is of the process that forked this one"))

    def __repr__(self) -> str:
        status = self.status()
        return f"<Run {self.id}: {status.ended:,} of {status.total:,} steps have ended>"
