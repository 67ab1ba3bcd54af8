"""What a call's workers say of it shortly before its deadline: each call that waits is told."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from celery_rpc import DeadlineExceeded, connect
from tests.integration.test_forks import in_child
from tests.servers import Broker, Worker, wait_until

MANY = 8


@pytest.fixture(scope="module")
def busy(broker: Broker) -> Iterator[Worker]:
    """A worker that has threads for all calls of a test."""
    with Worker.start(
        "tests.workers.calc", broker.url, ["busy"], pool="threads", concurrency=4 * MANY
    ) as started:
        yield started.wait_ready()


@pytest.fixture
def client(broker: Broker, busy: Worker) -> Iterator[Any]:
    with connect(broker.url) as made:
        assert made.busy["calc.add"](1, 1) == 2
        yield made


def hint_of(call: Any, *args: Any) -> str:
    """Return what is said of a call that does not end in time."""
    with pytest.raises(DeadlineExceeded) as caught:
        call(*args)
    assert caught.value.hint in str(caught.value)
    return caught.value.hint


def test_R17_each_of_many_concurrent_calls_is_told(client: Any, busy: Worker) -> None:
    sleep = client.busy["calc.sleep"].options(timeout=3)
    with ThreadPoolExecutor(MANY) as threads:
        hints = list(threads.map(lambda _: hint_of(sleep, 6), range(MANY)))
    assert hints == [f"{busy.hostname} is running it"] * MANY


def test_R17_each_of_many_awaited_calls_is_told(client: Any, busy: Worker) -> None:
    sleep = client.busy["calc.sleep"].options(timeout=3)

    async def crowd() -> list[Any]:
        return await asyncio.gather(*(sleep.aio(6) for _ in range(MANY)), return_exceptions=True)

    hints = [error.hint for error in asyncio.run(crowd())]
    assert hints == [f"{busy.hostname} is running it"] * MANY


def test_R17_a_call_that_is_to_be_run_again_is_at_its_worker(client: Any, busy: Worker) -> None:
    later = client.busy["calc.retry_later"].options(timeout=3)
    for _ in range(3):  # whichever of its attempts the worker forgets
        assert hint_of(later, 60).startswith(f"{busy.hostname} has it, and waits until")


def test_R17_a_call_that_is_put_off_is_at_its_worker(client: Any, busy: Worker) -> None:
    late = client.busy["calc.sleep"].options(countdown=3.9, timeout=4)
    assert hint_of(late, 1).startswith(f"{busy.hostname} has it, and waits until")


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_R25_a_child_forked_while_workers_are_asked_is_told_of_its_own_calls(
    client: Any, busy: Worker
) -> None:
    probes = client.caller.delivery._probes
    sleep = client.busy["calc.sleep"]
    with ThreadPoolExecutor(1) as threads:
        parents = threads.submit(hint_of, sleep.options(timeout=3), 6)
        wait_until(lambda: len(probes._clock), what="the question", timeout=10)
        said = in_child(lambda: hint_of(sleep.options(timeout=3), 6))
        assert said == parents.result(30) == f"{busy.hostname} is running it"


def test_R17_nothing_is_awaited_of_workers_after_the_end(client: Any) -> None:
    hint_of(client.busy["calc.sleep"].options(timeout=3), 4)
    table = client.caller.transport.table
    wait_until(lambda: not table._answers, what="the end of the question", timeout=20)
