"""Where results go: rpc, a Redis store, somewhere else, nowhere."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from celery import group

from celery_rpc import BackendMismatch, ConfigurationError, connect
from tests.limits import ends_within
from tests.servers import Broker, ValkeyBroker, Worker


@pytest.fixture(scope="module")
def store(valkey: ValkeyBroker) -> str:
    return valkey.fresh_url()


@pytest.fixture(scope="module", autouse=True)
def storing_worker(broker: Broker, store: str) -> Any:
    with Worker.start(
        "tests.workers.calc", broker.url, ["calc"], backend=store, pool="threads"
    ) as worker:
        yield worker.wait_ready()


@pytest.fixture(scope="module")
def storing_client(broker: Broker, store: str) -> Any:
    with connect(broker.client_url, backend=store) as client:
        yield client


def test_results_come_from_the_store(storing_client: Any) -> None:
    calc = storing_client.calc
    assert calc.add(1, 1) == 2
    assert calc.add.delay(1, 2).get(timeout=30) == 3
    assert [reply.get(timeout=30) for reply in calc.add.batch([(n, n) for n in range(200)])] == [
        *range(0, 400, 2)
    ]
    with pytest.raises(ValueError, match="as asked"):
        calc.fail()


def test_the_callers_own_ids_are_heard_too(storing_client: Any) -> None:
    for _ in range(20):
        task_id = str(uuid4())
        reply = storing_client.calc.add.apply_async((1, 1), task_id=task_id)
        assert reply.get(timeout=30) == 2


def test_a_stored_result_is_found_by_its_id_later(
    broker: Broker, store: str, storing_client: Any
) -> None:
    reply = storing_client.calc.add.delay(20, 1)
    assert reply.get(timeout=30) == 21
    with connect(broker.client_url, backend=store) as other:
        assert other.reply(reply.id).get(timeout=30) == 21


def test_progress_and_awaits_work_from_the_store(storing_client: Any) -> None:
    reply = storing_client.calc.progress.delay(3, 0.05)
    assert "PROGRESS" in [update.state for update in reply.updates(timeout=30)]

    async def main() -> Any:
        return await asyncio.gather(*(storing_client.calc.add.aio(n, 1) for n in range(100)))

    assert asyncio.run(main()) == [*range(1, 101)]


def test_chains_work_from_the_store(storing_client: Any) -> None:
    calc = storing_client.calc
    assert (calc.add.s(1, 1) | calc.mul.s(10)).delay().get(timeout=30) == 20


def test_chords_work_where_workers_keep_results(storing_client: Any) -> None:
    calc = storing_client.calc
    flow = group(calc.add.s(n, n) for n in range(3)) | calc.total.s()
    assert flow.delay().get(timeout=30) == 6


def test_a_client_that_listens_elsewhere_is_told_at_the_call(broker: Broker) -> None:
    with connect(broker.client_url) as client:
        said = r"(?s)keep results in Redis.*connect\(backend="
        with ends_within(5), pytest.raises(BackendMismatch, match=said):
            client.calc.add(1, 1)
        with ends_within(5), pytest.raises(BackendMismatch):
            client.calc.add.delay(1, 1)
        assert client.calc.add.options(ignore_result=True).delay(1, 1).get() is None


def test_waiting_for_an_ignored_result_is_refused(storing_client: Any) -> None:
    with pytest.raises(BackendMismatch, match="ignores its result"):
        storing_client.calc.ignored(1)


def test_a_backend_that_cannot_be_listened_to_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="cannot be listened to"):
        connect("redis://localhost", backend="db+sqlite:///results.db")
