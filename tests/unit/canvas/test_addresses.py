"""Where calls and canvases go when an option names another queue."""

import asyncio
from collections.abc import Iterator
from typing import Any

import celery
import pytest
from kombu import Queue

from celery_rpc import (
    CanvasError,
    ConfigurationError,
    NoSuchService,
    NoSuchTask,
    chain,
    chord,
    group,
)
from celery_rpc.testing.memory import in_memory
from tests.workers.calc import app

older = celery.Celery("older", set_as_current=False)


@older.task(name="older.add", shared=False)  # type: ignore[untyped-decorator]
def add(x: int, y: int) -> int:
    return x + y


QUEUE = [
    {"queue": "fast"},
    {"queue": Queue("fast")},
    {"routing_key": "fast"},
    {"exchange": "", "routing_key": "fast"},
]


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with in_memory({"calc": app, "fast": app, "older": older}) as made:
        yield made


def queues(canvas: Any, **options: Any) -> list[str]:
    return [step.address.queue for step in canvas.graph(**options).steps]


@pytest.mark.parametrize("address", QUEUE, ids=str)
def test_a_signature_goes_where_it_is_told(client: Any, address: dict[str, Any]) -> None:
    add = client.calc.add
    assert queues(add.s(1, 1).set(**address)) == ["fast"]
    assert queues(add.s(1, 1), **address) == ["fast"]
    assert queues(add.signature((1, 1), **address)) == ["fast"]
    assert add.s(1, 1).set(**address).delay().get(timeout=30) == 2
    assert add.s(1, 1).apply_async(**address).get(timeout=30) == 2


@pytest.mark.parametrize("address", QUEUE, ids=str)
def test_a_call_goes_where_it_is_told(client: Any, address: dict[str, Any]) -> None:
    moved = client.calc.add.options(**address)
    assert moved.queue == "fast"
    assert moved(1, 1) == 2
    assert client.calc.add.apply_async((1, 1), **address).get(timeout=30) == 2
    assert asyncio.run(moved.aio(1, 1)) == 2


def test_options_of_canvases_are_for_the_tasks_that_celery_gives_them_to(client: Any) -> None:
    add, total = client.calc.add, client.calc.total
    assert queues(group(add.s(1, 1), add.s(2, 2)).set(queue="fast")) == ["fast", "fast"]
    assert queues(chain(add.s(1, 1), add.s(2)), queue="fast") == ["fast", "calc"]
    assert queues(chord([add.s(1, 1)], total.s()), queue="fast") == ["fast", "fast"]
    assert queues(add.s().chunks([(1, 1)] * 2, 1).set(queue="fast")) == ["fast", "fast"]
    assert queues(add.s().starmap([(1, 1)]).set(queue="fast")) == ["fast"]
    assert queues(add.s().starmap([(1, 1)])) == ["calc"]


def test_outer_options_win(client: Any) -> None:
    inner = client.calc.add.s(1, 1).set(queue="older")
    assert queues(group(inner, client.calc.add.s(1, 1)), queue="fast") == ["fast", "fast"]
    assert queues(group(inner, client.calc.add.s(1, 1)), routing_key="fast") == ["fast", "fast"]
    assert queues(inner, routing_key="fast") == ["fast"]


def test_celerys_own_classes_go_where_they_are_told(client: Any) -> None:
    made = celery.group([client.calc.mul.s(1, 1), client.calc.mul.s(2, 2)])
    assert made.apply_async(queue="fast").get(timeout=30) == [1, 4]
    made = celery.group([client.older.add.s(1, 1)] * 2)
    with pytest.raises(CanvasError, match=r"older\.add on fast.*has no task"):
        made.apply_async(queue="fast")
    signature = celery.signature("calc.add", (1, 1), app=client.app, queue="fast")
    assert signature.delay().get(timeout=30) == 2


def test_an_unknown_queue_is_refused_with_those_that_are_near(client: Any) -> None:
    calc = client.calc
    before = client.status()["messages"]
    with pytest.raises(CanvasError, match=r"no worker listens on queue 'fasst'.*'fast'"):
        calc.add.s(1, 1).set(queue="fasst").delay()
    with pytest.raises(CanvasError, match=r"no worker listens on queue 'fasst'.*'fast'"):
        (group(calc.add.s(1, 1), calc.add.s(1, 1)) | calc.total.s()).apply_async(queue="fasst")
    with pytest.raises(NoSuchService, match=r"no worker listens on queue 'fasst'.*'fast'"):
        calc.add.options(queue="fasst")
    with pytest.raises(NoSuchService, match=r"no worker listens on queue 'fasst'.*'fast'"):
        calc.add.apply_async((1, 1), routing_key="fasst")
    with pytest.raises(NoSuchTask, match=r"'fast' has no task 'older.add'"):
        client.older.add.apply_async((1, 1), queue="fast")
    assert client.status()["messages"] == before


def test_another_exchange_is_obeyed_only_where_a_queue_is_bound_by_it(client: Any) -> None:
    calc = client.calc
    with pytest.raises(CanvasError, match=r"no queue is bound to exchange 'shop' by 'fast'.*fast"):
        calc.add.s(1, 1).set(exchange="shop", routing_key="fast").delay()
    with pytest.raises(NoSuchService, match="no queue is bound to exchange 'shop' by 'fast'"):
        calc.add.apply_async((1, 1), exchange="shop", routing_key="fast")
    with pytest.raises(ConfigurationError, match="says no queue without routing_key="):
        calc.add.options(exchange="shop")


def test_an_unknown_queue_in_an_event_loop_is_looked_up_when_it_is_awaited(client: Any) -> None:
    async def call() -> Any:
        return await client.calc.add.options(queue="fasst").aio(1, 1)

    with pytest.raises(NoSuchService, match="'fasst'"):
        asyncio.run(call())
