"""The first failure ends a wait: a member that takes long neither delays it nor hides it."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import celery
import pytest

import celery_rpc
from celery_rpc import DeadlineExceeded, Graph

WAIT = 60.0

#: Seconds after which the member that takes long would begin.
LATE = 120.0


@pytest.fixture(params=["ours", "celery"])
def classes(request: pytest.FixtureRequest) -> Any:
    """The module that chain, group and chord are from."""
    return celery_rpc if request.param == "ours" else celery


@pytest.fixture
def late(client: Any) -> Iterator[Callable[[], Any]]:
    """Make signatures of a task that does not begin during the test."""
    made: list[str] = []

    def make() -> Any:
        signature = client.calc.add.si(1, 1).set(countdown=LATE)
        made.append(signature.freeze().id)
        return signature

    yield make
    client.app.control.revoke(made)


Canvases = dict[str, Callable[[Any, Any, Callable[[], Any]], Any]]

#: Canvases with a member that takes long before one that fails.
CANVASES: Canvases = {
    "group": lambda m, calc, late: m.group([late(), calc.fail.si("KeyError")]),
    "nested": lambda m, calc, late: m.group(
        [late(), m.chain(calc.add.s(1, 1), m.group([late(), calc.fail.si("KeyError")]))]
    ),
    "chord": lambda m, calc, late: m.chord([late(), calc.fail.si("KeyError")], calc.total.s()),
    "chain": lambda m, calc, late: m.chain(
        calc.add.si(1, 1), m.group([late(), calc.fail.si("KeyError")])
    ),
    "chord in a chain": lambda m, calc, late: m.chain(
        calc.add.si(1, 1), m.group([late(), calc.fail.si("KeyError")]), calc.total.s()
    ),
}


@pytest.fixture(params=CANVASES)
def canvas(request: pytest.FixtureRequest, classes: Any, client: Any, late: Any) -> Any:
    return CANVASES[request.param](classes, client.calc, late)


def test_get_raises_the_first_failure(canvas: Any) -> None:
    result = canvas.delay()
    with pytest.raises(KeyError, match="as asked"):
        result.get(timeout=WAIT)
    with pytest.raises(KeyError, match="as asked"):
        result.get(timeout=WAIT)
    assert not result.ready() or result.failed()


def test_a_reply_that_is_awaited_raises_the_first_failure(canvas: Any) -> None:
    async def main() -> None:
        await canvas.delay()

    with pytest.raises(KeyError, match="as asked"):
        asyncio.run(asyncio.wait_for(main(), WAIT))


@pytest.mark.parametrize("kind", CANVASES)
def test_aio_raises_the_first_failure(client: Any, late: Any, kind: str) -> None:
    canvas = CANVASES[kind](celery_rpc, client.calc, late)
    with pytest.raises(KeyError, match="as asked"):
        asyncio.run(asyncio.wait_for(canvas.aio(), WAIT))


def test_a_run_raises_the_first_failure_and_goes_on(canvas: Any, client: Any) -> None:
    run = client.run(Graph.from_canvas(canvas))
    with pytest.raises(KeyError, match="as asked"):
        run.get(timeout=WAIT)
    assert not run.done
    run.cancel()


def test_without_propagation_a_chord_gives_the_first_failure(
    classes: Any, client: Any, late: Any
) -> None:
    result = CANVASES["chord"](classes, client.calc, late).delay()
    assert isinstance(result.get(timeout=WAIT, propagate=False), KeyError)


def test_without_propagation_a_group_waits_for_all(classes: Any, client: Any, late: Any) -> None:
    result = CANVASES["group"](classes, client.calc, late).delay()
    with pytest.raises(DeadlineExceeded):
        result.get(timeout=1.0, propagate=False)
    both = classes.group([client.calc.fail.si("KeyError"), client.calc.add.si(1, 1)]).delay()
    error, value = both.get(timeout=WAIT, propagate=False)
    assert isinstance(error, KeyError)
    assert value == 2


def test_a_set_of_results_raises_the_first_failure(client: Any, late: Any) -> None:
    results = [late().delay(), client.calc.fail.delay("KeyError")]
    together = celery.result.ResultSet(results, app=client.app)
    with pytest.raises(KeyError, match="as asked"):
        together.get(timeout=WAIT)


def test_a_deadline_without_a_failure_is_a_deadline(classes: Any, client: Any, late: Any) -> None:
    result = classes.group([late(), client.calc.add.si(1, 1)]).delay()
    with pytest.raises(DeadlineExceeded):
        result.get(timeout=0.5)


def test_states_are_told_while_a_group_is_awaited(client: Any) -> None:
    progress = client.calc.progress
    heard: list[Any] = []
    result = celery_rpc.group(progress.s(2), progress.s(3)).delay()
    assert result.get(timeout=WAIT, on_message=heard.append) == [2, 3]
    assert {each["task_id"] for each in heard} == {each.id for each in result}
    assert [each["result"] for each in heard if each["task_id"] == result[1].id] == [
        {"step": step, "of": 3} for step in (1, 2, 3)
    ]
