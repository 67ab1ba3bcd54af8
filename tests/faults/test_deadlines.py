"""Deadlines travel with calls; messages that a broker refuses fail their own call alone."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from celery_rpc import (
    CallCancelled,
    CanvasError,
    ConfigurationError,
    DeadlineExceeded,
    Graph,
    PayloadTooLarge,
    RemoteError,
    Retry,
    RpcError,
    connect,
)
from celery_rpc.transport.clock_skew import EVERY
from tests.faults.conftest import Connect
from tests.faults.test_turns import warm
from tests.limits import fails
from tests.servers import Broker, FaultProxy, Forger, Gate, RabbitBroker, Way, Worker, wait_until

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
    nested = client.gateway.deadline.options(timeout=10)()
    assert before < float(nested["called"]) < before + 20  # its own default would be 30 s
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
        wait_until(lambda: reply.deadline().passed, what="the deadline")
    finally:
        worker.thaw()
    with pytest.raises(DeadlineExceeded, match="was not run") as caught:
        reply.get(timeout=60)
    assert caught.value.state == "REVOKED"
    assert not mark.exists()


def ways(call: Any) -> dict[str, Callable[[], Any]]:
    return {
        "call": lambda: call(1, 1),
        "aio": lambda: asyncio.run(call.aio(1, 1)),
        "delay": lambda: call.delay(1, 1),
        "batch": lambda: call.batch([(1, 1)]),
        "link": lambda: call.options(link=call.s(1))(1, 1),
    }


@pytest.mark.parametrize("way", ["call", "aio", "delay", "batch", "link"])
def test_R01_a_call_that_could_not_start_by_its_deadline_is_refused(client: Any, way: str) -> None:
    sent = client.status()["sent"]
    eta = datetime.now(UTC) + timedelta(seconds=6)
    for late in {"countdown": 6}, {"eta": eta}, {"eta": eta.isoformat()}, {"countdown": 2}:
        with pytest.raises(ConfigurationError, match=r"timeout.*countdown or eta"):
            ways(client.calc.add.options(timeout=2, **late))[way]()
    assert client.status()["sent"] == sent


def test_R01_the_clients_own_deadline_refuses_a_blocking_call_alone(
    broker: Broker, worker: Worker
) -> None:
    with connect(broker.url, timeout=2) as client:
        late = client.calc.add.options(countdown=4)
        with pytest.raises(ConfigurationError, match="ends after 2 s"):
            late(1, 1)
        assert late.delay(1, 1).get(timeout=20) == 2


def test_R01_a_call_that_is_put_off_ends_by_its_deadline(client: Any) -> None:
    late = client.calc.sleep.options(countdown=1.0, timeout=2)
    began = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        late(30)
    assert 1.9 < time.monotonic() - began < 10


def test_R01_a_step_that_could_not_start_by_its_deadline_is_refused(client: Any) -> None:
    graph = Graph()
    graph.add(client.calc.add.s(1, 1).set(countdown=6), timeout=2)
    with pytest.raises(CanvasError, match=r"ends after 2 s.*countdown or eta"):
        client.run(graph)


def test_R24_a_nested_call_that_could_not_start_by_the_deadline_is_not_sent(
    client: Any, gateway: Worker
) -> None:
    with pytest.raises(RemoteError, match="before this one may start"):
        client.gateway.late.options(timeout=20)(30)


def test_R23_what_expires_before_its_deadline_is_revoked(client: Any) -> None:
    reply = client.calc.add.apply_async((1, 1), countdown=0.5, expires=0.1)
    with pytest.raises(CallCancelled, match="expired"):
        reply.get()


def lose(link: FaultProxy) -> None:
    link.refuse()
    link.cut()


FAULTS: dict[str, Callable[[FaultProxy], None]] = {
    "dead": lose,
    "black hole": lambda link: link.freeze(),
    "deaf": lambda link: link.freeze(Way.TO_SERVER),
    "mute": lambda link: link.freeze(Way.TO_CLIENT),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_R01_whatever_blocks_ends_by_the_clients_deadline(
    broker: Broker, fault: str, linked: Connect, link: FaultProxy
) -> None:
    """None of these says a deadline of its own: the client's is theirs."""
    client = linked(timeout=1.5, discovery_window=0.5)
    add, sent = client.calc.add, client.calc.sleep.delay(30)
    with connect(link.url(broker.url), timeout=1.5, connect_timeout=1.0) as fresh:
        blocking: dict[str, Callable[[], Any]] = {
            "call": lambda: add(1, 1),
            "delay": lambda: add.delay(1, 1),
            "no result": lambda: add.options(ignore_result=True).delay(1, 1),
            "batch": lambda: [reply.get() for reply in add.batch([(1, 1)] * 100)],
            "aio": lambda: asyncio.run(add.aio(1, 1)),
            "reply": sent.get,
            "queue looked at": lambda: add.options(check="consumers")(1, 1),
            "patience": lambda: add.options(wait_for_ready=True)(1, 1),
            "attempts": lambda: add.options(idempotent=True, retry=Retry(attempts=None))(1, 1),
            "cancel": lambda: client.calc.add.apply_async((1, 1), countdown=9).cancel(),
            "canvas": lambda: (add.s(1, 1) | add.s(1)).delay().get(),
            "refresh": client.refresh,
            "first discovery": lambda: fresh.calc.add,
            "first call": lambda: fresh.task("calc.add", queue="calc")(1, 1),
        }
        FAULTS[fault](link)
        with ThreadPoolExecutor(len(blocking)) as threads:
            ends = {
                name: threads.submit(fails, call, RpcError, within=1.5)
                for name, call in blocking.items()
            }
    errors = {name: end.exception() for name, end in ends.items()}
    assert not any(errors.values()), errors


def test_R01_a_client_that_is_told_nothing_waits_thirty_seconds(client: Any) -> None:
    assert client.options.timeout == 30.0


@pytest.mark.parametrize("broker", ["rabbitmq"], indirect=True)
def test_R34_a_message_that_rabbitmq_finds_too_large_fails_its_own_call_alone(
    broker: Broker, gate: Gate
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
            innocent = fresh.calc.hold.delay(gate.path, 7)
            with pytest.raises(PayloadTooLarge, match="larger than"):
                fresh.calc.echo.delay("x" * 2_000_000)
            assert fresh.calc.add(1, 1) == 2
            gate.open()
            assert innocent.get() == 7
    finally:
        broker.server.evaluate(limit.format(134_217_728))


def test_R24_a_worker_whose_clock_is_ahead_is_noticed_and_allowed_for(
    client: Any, broker: Broker, gate: Gate
) -> None:
    time.sleep(EVERY)  # a clock is looked at once in so long, and the first call's just was
    reply = client.calc.hold.delay(gate.path)
    queue = client.status()["reply_queue"]
    ahead = (datetime.now(UTC) + timedelta(seconds=90)).isoformat()
    body = f'{{"task_id": "{reply.id}", "status": "SUCCESS", "result": 1, "date_done": "{ahead}"}}'
    forger = Forger(broker.url)
    forger.put(queue, body.encode(), correlation_id=reply.id)
    forger.close()
    assert reply.get() == 1
    wait_until(lambda: client.status()["clock_skew"] > 85, what="it to be noticed")
    before = datetime.now(UTC)
    left = datetime.fromisoformat(client.calc.header.options(timeout=10)("expires"))
    assert (left - before).total_seconds() > 85


#: What others ask of a client, which has a call that is not run yet; and a deadline in its midst.
ERRANDS: dict[str, tuple[Callable[[Any, Any], object], float]] = {
    "discovery": (lambda client, late: client.refresh(), 2.0),
    "check": (lambda client, late: client.calc.add.options(check="consumers")(1, 1), 2.0),
    "cancel": (lambda client, late: late.cancel(timeout=5.0), 2.0),
    "probe": (lambda client, late: client.calc.sleep.options(timeout=3.1)(0.0), 4.0),
}


@pytest.mark.parametrize(("errand", "timeout"), ERRANDS.values(), ids=ERRANDS)
def test_R01_a_deadline_holds_whatever_others_ask_of_the_client(
    linked: Connect,
    link: FaultProxy,
    gate: Gate,
    errand: Callable[[Any, Any], object],
    timeout: float,
) -> None:
    client = linked(timeout=10.0, heartbeat=20.0)
    warm(client)

    def ask() -> None:
        wait_until(lambda: gate.held == 1, what="the call to run")
        late = client.calc.add.options(countdown=60).delay(1, 1)
        link.freeze()
        with contextlib.suppress(RpcError):
            errand(client, late)

    with ThreadPoolExecutor(1) as other:
        asked = other.submit(ask)
        hold = client.calc.hold.options(timeout=timeout)
        fails(lambda: hold(gate.path), RpcError, within=timeout)
        link.heal()
        gate.open()
        asked.result(timeout=30)


def test_R01_the_look_for_consumers_is_within_the_deadline(linked: Connect, worker: Worker) -> None:
    client = linked()
    add = client.calc.add.options(check="consumers", timeout=1.0)
    worker.freeze()
    try:
        fails(lambda: add(1, 1), RpcError, within=1.0)
    finally:
        worker.thaw()
    wait_until(lambda: client.calc.add.options(timeout=5.0)(1, 1) == 2, what="the worker")
    assert client.calc.add.options(check="consumers", timeout=5.0)(1, 1) == 2
