"""Machine: what a run does next; pure: events in, commands out, a state that can be written down.

It knows no client, no thread and no clock. Whoever drives it calls one of its events with the time
``now``, and then carries out, in their order, the commands that take() returns.
"""

from collections.abc import Callable, Sequence
from itertools import chain
from random import random

from celery_rpc.calls.pending import Outcome
from celery_rpc.calls.retry import Tries
from celery_rpc.canvas.celery_classes import listed
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
from celery_rpc.canvas.endings import Stopping, late
from celery_rpc.canvas.nodes import Errback, Given, Node, Step
from celery_rpc.canvas.progress import ENDED, StepState
from celery_rpc.canvas.schedule import Course
from celery_rpc.errors import NoSuchTask, RemoteError, WorkerLost

#: Failures of which a worker has told the errbacks that came with the task.
TOLD = (RemoteError, WorkerLost, NoSuchTask)

#: Seconds until the driver is asked again, where it had no room.
PAUSE = 0.02


class Machine:
    """A graph under way. One thread at a time may call it.

    Args:
        ends: the nodes whose values are those of the run.
        deadline: when all that is left fails, on the driver's clock; None: never.
        limit: how many steps may be under way at once.
        too_late: makes the error of a step that has not ended in its own time.
        luck: returns the share of the longest pause after which a step is sent again, 0 to 1.
    """

    def __init__(
        self,
        nodes: Sequence[Node],
        ends: Sequence[Node],
        *,
        deadline: float | None = None,
        limit: int,
        too_late: Callable[[Step], Exception],
        luck: Callable[[], float] = random,
    ) -> None:
        self.nodes = nodes
        self.deadline = deadline
        self.limit = limit
        self.too_late = too_late
        self.luck = luck
        self.course = Course(nodes, ends, self._moved)
        #: The nodes whose calls have not ended, and the number of each one's attempt; a step that
        #: is still WAITING is being sent.
        self.under_way: dict[int, int] = {}
        #: Steps that have failed and may be sent again.
        self.tries: dict[int, Tries] = {}
        self.alarms: dict[tuple[AlarmKind, int], Alarm] = {}
        #: The errbacks of canvases that were called.
        self.called: set[Errback] = set()
        #: True once it was said that every node has ended, ...
        self.over = False
        #: ... and what the value of the run is.
        self.decided = False
        self._commands: list[Command] = []

    def take(self) -> Sequence[Command]:
        """Return the commands that have come since this was last called."""
        commands, self._commands = self._commands, []
        return commands

    # ----- events

    def begin(self, now: float) -> None:
        """Begin the run."""
        if self.deadline is not None:
            self._set_alarm(Alarm(AlarmKind.DEADLINE, self.deadline))
        for node in self.nodes:
            if isinstance(node, Given):
                self.under_way[node.index] = 1
                self._commands.append(Expect(node.index, 1))
        self.course.begin()
        self._go_on()

    def resume(self, now: float) -> None:
        """Go on with a run whose state was read: what was being sent is sent again."""
        self._commands += [Wake(alarm) for alarm in self.alarms.values()]
        for index, attempt in self.under_way.items():
            sending = isinstance(self.nodes[index], Step) and (
                self.course.states[index] is StepState.WAITING
            )
            self._commands.append(Send(index, attempt) if sending else Expect(index, attempt))
        self._go_on()

    def sent(self, index: int, now: float) -> None:
        """Note that a step is with the broker."""
        step = self._step(index)
        if index not in self.under_way:
            return  # the run was stopped meanwhile
        self.course.move(index, StepState.SENT)
        if step.options.ignore_result:  # no reply comes, and nobody waits for it
            self._drop(index)
            self.course.succeed(index, None)
        elif step.patience is not None:
            due = now + step.patience
            self._set_alarm(Alarm(AlarmKind.TIMEOUT, due, index, self.under_way[index]))
        self._go_on()

    def no_room(self, indices: Sequence[int], now: float) -> None:
        """Put back steps that could not be sent now; they come again after a while."""
        for index in indices:
            self.under_way.pop(index, None)
        self.course.ready.extendleft(reversed(indices))
        self._set_alarm(Alarm(AlarmKind.ROOM, now + PAUSE))

    def landed(self, index: int, attempt: int, outcome: Outcome, now: float) -> None:
        """Note the outcome of a call; a failure of an attempt that was given up counts no more."""
        current = self.under_way.get(index)
        if self.course.states[index] in ENDED:
            return
        if current == attempt:
            del self.under_way[index]
            self.alarms.pop((AlarmKind.ROOM, -1), None)  # its place is free
        elif outcome.error is not None:
            return
        elif current is not None:
            self._drop(index)
        self._ended(index, attempt, outcome, now)
        self._go_on()

    def alarm(self, alarm: Alarm, now: float) -> None:
        """Act on an alarm, unless it is void."""
        key = alarm.kind, alarm.place
        if self.alarms.get(key) != alarm:
            return
        del self.alarms[key]
        if alarm.kind is AlarmKind.DEADLINE:
            self.stop(StepState.FAILURE, late)
        elif alarm.kind is AlarmKind.RETRY:
            self.course.ready.append(alarm.place)
        elif alarm.kind is AlarmKind.TIMEOUT:
            outcome = Outcome("FAILURE", error=self.too_late(self._step(alarm.place)))
            del self.under_way[alarm.place]
            self._ended(alarm.place, alarm.attempt, outcome, now)
            self._commands.append(Drop(alarm.place, alarm.attempt))
        self._go_on()

    def stop(self, state: StepState, error: Stopping) -> None:
        """End all that has not ended, each by an error of its own."""
        unanswered, dropped = self.unanswered, self.under_way.copy()
        self.under_way.clear()
        self.course.stop(state, lambda label, state: error(label, state, unanswered))
        self._commands += [Drop(index, attempt) for index, attempt in dropped.items()]
        self._go_on()

    @property
    def unanswered(self) -> list[str]:
        """The names of the nodes whose calls have not ended."""
        return [self.nodes[index].label for index in sorted(self.under_way)]

    # ----- what follows

    def _ended(self, index: int, attempt: int, outcome: Outcome, now: float) -> None:
        """End a step, or let it be sent again."""
        self._clear_alarms(index)
        error = outcome.error
        if error is None:
            self.course.succeed(index, outcome.value)
            return
        left = None if self.deadline is None else max(0.0, self.deadline - now)
        tries = self._tries(index)
        pause = None if tries is None else tries.next_pause(error, left, self.luck())
        if pause is not None:
            self.course.move(index, StepState.WAITING)
            self._set_alarm(Alarm(AlarmKind.RETRY, now + pause, index, attempt))
            return
        if tries is not None and tries.last_error(error, left) is not error:
            outcome = Outcome("FAILURE", error=tries.last_error(error, left))
        self._call_errbacks(index, outcome.error or error)
        self.course.fail(index, outcome)

    def _tries(self, index: int) -> Tries | None:
        node = self.nodes[index]
        if not isinstance(node, Step) or node.retry is None:
            return None
        tries = self.tries.get(index)
        if tries is None:
            tries = self.tries[index] = Tries(node.retry, idempotent=node.options.idempotent)
        return tries

    def _call_errbacks(self, index: int, error: Exception) -> None:
        """Call the errbacks that no worker has called; what guards several nodes only once."""
        node = self.nodes[index]
        for errback in chain.from_iterable(node.guards):
            if errback not in self.called:
                self.called.add(errback)
                end = errback.end or node
                self._commands.append(CallErrback(index, end.index, errback.signature, error))
        if isinstance(node, Step) and not isinstance(error, TOLD):
            for signature in listed(node.options.link_error):
                self._commands.append(CallErrback(index, index, signature, error))

    def _go_on(self) -> None:
        """Let steps be sent, as far as there is room, and tell who waits for the whole."""
        course, ready = self.course, self.course.ready
        room = self.limit - len(self.under_way)
        full = (AlarmKind.ROOM, -1) in self.alarms
        # Below a quarter the workers have plenty to do: later, many go out by one publish.
        if ready and not full and room >= min(len(ready), self.limit // 4):
            for _ in range(min(room, len(ready))):
                self._send(ready.popleft())
        if not self.decided and course.verdict is not None:
            self.decided = True
            self._commands.append(Decide(course.verdict))
        if course.over and not self.over:
            self.over = True
            self.alarms.clear()
            self._commands.append(Finish())

    def _send(self, index: int) -> None:
        if self.course.states[index] is StepState.WAITING:
            attempt = self.under_way[index] = self.attempt(index)
            self._commands.append(Send(index, attempt))

    def attempt(self, index: int) -> int:
        """Return the number of a step's attempt, counted from 1."""
        tries = self.tries.get(index)
        return 1 if tries is None else tries.made + 1

    def _moved(self, index: int, state: StepState) -> None:
        self._commands.append(Move(index, state))

    def _drop(self, index: int) -> None:
        self._commands.append(Drop(index, self.under_way.pop(index)))

    def _set_alarm(self, alarm: Alarm) -> None:
        self.alarms[alarm.kind, alarm.place] = alarm
        self._commands.append(Wake(alarm))

    def _clear_alarms(self, index: int) -> None:
        if self.alarms:
            self.alarms.pop((AlarmKind.TIMEOUT, index), None)
            self.alarms.pop((AlarmKind.RETRY, index), None)

    def _step(self, index: int) -> Step:
        node = self.nodes[index]
        assert isinstance(node, Step), node
        return node
