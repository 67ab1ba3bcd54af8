"""Driver: a run's machine driven in this process: calls are sent, alarms set, replies taken in."""

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import Any

from celery_rpc.calls.call import Call
from celery_rpc.calls.pending import Outcome, Pending
from celery_rpc.canvas import endings
from celery_rpc.canvas.client import RunClient
from celery_rpc.canvas.commands import (
    Alarm,
    AlarmKind,
    CallErrback,
    Command,
    Decide,
    Drop,
    Expect,
    Finish,
    Move,
    Send,
    Wake,
)
from celery_rpc.canvas.errbacks import Failure, errback_graph
from celery_rpc.canvas.lineage import Lineages
from celery_rpc.canvas.machine import Machine
from celery_rpc.canvas.nodes import Node, Nodes, Step
from celery_rpc.canvas.progress import ENDED, StepState
from celery_rpc.errors import DeadlineExceeded, Overloaded
from celery_rpc.support.deadline import NOW, Deadline
from celery_rpc.support.mutex import Busy, Mutex
from celery_rpc.support.timers import Alarm as Bell

log = logging.getLogger("celery_rpc.canvas")

OnChange = Callable[[Step, StepState], object]


class Driver:
    """Moves a run on when a reply arrives, in the thread that brought it; nothing in it blocks.

    Args:
        decided: told how the run ends for those who wait for its value.
        finished: told that every node has ended.
    """

    def __init__(
        self,
        graph: Nodes,
        client: RunClient,
        *,
        ends: Sequence[Node],
        deadline: Deadline,
        limit: int,
        on_change: OnChange | None,
        decided: Callable[[Outcome], object],
        finished: Callable[[], object],
    ) -> None:
        self.graph = graph
        self.client = client
        self.deadline = deadline
        self.machine = Machine(
            graph.nodes, ends, deadline=deadline.at, limit=limit, too_late=self._too_late
        )
        #: The nodes' own where somebody has frozen them; a graph can be run again.
        self.ids = [node.id or client.new_id() for node in graph.nodes]
        #: The calls under way, by node.
        self.calls: dict[int, Pending] = {}
        #: Of nodes whose result somebody has asked for.
        self.asked: dict[int, Pending] = {}
        self._on_change = on_change
        self._decided = decided
        self._finished = finished
        self._lineages = Lineages(graph.nodes, self.ids, self.machine.course.causes)
        self._bells: dict[tuple[AlarmKind, int], Bell] = {}
        self._inbox: deque[Callable[[], object]] = deque()
        self._mutex = Mutex()

    def start(self) -> None:
        """Send what waits for nothing; the rest follows by itself."""
        self._post(lambda: self.machine.begin(monotonic()))

    def stop(self, state: StepState, error: endings.Stopping) -> None:
        """End all that has not ended."""
        self._post(lambda: self.machine.stop(state, error))

    def _post(self, event: Callable[[], object]) -> None:
        """Let something happen; the thread that finds nobody at it does all there is to do."""
        self._inbox.append(event)
        with suppress(Busy):
            while self._inbox:
                self._mutex.run_by(NOW, self._happen)

    def _happen(self) -> None:
        while self._inbox:
            self._inbox.popleft()()
            self._carry_out()

    # ----- commands

    def _carry_out(self) -> None:
        """Carry out what the machine asks for, until it asks for nothing more."""
        while commands := self.machine.take():
            left_out = list(self._left_out(commands))
            if left_out:
                self.machine.no_room(left_out, monotonic())

    def _left_out(self, commands: Sequence[Command]) -> Iterator[int]:
        """Carry out commands, and yield the steps that there was no room to send."""
        crowded = False
        for command in commands:
            if not isinstance(command, Send):
                self._act(command)
            elif crowded or not self._send(command):
                crowded = True  # the client's other calls have taken all places
                yield command.place

    def _act(self, command: Command) -> None:
        match command:
            case Move(index, state):
                self._tell(index, state)
            case Wake(alarm):
                self._set_bell(alarm)
            case Drop(index):
                pending = self.calls.pop(index, None)
                if pending is not None:
                    self.client.forget(pending.id)
            case Expect(index, attempt):
                pending = self.client.reply(self.ids[index]).pending
                self.client.hold(pending)
                self._fly(index, attempt, pending)
            case CallErrback():
                self._call_errback(command)
            case Decide(outcome):
                self._decided(outcome)
            case Finish():
                self._clear_bells()
                self._finished()
            case Send():
                self._send(command)

    def _send(self, command: Send) -> bool:
        """Send a step; False where the client has no room for it."""
        index, attempt = command
        step: Any = self.graph.nodes[index]
        again = step.retry is not None  # the reply of an attempt is not yet that of the step
        known = None if again else self.asked.get(index)
        try:
            pending = self.client.send_step(self._call(step, again), known)
        except Overloaded:
            return False
        except Exception as error:  # it is this step's, whatever it is: the others go on
            outcome = Outcome("FAILURE", error=error)
            self.machine.landed(index, attempt, outcome, monotonic())
            return True
        self._fly(index, attempt, pending)
        self.machine.sent(index, monotonic())
        return True

    def _call_errback(self, command: CallErrback) -> None:
        index, end, errback, error = command
        failure = Failure(
            self.graph.nodes[end],
            id=self._lineages.called(end),
            root_id=self._lineages.root_id(index),
            culprit=self._lineages.called(index),
            error=error,
        )
        self.client.run_errback(errback_graph(errback, failure, self.client.reply_to))

    def _call(self, step: Step, again: bool) -> Call:
        args, kwargs = step.arguments(self.machine.course.before(step))
        left = self.deadline.remaining()
        limits = [each for each in (step.patience, left) if each is not None]
        return Call(
            id=self.client.new_id() if again else self.ids[step.index],
            task=step.task,
            address=step.address,
            args=args,
            kwargs=kwargs,
            options=step.options,
            expires_in=min(limits) if limits else None,
            decode=self.client.decoder(step.address, step.task),
            lineage=self._lineages.of(step),
        )

    def _fly(self, index: int, attempt: int, pending: Pending) -> None:
        self.calls[index] = pending
        pending.root = pending.root or self._lineages.root(index)
        pending.on_done(partial(self._landed, index, attempt, pending))

    def _landed(self, index: int, attempt: int, pending: Pending) -> None:
        """Handle a reply, in the thread that brought it."""
        outcome = pending.outcome
        if outcome is not None:
            self._post(partial(self._take, index, attempt, pending, outcome))

    def _take(self, index: int, attempt: int, pending: Pending, outcome: Outcome) -> None:
        if self.calls.get(index) is pending:
            del self.calls[index]
            self._lineages.landed(index, pending.id, pending.root)
        self.machine.landed(index, attempt, outcome, monotonic())

    def _tell(self, index: int, state: StepState) -> None:
        """Notify whoever waits for a node, or watches the run."""
        node = self.graph.nodes[index]
        if self._on_change is not None and isinstance(node, Step):
            try:
                self._on_change(node, state)
            except Exception:  # it is the user's, and the run goes on
                log.exception("a callback of %r failed", self)
        if state is not StepState.SENT:
            self._clear_bell(index)
        if state in ENDED:
            # Its id may be known elsewhere, too: frozen before, or kept by Celery's own results.
            for waiting in (self.asked.get(index), self.client.expected(self.ids[index])):
                if waiting is not None and not waiting.done:
                    waiting.resolve(self.machine.course.outcome(index))

    # ----- alarms

    def _set_bell(self, alarm: Alarm) -> None:
        def ring() -> None:
            self._post(lambda: self.machine.alarm(alarm, monotonic()))

        bell = self.client.clock.after(max(0.0, alarm.due - monotonic()), ring)
        self._bells[alarm.kind, alarm.place] = bell

    def _clear_bell(self, index: int) -> None:
        if self._bells:
            for kind in (AlarmKind.TIMEOUT, AlarmKind.RETRY):
                bell = self._bells.pop((kind, index), None)
                if bell is not None:
                    bell.cancel()

    def _clear_bells(self) -> None:
        for bell in self._bells.values():
            bell.cancel()
        self._bells.clear()

    def _too_late(self, step: Step) -> DeadlineExceeded:
        return endings.too_late(step, self.calls[step.index])

    # ----- the rest

    def explain(self) -> str:
        """Return which steps have not answered."""
        return endings.waits_for(self.machine.unanswered)

    def after_fork(self) -> None:
        """In a child process: the run goes on in the parent alone."""
        self._mutex = Mutex()
        self._inbox.clear()
