"""Tasks in canvases without ``.s()``, as Celery takes them in a chord."""

from typing import Any

import celery
import pytest

from celery_rpc import CanvasError, Graph, chain, chord, group
from tests.workers.calc import app


@pytest.mark.parametrize("make", [chord, celery.chord], ids=["ours", "celery"])
def test_bare_tasks_are_a_header(client: Any, make: Any) -> None:
    calc = client.calc
    assert make([calc.total, calc.total], calc.total.s()).delay([1, 2]).get(timeout=30) == 6
    assert make([calc.total, calc.echo.si(4)], calc.echo.s()).delay([3]).get(timeout=30) == [3, 4]


@pytest.mark.parametrize("make", [chord, celery.chord], ids=["ours", "celery"])
def test_bare_tasks_are_a_header_in_a_header(client: Any, make: Any) -> None:
    calc = client.calc
    middle = chain(calc.total.s(), group(calc.add.s(8), calc.add.s(16)), calc.total.s())
    inner = make([calc.total, calc.total], middle)
    assert make([calc.add.s(0, 1)], inner).delay().get(timeout=30) == 28


def test_bare_tasks_are_taken_wherever_a_signature_is(client: Any) -> None:
    calc = client.calc
    assert chain(calc.add.s(1, 1), calc.echo).delay().get(timeout=30) == 2
    assert (calc.add.s(1, 1) | calc.echo).delay().get(timeout=30) == 2
    assert group([calc.total, calc.echo]).delay([1, 2]).get(timeout=30) == [3, [1, 2]]
    assert group(calc.total).delay([1, 2]).get(timeout=30) == [3]
    alone: Any = chord(calc.total, calc.total)
    assert alone.delay([1, 2]).get(timeout=30) == 3
    graph = Graph()
    graph.add(calc.echo, after=graph.add(calc.add.s(1, 1)))
    assert client.run(graph).get(timeout=30) == 2


def test_a_bare_task_keeps_its_options(client: Any) -> None:
    urgent = client.calc.total.options(priority=7)
    for make in (chord, celery.chord):
        graph = Graph.from_canvas(make([urgent, urgent], client.calc.total.s()), ([1],))
        assert [step.options.priority for step in graph.steps] == [7, 7, None]


def test_a_bare_task_of_another_app_is_refused(client: Any) -> None:
    with pytest.raises(CanvasError, match=r"'calc.total' says no queue"):
        (client.calc.add.s(1, 1) | app.tasks["calc.total"]).delay()
