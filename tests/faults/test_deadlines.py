"""Deadlines travel with calls; messages that a broker refuses fail their own call alone."""

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from celery_rpc import CallCancelled, DeadlineExceeded, PayloadTooLarge, connect
from celery_rpc.transport.skew import EVERY
from tests.faults.conftest import Connect
from tests.servers import Broker, FaultProxy, Forger, RabbitBroker, Way, Worker, wait_until

pytestmark = pytest.mark.usefixtures("worker")


@pytest.fixture(scope="module")
def gateway(broker: Broker, worker: Worker) -> Iterator[Worker]:
    """A service that calls the module's other one."""
    with Worker.start(
        "tests.workers.gateway",
        broker.url,
        ["gateway"],
        pool="threads",
        env={"GATEWAY_BROKER": broker.url},
    ) as started:
        yield started.wait_ready()


@pytest.fixture
def client(broker: Broker) -> Iterator[Any]:
    with connect(broker.url) as made:
        assert made.calc.add(1, 1) == 2
        yield made


def test_R23_a_call_inside_a_task_inherits_what_is_left_of_its_deadline(
    client: Any, gateway: Worker
) -> None:
    before = time.time()
    nested = client.gateway.deadline.options(timeout=5)()
    assert before < float(nested["called"]) < before + 15  # its own default would be 30 s
    assert nested["sent"] is None  # nobody waits for what is only sent


def test_R23_what_expired_before_it_could_be_sent_harms_no_other(
    linked: Connect, link: FaultProxy, tmp_path: Path
) -> None:
    client = linked()
    mark = tmp_path / "ran"

    async def crowd() -> Any:
        patient = [asyncio.create_task(client.calc.add.aio(n, 1)) for n in range(10)]
        hurried = asyncio.create_task(client.calc.count.options(timeout=0.3).aio(str(mark)))
        patient += [asyncio.create_task(client.calc.add.aio(n, 1)) for n in range(10, 20)]
        with pytest.raises(DeadlineExceeded):
            await hurried
        link.heal()
        return await asyncio.gather(*patient)

    link.freeze(Way.TO_SERVER)
    assert asyncio.run(crowd()) == list(range(1, 21))
    assert client.calc.add(1, 1) == 2
    assert not mark.exists()


def test_R23_what_a_worker_dropped_after_the_deadline_says_so(
    client: Any, worker: Worker, tmp_path: Path
) -> None:
    mark = tmp_path / "ran"
    worker.freeze()
    try:
        reply = client.calc.count.options(timeout=0.3).delay(str(mark))
        wait_until(lambda: reply.deadline().passed, timeout=5, what="the deadline")
    finally:
        worker.thaw()
    with pytest.raises(DeadlineExceeded, match="was not run") as caught:
        reply.get(timeout=10)
    assert caught.value.state == "REVOKED"
    assert not mark.exists()


def test_R23_what_expires_before_its_deadline_is_revoked(client: Any) -> None:
    reply = client.calc.add.options(timeout=10).apply_async((1, 1), countdown=0.5, expires=0.1)
    with pytest.raises(CallCancelled, match="expired"):
        reply.get()


@pytest.mark.parametrize("broker", ["rabbitmq"], indirect=True)
def test_R34_a_message_that_rabbitmq_finds_too_large_fails_its_own_call_alone(
    client: Any, broker: Broker
) -> None:
    """Redis has no such limit below 512 MiB; max_payload holds on both."""
    assert isinstance(broker.server, RabbitBroker)
    limit = (
        "persistent_term:put(max_message_size, {0}), "
        "application:set_env(rabbit, max_message_size, {0})"
    )
    broker.server.evaluate(limit.format(1_000_000))
    try:
        with connect(broker.url) as fresh:  # the limit is read when a channel is opened
            innocent = fresh.calc.sleep.delay(0.3)
            with pytest.raises(PayloadTooLarge, match="larger than"):
                fresh.calc.echo.delay("x" * 2_000_000)
            assert fresh.calc.add(1, 1) == 2
            assert innocent.get(timeout=5) == 0.3
    finally:
        broker.server.evaluate(limit.format(134_217_728))


def test_R24_a_worker_whose_clock_is_ahead_is_noticed_and_allowed_for(
    client: Any, broker: Broker
) -> None:
    time.sleep(EVERY)  # a clock is looked at once in so long, and the first call's just was
    reply = client.calc.sleep.delay(0.5)
    queue = client.status()["reply_queue"]
    ahead = (datetime.now(UTC) + timedelta(seconds=90)).isoformat()
    body = f'{{"task_id": "{reply.id}", "status": "SUCCESS", "result": 1, "date_done": "{ahead}"}}'
    forger = Forger(broker.url)
    forger.put(queue, body.encode(), correlation_id=reply.id)
    forger.close()
    assert reply.get(timeout=5) == 1
    wait_until(lambda: client.status()["clock_skew"] > 85, timeout=5, what="it to be noticed")
    left = datetime.fromisoformat(client.calc.header.options(timeout=10)("expires"))
    assert (left - datetime.now(UTC)).total_seconds() > 80
