"""Callbacks and errbacks: which tasks get them, and what is refused before anything is sent."""

import asyncio
from typing import Any

import celery
import pytest

from celery_rpc import ArgumentsError, CanvasError, chain, chord, group
from celery_rpc.canvas.nodes import Passing, Step
from celery_rpc.canvas.signature import adopt
from tests.servers import wait_until

WAIT = 30.0


def linked(canvas: Any) -> list[list[str]]:
    """Return the callbacks of each task of a canvas."""
    steps = [step for step in canvas.graph().steps if not step.aside]
    return [[callback.task for callback in step.callbacks] for step in steps]


def test_each_member_of_a_group_has_the_callback_that_was_set(client: Any, tmp_path: Any) -> None:
    calc, log = client.calc, tmp_path / "log"
    callback = calc.note.s(str(log))
    flow = group(calc.add.s(1, 1), calc.add.s(2, 2)).set(link=callback)
    assert linked(flow) == [["calc.note"], ["calc.note"]]
    assert flow.delay().get(timeout=WAIT) == [2, 4]
    wait_until(lambda: log.exists() and log.read_text().split() == ["2", "4"], timeout=WAIT)


def test_chunks_have_the_callback_that_was_set(client: Any) -> None:
    calc = client.calc
    flow = calc.add.s().chunks([(1, 1), (2, 2)], 1).set(link=calc.echo.s())
    assert linked(flow) == [["calc.echo"], ["calc.echo"]]
    assert flow.delay().get(timeout=WAIT) == [[2], [4]]


def test_a_group_at_the_end_of_a_chain_has_its_callback(client: Any) -> None:
    calc = client.calc
    flow = chain(calc.add.s(1, 1), group(calc.add.s(1), calc.add.s(2))).set(link=calc.echo.s())
    assert linked(flow) == [[], ["calc.echo"], ["calc.echo"]]
    assert flow.delay().get(timeout=WAIT) == [3, 4]


def test_callbacks_that_are_set_replace_those_of_the_members(client: Any) -> None:
    calc = client.calc
    own = calc.add.s(1, 1)
    own.link(calc.total.s())
    flow = group(own, chain(own, own), group(own)).set(link=calc.echo.s())
    assert linked(flow) == [
        ["calc.echo"],
        ["calc.total"],
        ["calc.total", "calc.echo"],
        ["calc.echo"],
    ]
    assert linked(chain(own, group(own, own)).set(link=calc.echo.s())) == [
        ["calc.total"],
        ["calc.echo"],
        ["calc.echo"],
    ]
    assert linked(chain(own, own)) == [["calc.total"], ["calc.total"]]


def test_callbacks_of_a_chord_follow_the_first_of_several_bodies(client: Any) -> None:
    calc = client.calc
    task = calc.echo.s(1)
    body: Any = group(calc.echo.s(), calc.echo.s())
    inner: Any = chord([calc.echo.s()], body)
    callback = calc.echo.s(7)
    for flow in (
        chord([task, task], body).set(link=callback),
        celery.chord([task, task], body).set(link=callback),
        chain(group(task, task), body).set(link=callback),
        chain(task, inner).set(link=callback),
    ):
        graph = flow.graph() if hasattr(flow, "graph") else adopt(flow).graph()
        ends = [step for step in graph.steps if not step.aside][-2:]
        assert [[each.task for each in end.callbacks] for end in ends] == [["calc.echo"], []]
        (reached,) = ends[0].callbacks
        assert isinstance(reached, Step)
        assert reached.passing is Passing.NOTHING
    assert not any("link" in member.options for member in body.tasks)


def test_link_of_a_group_is_for_its_first_member(client: Any) -> None:
    calc = client.calc
    flow = group(calc.add.s(1, 1), calc.add.s(2, 2))
    flow.link(calc.echo.s(1))
    assert linked(flow) == [["calc.echo"], []]


@pytest.mark.parametrize("name", ["link", "link_error"])
def test_a_group_that_is_sent_takes_no_callback(client: Any, name: str) -> None:
    calc = client.calc
    before = client.status()["messages"]
    pair = [calc.add.s(1, 1), calc.add.s(2, 2)]
    for flow in (group(pair), calc.add.s().chunks([(1, 1)], 1), celery.group(pair)):
        with pytest.raises(TypeError, match=r"[Cc]annot add link"):
            flow.apply_async(**{name: calc.echo.s()})
    with pytest.raises(ArgumentsError):
        group(pair).apply_async(**{name: calc.echo.s()})
    assert client.status()["messages"] == before


def wrong_errbacks(client: Any) -> dict[str, Any]:
    return {
        "says no queue": celery.signature("calc.note", ("x",)),
        "no worker listens on queue 'nowhere'": client.calc.note.s("x").set(queue="nowhere"),
        "has no task 'calc.nope'": celery.signature("calc.nope", queue="calc"),
    }


@pytest.mark.parametrize("number", range(3))
def test_errbacks_that_nobody_would_run_are_refused(client: Any, number: int) -> None:
    calc = client.calc
    problem, errback = [*wrong_errbacks(client).items()][number]
    before = client.status()["messages"]
    task, body = calc.fail.s(), calc.total.s()
    flows = [
        task.clone().on_error(errback),
        chain(task.clone(), body.clone()).on_error(errback),
        group([task.clone(), task.clone()]).set(link_error=errback),
        chord([task.clone()], body.clone()).on_error(errback),
        chord([task.clone()], body.clone().on_error(errback)),
        celery.chord([task.clone()], body.clone().on_error(errback)),
    ]
    for flow in flows:
        with pytest.raises(CanvasError, match=problem):
            flow.delay()
    with pytest.raises(CanvasError, match=problem):
        calc.fail.apply_async(link_error=errback)
    with pytest.raises(CanvasError, match=problem):
        calc.fail.options(link_error=errback).delay()
    with pytest.raises(CanvasError, match=problem):
        calc.fail.options(link_error=errback)()
    with pytest.raises(CanvasError, match=problem):
        asyncio.run(calc.fail.options(link_error=errback).aio())
    with pytest.raises(CanvasError, match=problem):
        calc.fail.options(link_error=errback).batch([()])
    assert client.status()["messages"] == before


def test_a_call_that_waits_has_its_callbacks(client: Any, tmp_path: Any) -> None:
    calc, log = client.calc, tmp_path / "log"
    add = calc.add.options(link=calc.note.s(str(log)))
    assert add(1, 1) == 2
    assert asyncio.run(add.aio(2, 2)) == 4
    assert [each.get(timeout=WAIT) for each in add.batch([(3, 3)])] == [6]
    wait_until(lambda: log.exists() and log.read_text().split() == ["2", "4", "6"], timeout=WAIT)


def test_an_errback_goes_where_it_is_told(client: Any, tmp_path: Any) -> None:
    calc, log = client.calc, tmp_path / "log"
    errback = celery.signature("calc.note", (str(log),), queue="calc")
    reply = calc.fail.s().on_error(errback).delay()
    with pytest.raises(ValueError, match="as asked"):
        reply.get(timeout=WAIT)
    wait_until(lambda: log.exists() and log.read_text() == f"{reply.id}\n", timeout=WAIT)
