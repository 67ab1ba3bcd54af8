"""What is sent is what was there when it was called, whatever becomes of it later."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import celery
import pytest

from celery_rpc import EncodeError, Retry, chain, chord, group
from celery_rpc.canvas import Graph
from celery_rpc.testing.memory import in_memory
from tests.servers import wait_until
from tests.workers.calc import app

pytestmark = pytest.mark.watchdog(60)

WAIT = 30.0


@dataclass
class Line:
    rows: list[int]


def after_a_while(client: Any, last: Any, kind: str) -> Any:
    """Return a canvas that sends ``last`` only after another task."""
    first = client.calc.sleep.si(0.05)
    kinds: dict[str, Callable[[], Any]] = {
        "chord": lambda: chord([first], last),
        "chain": lambda: chain(first, *(client.calc.echo.s() for _ in range(20)), last),
        "group": lambda: chain(first, group(last, last)),
        "stock chord": lambda: celery.chord([first], last),
        "stock chain": lambda: celery.chain(first, last),
        "callback": lambda: first.set(link=last),
    }
    return kinds[kind]()


KINDS = ["chord", "chain", "group", "stock chord", "stock chain", "callback"]


def value_of(reply: Any) -> Any:
    """Return the value of the last task, or of its first callback."""
    value = reply.get(timeout=WAIT)
    if reply.children and value == 0.05:
        return reply.children[0].get(timeout=WAIT)
    return value[0] if isinstance(value, list) and len(value) == 2 else value


@pytest.mark.parametrize("kind", KINDS)
def test_a_list_that_grows_later_is_sent_as_it_was(client: Any, kind: str) -> None:
    rows = [1]
    reply = after_a_while(client, client.calc.echo.si(rows), kind).delay()
    rows.append(99)
    assert value_of(reply) == [1]


@pytest.mark.parametrize("kind", KINDS)
def test_one_dict_changed_in_a_loop_is_sent_each_time_as_it_was(client: Any, kind: str) -> None:
    row: dict[str, Any] = {}
    replies = []
    for number in range(3):
        row["of"] = [number]
        replies.append(after_a_while(client, client.calc.echo.si(row), kind).delay())
    row["of"].append(99)
    assert [value_of(each) for each in replies] == [{"of": [n]} for n in range(3)]


def test_a_model_is_dumped_at_the_call(client: Any) -> None:
    line = Line([1])
    reply = chord([client.calc.sleep.s(0.05)], client.calc.echo.si(line)).delay()
    line.rows.append(99)
    assert reply.get(timeout=WAIT) == {"rows": [1]}


def test_a_graph_has_what_was_there_when_a_step_was_added(client: Any) -> None:
    graph, rows = Graph(), [1]
    first = graph.add(client.calc.sleep.s(0.05))
    graph.add(client.calc.echo.si(rows), after=first)
    run = client.run(graph)
    rows.append(99)
    assert run.get(timeout=WAIT) == [1]
    assert client.run(graph).get(timeout=WAIT) == [1]


def test_partial_arguments_are_those_of_the_call(client: Any) -> None:
    calc, rows = client.calc, [1]
    flow = chord([calc.sleep.si(0.05)], calc.sleep.si(0.0)) | calc.echo.si(1)
    reply = (calc.echo.s() | calc.sleep.si(0.05) | flow | calc.echo.si(2)).delay(rows)
    rows.append(99)
    assert reply.get(timeout=WAIT) == 2
    while reply.parent is not None:
        reply = reply.parent
    assert reply.get(timeout=WAIT) == [1]


def test_a_batch_takes_each_item_as_it_is_when_it_comes(client: Any) -> None:
    def items() -> Any:
        row: dict[str, int] = {}
        for row["n"] in range(3):
            yield (row,)

    replies = client.calc.echo.batch(items())
    assert [each.get(timeout=WAIT) for each in replies] == [{"n": 0}, {"n": 1}, {"n": 2}]


def test_what_is_awaited_later_is_sent_as_it_was(client: Any) -> None:
    async def gathered() -> list[Any]:
        row: dict[str, int] = {}
        calls = []
        for row["n"] in range(3):
            calls.append(client.calc.echo.aio(row))
            calls.append(chord([client.calc.sleep.s(0.01)], client.calc.echo.si(row)).aio())
            calls.append(client["calc"]["calc.echo"].aio(row))
        return await asyncio.gather(*calls)

    assert asyncio.run(gathered()) == [{"n": n} for n in range(3) for _ in range(3)]


def test_headers_are_those_of_when_they_were_said(client: Any) -> None:
    told: dict[str, Any] = {"mine": ["a"]}
    echo = client.calc.echo.options(headers=told)
    signature = echo.s(1)
    told["mine"].append("b")
    (options,) = [step.options for step in signature.graph().steps]
    assert options.headers == {"mine": ["a"]}
    signature.options["headers"]["mine"].append("c")
    (again,) = [step.options for step in echo.s(1).graph().steps]
    assert again.headers == {"mine": ["a"]}


def test_errbacks_are_called_with_the_arguments_of_the_call(client: Any, tmp_path: Any) -> None:
    calc, log, other = client.calc, tmp_path / "log", tmp_path / "other"
    errback = calc.note.s(str(log))
    flow = chord([calc.sleep.si(0.05) | calc.fail.si()], calc.total.s()).on_error(errback)
    reply = flow.delay()
    errback.args = (str(other),)
    with pytest.raises(ValueError, match="as asked"):
        reply.get(timeout=WAIT)
    wait_until(log.exists, timeout=WAIT)
    assert not other.exists()


def test_a_call_that_is_made_again_sends_what_was_there_at_first() -> None:
    with in_memory({"calc": app}, max_in_flight=1) as client:
        taken = client.reply("somebody else's")  # has the only place
        steady = client.calc.echo.options(retry=Retry(attempts=None, backoff=0.01), timeout=WAIT)

        async def called() -> Any:
            rows = [1]
            call = asyncio.create_task(steady.aio(rows))
            rows.append(99)
            await asyncio.sleep(0)  # it has begun, and found no place
            client.caller.host.forget(taken.id)
            return await call

        assert asyncio.run(called()) == [1]


def test_what_cannot_be_sent_is_refused_at_the_call(client: Any) -> None:
    calc = client.calc
    before = client.status()["messages"]
    flows = [
        chord([calc.sleep.s(0.01)], calc.echo.si({"x": [object()]})),
        chain(calc.add.s(1, 1), *(calc.echo.s() for _ in range(20)), calc.echo.si([{(1, 2): 3}])),
        group(calc.echo.s(1), calc.echo.s({"__type__": "decimal", "__value__": "1"})),
    ]
    for flow in flows:
        with pytest.raises(EncodeError, match=r"calc\.echo.*args\[0\]"):
            flow.delay()
        with pytest.raises(EncodeError, match=r"args\[0\]"):
            asyncio.run(flow.aio())
    graph = Graph()
    graph.add(calc.echo.s(object()), after=graph.add(calc.add.s(1, 1)))
    with pytest.raises(EncodeError, match=r"step 1 \(calc\.echo on calc\): args\[0\]"):
        client.run(graph)
    assert client.status()["messages"] == before
