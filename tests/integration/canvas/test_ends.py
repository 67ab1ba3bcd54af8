"""Whatever id of a canvas somebody holds, it ends with the canvas."""

from collections.abc import Callable, Iterator
from typing import Any

import celery
import pytest
from celery.result import GroupResult

import celery_rpc
from tests.servers import wait_until

WAIT = 60.0


@pytest.fixture(params=["ours", "celery"])
def classes(request: pytest.FixtureRequest) -> Any:
    """The module that chain, group and chord are from."""
    return celery_rpc if request.param == "ours" else celery


Canvases = dict[str, Callable[[Any, Any], Any]]

#: Canvases in which a task fails.
FAILING: Canvases = {
    "chord": lambda m, calc: m.chord([calc.fail.si(), calc.add.si(1, 1)], calc.total.s()),
    "group then task": lambda m, calc: (
        m.group([calc.fail.si(), calc.add.si(1, 1)]) | calc.total.s()
    ),
    "chain with a chord": lambda m, calc: m.chain(
        calc.add.si(1, 1), m.group([calc.fail.si(), calc.add.s(1)]), calc.total.s(), calc.add.s(1)
    ),
    "chain, then a group": lambda m, calc: (
        m.chain(calc.add.si(1, 1), calc.fail.si()) | m.group([calc.add.s(1), calc.add.s(2)])
    ),
    "long chain": lambda m, calc: m.chain(
        calc.add.si(1, 1), calc.fail.si(), *[calc.add.s(1) for _ in range(20)]
    ),
    "body of several": lambda m, calc: m.chord(
        [calc.fail.si(), calc.add.si(1, 1)], m.chain(calc.total.s(), calc.add.s(1), calc.echo.s())
    ),
    "body that fails": lambda m, calc: m.chord(
        [calc.add.si(1, 1)], m.chain(calc.total.s(), calc.fail.si(), calc.add.s(1))
    ),
    "body that is a group": lambda m, calc: m.chord(
        [calc.fail.si(), calc.add.si(1, 1)], m.group([calc.total.s(), calc.echo.s()])
    ),
    "body that is a chord": lambda m, calc: m.chord(
        [calc.fail.si(), calc.add.si(1, 1)],
        m.chord([calc.total.s(), calc.echo.s()], calc.echo.s()),
    ),
    "chord in a header": lambda m, calc: m.chord(
        [
            calc.add.si(1, 1),
            m.chord([calc.fail.si(), calc.add.si(2, 2)], m.chain(calc.total.s(), calc.add.s(1))),
        ],
        calc.total.s(),
    ),
    "chain in a header": lambda m, calc: m.chord(
        [m.chain(calc.add.si(1, 1), calc.fail.si(), calc.add.s(1)), calc.add.si(2, 2)],
        calc.total.s(),
    ),
    "chord in a group": lambda m, calc: m.group(
        [calc.add.si(1, 1), m.chord([calc.fail.si(), calc.add.si(1, 1)], calc.total.s())]
    ),
    "callback that is never due": lambda m, calc: m.chord(
        [calc.fail.si(), calc.add.si(1, 1)], linked(calc.total.s(), calc.echo.s())
    ),
}


def linked(signature: Any, callback: Any) -> Any:
    signature.link(callback)
    return signature


def family(result: Any) -> Iterator[Any]:
    """Yield every reply that can be reached from a result."""
    while result is not None:
        if isinstance(result, GroupResult):
            for member in result.results:
                yield from family(member)
        else:
            yield result
        result = result.parent


@pytest.mark.parametrize("kind", FAILING)
def test_every_result_of_a_canvas_that_failed_is_ready(
    client: Any, classes: Any, kind: str
) -> None:
    result = FAILING[kind](classes, client.calc).delay()
    with pytest.raises(ValueError, match="as asked"):
        result.get(timeout=WAIT)
    known = list(family(result))
    wait_until(lambda: all(each.ready() for each in known), what="all to end", timeout=WAIT)
    assert {each.state for each in known} <= {"SUCCESS", "FAILURE"}
    failed = [each.get(timeout=WAIT, propagate=False) for each in known if each.failed()]
    assert {type(each) for each in failed} == {type(failed[0])}


@pytest.mark.parametrize("kind", FAILING)
def test_ids_that_were_frozen_end_with_the_canvas(client: Any, classes: Any, kind: str) -> None:
    canvas = FAILING[kind](classes, client.calc)
    frozen = canvas.freeze()
    known = list(family(frozen))
    canvas.delay()
    with pytest.raises(ValueError, match="as asked"):
        frozen.get(timeout=WAIT)
    wait_until(lambda: all(each.ready() for each in known), what="all to end", timeout=WAIT)


def test_a_signature_frozen_in_a_graph_ends_by_every_way_of_asking(client: Any) -> None:
    calc = client.calc
    skipped = calc.echo.s()
    frozen = skipped.freeze()
    graph = celery_rpc.Graph()
    step = graph.add(skipped, after=graph.add(calc.fail.s("KeyError")))
    run = client.run(graph)
    for reply in (frozen, run.result(step), client.reply(frozen.id)):
        with pytest.raises(KeyError):
            reply.get(timeout=WAIT)


def test_ids_end_when_a_run_is_cancelled(client: Any) -> None:
    calc = client.calc
    waiting = calc.echo.s()
    frozen = waiting.freeze()
    graph = celery_rpc.Graph()
    graph.add(waiting, after=graph.add(calc.add.s(1, 1).set(countdown=60)))
    client.run(graph).cancel()
    with pytest.raises(celery_rpc.CallCancelled):
        frozen.get(timeout=WAIT)
