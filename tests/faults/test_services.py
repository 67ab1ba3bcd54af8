"""Services that are missing, older, frozen or dead: no wait is in vain, nothing runs late."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from celery_rpc import (
    DeadlineExceeded,
    NoConsumers,
    NoSuchService,
    NoSuchTask,
    Retry,
    TaskProxy,
    TaskSpec,
    WorkerLost,
    connect,
)
from celery_rpc.calls.call import Target
from celery_rpc.catalog.address import Address
from tests.limits import fails
from tests.servers import Broker, Gate, RabbitBroker, Worker, wait_until

Start = Callable[..., Worker]


@pytest.fixture
def start(broker: Broker) -> Iterator[Start]:
    """Starts workers of calc that end with the test."""
    started: list[Worker] = []

    def run(queue: str, **options: Any) -> Worker:
        settings = {"pool": "threads", "concurrency": 2, **options}
        module = settings.pop("module", "tests.workers.calc")
        started.append(Worker.start(module, broker.url, [queue], **settings))
        return started[-1].wait_ready()

    yield run
    for each in started:
        if each.running:
            each.thaw()
        each.discard()


@pytest.fixture
def client(broker: Broker) -> Iterator[Any]:
    with connect(broker.url) as made:
        yield made


def unlisted(client: Any, queue: str, task: str = "calc.add") -> TaskProxy:
    """Return a task as a client has it that has not asked anybody, or not lately."""
    return TaskProxy(Target(TaskSpec(task), Address(queue)), client.caller)


def queues_of(broker: Broker) -> set[str]:
    if isinstance(broker.server, RabbitBroker):
        return set(broker.server.queues(broker.url.rpartition("/")[2]))
    with broker.server.client(broker.url) as server:
        return {key.decode() for key in server.keys("*")}


def test_R12_a_queue_that_does_not_exist_fails_at_once_and_is_not_made(
    broker: Broker, client: Any
) -> None:
    with pytest.raises(NoSuchService):
        client.typo15.add(1, 1)
    lost = unlisted(client, "typo16").options(timeout=60, check="consumers")
    for call in (lost, lost.delay):
        fails(
            partial(call, 1, 1), NoSuchService, NoConsumers, within=client.options.discovery_window
        )
    if broker.kind == "rabbitmq":  # it returns what it cannot route: no check is needed
        with pytest.raises(NoSuchService, match="no queue 'typo17'"):
            unlisted(client, "typo17")(1, 1)
    assert not {name for name in queues_of(broker) if "typo" in name}


def test_R12_a_call_that_waits_for_its_service_is_made_when_it_is_there(
    broker: Broker, client: Any, start: Start
) -> None:
    patient = unlisted(client, "soon").options(check="consumers", wait_for_ready=True)
    assert "soon" not in client.refresh()  # it is connected: the deadline is for the check alone
    began = time.monotonic()
    fails(lambda: patient.options(timeout=1)(1, 1), NoSuchService, NoConsumers, within=1)
    assert time.monotonic() - began > 0.3
    start("soon")
    assert patient.options(timeout=60)(1, 1) == 2


def test_R13_R17_R23_a_worker_that_died_meanwhile_is_named_and_nothing_runs_later(
    broker: Broker, client: Any, start: Start, tmp_path: Path
) -> None:
    worker = start("mortal")
    count = client.mortal["calc.count"]
    log = str(tmp_path / "count")
    assert count(log) == 1
    wait_until(lambda: broker.unfinished("mortal") == 0, what="its acknowledgement")
    worker.kill()
    with pytest.raises(DeadlineExceeded) as caught:
        count.options(timeout=3)(log)
    assert worker.hostname in caught.value.hint
    assert caught.value.hint in str(caught.value)
    checked = count.options(check="consumers", timeout=5)
    wait_until(lambda: raises(NoConsumers, lambda: checked(log)), what="NoConsumers")
    start("mortal")
    assert unlisted(client, "mortal", "calc.add")(1, 1) == 2
    assert Path(log).read_text().count("\n") == 1


def raises(kind: type[Exception], call: Callable[[], Any]) -> bool:
    try:
        call()
    except kind:
        return True
    except DeadlineExceeded:
        pass
    return False


def test_R23_a_frozen_worker_does_not_run_what_nobody_waits_for(
    client: Any, start: Start, tmp_path: Path
) -> None:
    worker = start("frozen")
    count = client.frozen["calc.count"]
    log = str(tmp_path / "count")
    assert count(log) == 1
    worker.freeze()
    with pytest.raises(DeadlineExceeded):
        count.options(timeout=0.7)(log)
    worker.thaw()
    assert count(log) == 2


def test_R23_a_running_task_is_stopped_at_the_deadline_where_that_is_asked(
    client: Any, start: Start, tmp_path: Path, gate: Gate
) -> None:
    worker = start("stopped", pool="prefork", concurrency=1)
    late = client.stopped["calc.late"]
    with pytest.raises(DeadlineExceeded):
        late.options(timeout=2, cancel_on_timeout="terminate")(str(tmp_path / "count"), gate.path)
    wait_until(lambda: "Terminating" in worker.log, what="it to be stopped")
    assert client.stopped["calc.add"](1, 1) == 2


def test_R14_a_task_that_no_worker_knows_is_said_with_those_it_knows(
    client: Any, start: Start
) -> None:
    start("older", module="tests.workers.older")
    with pytest.raises(NoSuchTask) as caught:
        unlisted(client, "older", "calc.mul")(2, 3)
    assert not isinstance(caught.value, KeyError)
    assert (caught.value.service, caught.value.task) == ("older", "calc.mul")
    assert "calc.add" in caught.value.known


@pytest.mark.watchdog(90)
def test_a_call_that_another_worker_takes_has_the_arguments_of_its_first_time(
    client: Any, start: Start
) -> None:
    older = start("deploy", module="tests.workers.older")
    start("deploy")
    mul, factor = client.deploy["calc.mul"], [1]
    while "unregistered task of type 'calc.mul'" not in older.log:
        sent = factor[:]
        replies = [mul.delay(factor, 2) for _ in range(4)]
        factor.append(99)
        assert [each.get(timeout=40) for each in replies] == [sent * 2] * 4


def test_R16_a_killed_pool_process_is_a_worker_lost(client: Any, start: Start) -> None:
    worker = start("deadly", pool="prefork", concurrency=1)
    assert client.deadly["calc.add"](1, 1) == 2
    reply = client.deadly["calc.suicide"].delay()
    # Celery may look a moment before the kernel tells of the end, and then looks again only after
    # five seconds (celery/concurrency/asynpool.py, timers): what counts is from when it knows.
    wait_until(lambda: "signal 9 (SIGKILL)" in worker.log, what="Celery to notice")
    fails(reply.get, WorkerLost, within=2)
    assert client.deadly["calc.add"](1, 1) == 2


@pytest.mark.parametrize("broker", ["rabbitmq"], indirect=True)
def test_R18_what_is_acknowledged_late_survives_its_worker(
    client: Any, start: Start, tmp_path: Path, gate: Gate
) -> None:
    """On Redis only after its visibility timeout, which is an hour (R19)."""
    worker = start("late")
    log = tmp_path / "count"
    reply = client.late["calc.late"].delay(str(log), gate.path)
    wait_until(log.exists, what="the task to start")
    worker.kill()
    gate.open()
    start("late")
    assert reply.get() == 2


def test_R17_R20_an_idempotent_call_is_made_again_with_the_same_key(
    client: Any, start: Start, tmp_path: Path
) -> None:
    worker = start("again")
    header = client.again["calc.header"]
    assert header.options(idempotent=True, task_id="an-id-1")("idempotency_key") == "an-id-1"
    assert header.options(idempotency_key="order-7")("idempotency_key") == "order-7"
    assert header("idempotency_key") is None
    sure = header.options(
        timeout=60, idempotent=True, task_id="an-id-2", retry=Retry(10, attempt_timeout=2.0)
    )
    worker.kill()
    start("again")  # another process, which never got what the dead one had
    assert sure("idempotency_key") == "an-id-2"


def test_R50_a_drained_queue_is_noticed_by_whoever_looks(client: Any, start: Start) -> None:
    worker = start("drained")
    add = client.drained["calc.add"].options(check="consumers")
    assert add(1, 1) == 2
    worker.stop()
    with pytest.raises(NoConsumers):
        add(1, 1)
