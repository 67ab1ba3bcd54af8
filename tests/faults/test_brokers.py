"""Brokers that restart, die, freeze, block or are full."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from celery_rpc import (
    DeadlineExceeded,
    OutcomeUnknown,
    Overloaded,
    Retry,
    RpcError,
    Unavailable,
    connect,
)
from tests.limits import fails
from tests.servers import Gate, RabbitBroker, ValkeyBroker, Worker, wait_until

Own = RabbitBroker | ValkeyBroker

on_redis = pytest.mark.parametrize("server", ["redis"], indirect=True)
on_rabbitmq = pytest.mark.parametrize("server", ["rabbitmq"], indirect=True)


@pytest.fixture(scope="module", params=["redis", "rabbitmq"])
def server(request: pytest.FixtureRequest) -> Iterator[Own]:
    """A server that only these tests use, and that they may break."""
    with ValkeyBroker() if request.param == "redis" else RabbitBroker() as started:
        yield started


@pytest.fixture(scope="module")
def served(server: Own) -> Iterator[Worker]:
    with Worker.start("tests.workers.calc", server.url, ["calc"], pool="threads") as worker:
        yield worker.wait_ready()


@pytest.fixture
def client(server: Own, served: Worker) -> Iterator[Any]:
    with connect(server.url, connect_timeout=1.0, heartbeat=2.0, discovery_window=1.0) as made:
        # After a restart of the broker, the worker takes its time to connect again.
        wait_until(lambda: is_up(made), timeout=90, what="the worker")
        yield made


def is_up(client: Any) -> bool:
    try:
        return bool(client.calc.add.options(timeout=2)(1, 1) == 2)
    except RpcError:
        return False


def test_R45_a_frozen_broker_ends_every_call_in_time(server: Own, client: Any) -> None:
    add = client.calc.add.options(timeout=1.5)
    server.freeze()
    try:
        for call in (lambda: add(1, 1), lambda: add.delay(1, 1), client.refresh):
            fails(call, RpcError, within=4)
        with connect(server.url, connect_timeout=1.0) as fresh:
            fails(lambda: fresh.catalog, Unavailable, within=2)
    finally:
        server.thaw()
    wait_until(lambda: is_up(client), timeout=60, what="a call after the thaw")


@on_rabbitmq
def test_R40_a_broker_that_blocks_publishers_is_overloaded_and_says_so(
    server: Own, client: Any
) -> None:
    """It says that it blocks when the next message comes after it has noticed itself."""
    assert isinstance(server, RabbitBroker)
    add = client.calc.add.options(timeout=1.0)
    server.block_publishers()
    try:

        def is_blocked() -> bool:
            fails(lambda: add(1, 1), OutcomeUnknown, Overloaded, within=1.0)
            return bool(client.status()["blocked"])

        wait_until(is_blocked, what="the broker's word")
        for call in (lambda: add(1, 1), lambda: add.delay(1, 1)):
            assert "blocks publishers" in str(fails(call, Overloaded, within=1.0))
        patient = client.calc.add.options(timeout=1.0, retry=Retry(attempts=None))
        fails(lambda: patient(1, 1), Overloaded, within=1.0)
    finally:
        server.unblock_publishers()
    wait_until(lambda: not client.status()["blocked"], what="the end of it")
    assert client.calc.add(1, 1) == 2


@on_rabbitmq
def test_R04_a_call_survives_a_restart_of_the_broker(server: Own, client: Any, gate: Gate) -> None:
    """RabbitMQ keeps what is durable; a Redis that keeps nothing is R05."""
    assert isinstance(server, RabbitBroker)
    reply = client.calc.hold.options(timeout=90).delay(gate.path, 7)
    wait_until(lambda: gate.held, what="the worker to take it")
    server.stop_app()
    add = client.calc.add.options(timeout=2)
    fails(lambda: add(1, 1), Unavailable, OutcomeUnknown, within=2)
    server.start_app()
    gate.open()
    patient = client.calc.add.options(timeout=60, wait_for_ready=True)
    assert patient(1, 1) == 2
    assert reply.get() == 7


def test_R05_a_broker_that_is_killed_gives_a_value_or_a_truthful_error(
    server: Own, client: Any
) -> None:
    reply = client.calc.sleep.options(timeout=4).delay(1.0)
    server.kill()
    add = client.calc.add.options(timeout=2)
    fails(lambda: add(1, 1), Unavailable, OutcomeUnknown, within=2)
    server.restart()
    with suppress(OutcomeUnknown):  # the broker may have taken it along
        assert reply.get() == 1.0
    wait_until(lambda: is_up(client), timeout=90, what="a call after the restart")


@on_redis
def test_R42_a_redis_that_is_flushed_loses_what_was_queued_and_nothing_more(
    server: Own, client: Any, gate: Gate
) -> None:
    assert isinstance(server, ValkeyBroker)
    running = client.calc.hold.delay(gate.path, 7)
    wait_until(lambda: not client.status()["error"], what="a connection")
    wait_until(lambda: gate.held, what="the worker to take it")
    with server.client() as admin:
        admin.flushdb()
    gate.open()
    assert running.get() == 7
    assert client.calc.add(1, 1) == 2


def test_R41_a_redis_that_is_full_is_overloaded() -> None:
    with ValkeyBroker(options={"maxmemory-policy": "noeviction"}) as server:
        worker = Worker.start("tests.workers.calc", server.url, ["calc"], pool="solo")
        with worker, connect(server.url) as client:
            worker.wait_ready()
            add = client.calc.add
            assert add(1, 1) == 2
            with server.client() as admin:
                admin.config_set("maxmemory", "1mb")
            for call in (add, add.delay, add.options(timeout=1)):
                with pytest.raises(Overloaded, match="out of memory"):
                    call(1, 1)


def test_R46_a_frozen_worker_is_missing_and_an_empty_answer_is_no_empty_fleet(
    server: Own, client: Any, served: Worker
) -> None:
    node = served.hostname
    served.freeze()
    try:
        catalog = client.refresh()
        assert node in catalog.missing
        assert "calc" in catalog.services
        assert catalog.complete is False
        with pytest.raises(DeadlineExceeded):
            client.calc.add.options(timeout=0.5)(1, 1)
    finally:
        served.thaw()
    wait_until(lambda: node not in client.refresh().missing, what="its answer")
