"""Machine: what a run does next; the same whether its state is kept or written and read again."""

import json
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from celery_rpc.calls.call import DEFAULTS
from celery_rpc.calls.pending import Outcome
from celery_rpc.calls.retry import Retry
from celery_rpc.canvas.commands import (
    Alarm,
    AlarmKind,
    CallErrback,
    Command,
    Decide,
    Drop,
    Finish,
    Send,
    Wake,
)
from celery_rpc.canvas.endings import cancelled
from celery_rpc.canvas.graph import Graph
from celery_rpc.canvas.machine import Machine
from celery_rpc.canvas.nodes import Errback, Node, Nodes, Passing, Step
from celery_rpc.canvas.progress import ENDED, StepState
from celery_rpc.canvas.run_json import machine_from_json, run_to_json
from celery_rpc.catalog.address import Address
from celery_rpc.errors import (
    CallCancelled,
    CanvasError,
    DeadlineExceeded,
    RemoteError,
    RpcError,
    Unavailable,
    declared_error_class,
    remote_error_class,
)

TWICE = Retry(attempts=2, backoff=1.0)


def too_late(step: Step) -> DeadlineExceeded:
    return DeadlineExceeded(f"{step.label} is late")


#: A machine of which nothing is left to chance.
HOW: dict[str, Any] = {"too_late": too_late, "luck": lambda: 0.5}


def machine_of(nodes: Nodes, **how: Any) -> Machine:
    return Machine(nodes.nodes, nodes.nodes[-1:], **{"limit": 100, **HOW, **how})


def step(nodes: Nodes, *after: Node, **more: Any) -> Any:
    return nodes.put(Step(list(after), task="t", address=Address("q"), **more))


def failure(error: Exception | None = None) -> Outcome:
    return Outcome("FAILURE", error=error or RemoteError("no", type="ValueError"))


def of(kind: type, commands: Sequence[Command]) -> list[Any]:
    return [command for command in commands if isinstance(command, kind)]


# ----- one event after the other


def test_a_step_is_sent_when_all_that_it_waits_for_has_landed() -> None:
    nodes = Nodes()
    first, second = step(nodes), step(nodes)
    last = step(nodes, first, second)
    machine = machine_of(nodes)
    machine.begin(0.0)
    assert of(Send, machine.take()) == [Send(first.index, 1), Send(second.index, 1)]
    machine.sent(first.index, 0.0)
    machine.sent(second.index, 0.0)
    machine.landed(first.index, 1, Outcome("SUCCESS", "a"), 1.0)
    assert not of(Send, machine.take())
    machine.landed(second.index, 1, Outcome("SUCCESS", "b"), 1.0)
    assert of(Send, machine.take()) == [Send(last.index, 1)]
    machine.landed(last.index, 1, Outcome("SUCCESS", "c"), 2.0)
    commands = machine.take()
    assert of(Decide, commands) == [Decide(Outcome("SUCCESS", "c"))]
    assert of(Finish, commands) == [Finish()]


def test_what_there_was_no_room_for_is_sent_after_a_while() -> None:
    nodes = Nodes()
    one, two = step(nodes), step(nodes)
    machine = machine_of(nodes)
    machine.begin(0.0)
    machine.take()
    machine.no_room([one.index, two.index], 5.0)
    (wake,) = machine.take()
    assert isinstance(wake, Wake)
    machine.alarm(wake.alarm, wake.alarm.due)
    assert of(Send, machine.take()) == [Send(one.index, 1), Send(two.index, 1)]


def test_a_step_that_may_be_sent_again_is_sent_again_after_its_pause() -> None:
    nodes = Nodes()
    only = step(nodes, retry=TWICE)
    machine = machine_of(nodes)
    machine.begin(0.0)
    machine.landed(only.index, 1, failure(Unavailable("not sent")), 1.0)
    (wake,) = of(Wake, machine.take())
    assert wake.alarm.kind is AlarmKind.RETRY
    machine.alarm(wake.alarm, wake.alarm.due)
    assert of(Send, machine.take()) == [Send(only.index, 2)]
    machine.landed(only.index, 2, failure(Unavailable("nor now")), 9.0)
    (decide,) = of(Decide, machine.take())
    assert "nor now" in str(decide.outcome.error)


def test_an_attempt_that_takes_too_long_is_dropped_and_its_late_failure_means_nothing() -> None:
    nodes = Nodes()
    options = DEFAULTS.merged(idempotent=True)
    only = step(nodes, retry=TWICE, timeout=3.0, options=options)
    machine = machine_of(nodes)
    machine.begin(0.0)
    machine.sent(only.index, 0.0)
    (wake,) = of(Wake, machine.take())
    assert wake.alarm == Alarm(AlarmKind.TIMEOUT, 3.0, only.index, 1)
    machine.alarm(wake.alarm, 3.0)
    commands = machine.take()
    assert of(Drop, commands) == [Drop(only.index, 1)]
    (again,) = of(Wake, commands)
    machine.alarm(again.alarm, again.alarm.due)
    assert of(Send, machine.take()) == [Send(only.index, 2)]
    machine.landed(only.index, 1, failure(), 5.0)
    assert machine.course.states[only.index] is StepState.WAITING
    machine.landed(only.index, 1, Outcome("SUCCESS", 7), 5.0)  # whichever attempt: it has run
    commands = machine.take()
    assert of(Drop, commands) == [Drop(only.index, 2)]
    assert of(Decide, commands) == [Decide(Outcome("SUCCESS", 7))]


def test_an_alarm_that_the_machine_no_longer_knows_is_void() -> None:
    nodes = Nodes()
    only = step(nodes, timeout=3.0)
    machine = machine_of(nodes)
    machine.begin(0.0)
    machine.sent(only.index, 0.0)
    (wake,) = of(Wake, machine.take())
    machine.landed(only.index, 1, Outcome("SUCCESS", 1), 1.0)
    machine.take()
    machine.alarm(wake.alarm, 3.0)
    assert not machine.take()


def test_the_deadline_ends_all_and_says_which_answers_are_missing() -> None:
    nodes = Nodes()
    first = step(nodes)
    last = step(nodes, first)
    machine = machine_of(nodes, deadline=10.0)
    machine.begin(0.0)
    machine.sent(first.index, 0.0)
    (wake,) = of(Wake, machine.take())
    machine.alarm(wake.alarm, 10.0)
    commands = machine.take()
    assert of(Drop, commands) == [Drop(first.index, 1)]
    error = machine.course.failures[last.index].error
    assert isinstance(error, DeadlineExceeded)
    assert first.label in str(error)
    assert of(Finish, commands)


def test_the_errback_of_a_guard_is_called_once_and_that_of_an_unsent_step_by_the_client() -> None:
    nodes = Nodes()
    errback = Errback({"task": "guarded"})
    guard = [errback]
    own = {"task": "own"}
    one = step(nodes, guards=[guard], options=DEFAULTS.merged(link_error=own))
    two = step(nodes, guards=[guard], options=DEFAULTS.merged(link_error=own))
    errback.end = nodes.join([one, two])
    machine = machine_of(nodes)
    machine.begin(0.0)
    told, unsent = RemoteError("no"), Unavailable("not sent")
    machine.landed(one.index, 1, failure(told), 1.0)  # its worker has told its own errback
    machine.landed(two.index, 1, failure(unsent), 1.0)
    called = of(CallErrback, machine.take())
    assert called == [
        CallErrback(one.index, errback.end.index, errback.signature, told),
        CallErrback(two.index, two.index, own, unsent),
    ]


def test_no_more_steps_are_under_way_than_the_limit() -> None:
    nodes = Nodes()
    steps = [step(nodes) for _ in range(10)]
    nodes.join(steps)
    machine = machine_of(nodes, limit=4)
    machine.begin(0.0)
    assert len(of(Send, machine.take())) == 4
    for each in steps[:3]:
        machine.landed(each.index, 1, Outcome("SUCCESS"), 1.0)
    assert len(machine.under_way) == 4


# ----- the state as a value


@pytest.mark.parametrize(
    "error",
    [
        Unavailable("not sent"),
        DeadlineExceeded("late", task_id="t", state="STARTED"),
        RemoteError("no", type="shop.Declined", remote_traceback="...", worker="w@h"),
        remote_error_class(KeyError)("k", type="KeyError"),
        declared_error_class("shop.errors", "Declined", "ValueError")("no", type="shop.Declined"),
        ValueError("of the program itself", 3),
    ],
)
def test_errors_are_read_as_they_were_written(error: Exception) -> None:
    nodes = Nodes()
    only = step(nodes)
    machine = machine_of(nodes)
    machine.begin(0.0)
    machine.landed(only.index, 1, failure(error), 1.0)
    again = written_and_read(machine)
    read = again.course.failures[only.index].error
    assert type(read) is type(error)
    assert str(read) == str(error)
    assert read.args == error.args
    assert vars(read) == vars(error)


def test_a_foreign_class_is_not_looked_for() -> None:
    nodes = Nodes()
    only = step(nodes)
    machine = machine_of(nodes)
    machine.begin(0.0)
    machine.landed(only.index, 1, failure(json.JSONDecodeError("bad", "x", 0)), 1.0)
    state = run_to_json("r", machine, ["a"])
    state["nodes"][0]["error"] |= {"class": "os.system", "builtin": "SystemExit"}
    read, _ = machine_from_json(state, **HOW)
    assert type(read.course.failures[only.index].error) is RpcError


def test_a_state_of_another_version_is_refused() -> None:
    with pytest.raises(CanvasError, match="version 1"):
        machine_from_json({"version": 1}, **HOW)


# ----- any graph, any order of events


def written_and_read(machine: Machine) -> Machine:
    """Write a machine's state as text, and read it into a new machine."""
    ids = [f"id-{node.index}" for node in machine.nodes]
    text = json.dumps(run_to_json("run", machine, ids))
    again, read_ids = machine_from_json(json.loads(text), **HOW)
    assert read_ids == ids
    assert json.dumps(run_to_json("run", again, ids)) == text
    return again


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Steps that wait for any before them, lists, guards, timeouts and retries."""
    graph = Graph()
    guards = [[Errback({"task": f"errback{n}"})] for n in range(2)]
    nodes: list[Node] = []
    for number in range(draw(st.integers(1, 9))):
        after: list[Node] = []
        if nodes:
            after = draw(st.lists(st.sampled_from(nodes), unique=True, max_size=3))
        joins: bool = draw(st.booleans())
        if after and joins:
            nodes.append(graph.join(after))
            continue
        retry = draw(st.sampled_from([None, None, TWICE]))
        options = DEFAULTS.merged(idempotent=bool(retry), ignore_result=draw(st.booleans()) or None)
        nodes.append(
            step(
                graph,
                *after,
                args=(number,),
                passing=Passing.VALUE if len(after) == 1 else Passing.NOTHING,
                guards=[guard for guard in guards if draw(st.booleans())],
                timeout=draw(st.sampled_from([None, None, 5.0])),
                retry=retry,
                options=options,
            )
        )
    return graph


class World:
    """Carries out a machine's commands, in an order that a seed decides."""

    def __init__(self, machine: Machine, seed: int, *, reread: bool) -> None:
        self.machine = machine
        self.random = Random(seed)
        self.reread = reread
        self.now = 0.0
        self.calls: list[Send] = []
        self.alarms: list[Alarm] = []
        self.sent: list[Send] = []
        self.errbacks: list[CallErrback] = []
        self.decisions: list[Outcome] = []
        self.ends = 0

    def run(self) -> None:
        """Run to the end; each event is one of a call or of an alarm."""
        self.machine.begin(self.now)
        self.carry_out()
        while self.calls or self.alarms:
            self.now += self.random.random()
            if self.reread:
                self.machine = written_and_read(self.machine)
            self.event()
            self.carry_out()
            assert len(self.sent) < 100

    def event(self) -> None:
        alarms = sorted(self.alarms, key=lambda alarm: (alarm.due, alarm))
        if alarms and (not self.calls or self.random.random() < 0.2):
            alarm = alarms[0]
            self.alarms.remove(alarm)
            self.now = max(self.now, alarm.due)
            self.machine.alarm(alarm, self.now)
        elif self.random.random() < 0.05:
            self.machine.stop(StepState.CANCELLED, cancelled)
        else:
            call = self.calls.pop(self.random.randrange(len(self.calls)))
            self.machine.landed(call.place, call.attempt, self.outcome(call), self.now)

    def outcome(self, call: Send) -> Outcome:
        luck = self.random.random()
        if luck < 0.15:
            return failure()
        return failure(Unavailable("not sent")) if luck < 0.3 else Outcome("SUCCESS", call.place)

    def carry_out(self) -> None:
        while commands := self.machine.take():
            for command in commands:
                if isinstance(command, Send):
                    self.sent.append(command)
                    self.calls.append(command)
                    self.machine.sent(command.place, self.now)
                elif isinstance(command, Wake):
                    self.alarms.append(command.alarm)
                elif isinstance(command, CallErrback):
                    self.errbacks.append(command)
                elif isinstance(command, Decide):
                    self.decisions.append(command.outcome)
                elif isinstance(command, Finish):
                    self.ends += 1


@given(graph=graphs(), seed=st.integers(0, 10_000))
def test_a_run_ends_once_and_sends_what_it_may(graph: Graph, seed: int) -> None:
    machine = Machine(graph.nodes, graph.ends, deadline=40.0, limit=3, **HOW)
    world = World(machine, seed, reread=False)
    world.run()
    course = machine.course
    assert world.ends == 1
    assert len(world.decisions) == 1
    assert all(state in ENDED for state in course.states)
    assert len(world.sent) == len(set(world.sent))
    for node in graph.nodes:
        if course.states[node.index] is StepState.SUCCESS:
            assert all(course.states[p.index] is StepState.SUCCESS for p in node.after)
        else:
            assert isinstance(course.failures[node.index].error, RpcError | CallCancelled)
    guarded = [command.errback["task"] for command in world.errbacks]
    assert len(guarded) == len(set(guarded))


@given(graph=graphs(), seed=st.integers(0, 10_000))
def test_a_run_goes_the_same_way_when_its_state_is_written_and_read(
    graph: Graph, seed: int
) -> None:
    ways = []
    for reread in (False, True):
        machine = Machine(graph.nodes, graph.ends, deadline=40.0, limit=3, **HOW)
        world = World(machine, seed, reread=reread)
        world.run()
        states = world.machine.course.states
        told = [list(map(repr, each)) for each in (world.errbacks, world.decisions)]
        ways.append((world.sent, states, told))
    assert ways[0] == ways[1]
