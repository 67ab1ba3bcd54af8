"""Course: which steps may go next, and what a failure takes with it."""

from typing import Any

from celery_rpc.calls.pending import Outcome
from celery_rpc.canvas.nodes import Join, Node, Nodes, Step
from celery_rpc.canvas.progress import StepState
from celery_rpc.canvas.schedule import Course
from celery_rpc.errors import RpcError


def course_of(nodes: Nodes) -> tuple[Course, list[tuple[int, StepState]]]:
    """Return the course of a graph, and where it tells what has moved."""
    moves: list[tuple[int, StepState]] = []
    return Course(
        nodes.nodes, nodes.nodes[-1:], lambda index, state: moves.append((index, state))
    ), moves


def step(nodes: Nodes, *after: Node) -> Any:
    return nodes.put(Step(list(after), task="t"))


def test_a_step_is_ready_when_all_that_it_waits_for_has_a_value() -> None:
    nodes = Nodes()
    first, second = step(nodes), step(nodes)
    last = step(nodes, first, second)
    course, _ = course_of(nodes)
    course.begin()
    assert list(course.ready) == [first.index, second.index]
    course.ready.clear()
    course.succeed(second.index, "b")
    assert not course.ready
    course.succeed(first.index, "a")
    assert list(course.ready) == [last.index]
    assert course.before(last) == ["a", "b"]


def test_lists_in_lists_have_their_values_at_once_however_deep() -> None:
    nodes = Nodes()
    first = step(nodes)
    inner: Node = first
    for _ in range(5_000):
        inner = nodes.put(Join([inner]))
    last = step(nodes, inner)
    course, _ = course_of(nodes)
    course.succeed(first.index, 1)
    assert list(course.ready) == [last.index]


def test_a_failure_skips_what_depends_on_it_and_nothing_else() -> None:
    nodes = Nodes()
    first, other = step(nodes), step(nodes)
    joined = nodes.join([first, other])
    last, aside = step(nodes, joined), step(nodes, other)
    course, moves = course_of(nodes)
    failed = Outcome("FAILURE", error=RpcError("no"))
    course.fail(first.index, failed)
    assert moves[0] == (first.index, StepState.FAILURE)
    assert set(moves[1:]) == {(joined.index, StepState.SKIPPED), (last.index, StepState.SKIPPED)}
    assert course.outcome(last.index) is failed
    course.succeed(other.index, 1)
    assert list(course.ready) == [aside.index]
    course.succeed(aside.index, 1)
    assert course.over


def test_stopping_ends_what_has_not_ended_and_tells_how_far_it_was() -> None:
    nodes = Nodes()
    done, sent, waiting = step(nodes), step(nodes), step(nodes)
    course, moves = course_of(nodes)
    course.begin()
    course.succeed(done.index, 1)
    course.move(sent.index, StepState.SENT)
    moves.clear()
    course.stop(StepState.CANCELLED, lambda name, state: RpcError(f"{name} was {state}"))
    assert moves == [(each.index, StepState.CANCELLED) for each in (sent, waiting)]
    assert str(course.failures[sent.index].error) == f"{sent.label} was SENT"
    assert course.outcome(done.index).value == 1
    assert course.over
    assert not course.ready
    assert course.status().cancelled == 2
