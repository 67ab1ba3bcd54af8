"""Stock workers of every kind: pools, and older versions of Celery."""

from pathlib import Path
from typing import Any

import pytest

from celery_rpc import RemoteError, connect
from tests.servers import Broker, Worker, wait_until


def exercise(broker: Broker) -> None:
    """Use what every worker must be able to do."""
    with connect(broker.client_url) as client:
        assert client.calc.add(1, 1) == 2
        with pytest.raises(ZeroDivisionError):
            client.calc.fail("ZeroDivisionError")
        reply = client.calc.progress.delay(2)
        assert [u.state for u in reply.updates(timeout=30)].count("PROGRESS") == 2
        assert reply.get(timeout=30) == 2
        flow = client.calc.add.s(1, 1) | client.calc.mul.s(10)
        assert flow.delay().get(timeout=30) == 20
        assert [r.get(timeout=30) for r in client.calc.add.batch([(n, 1) for n in range(20)])] == [
            *range(1, 21)
        ]
        assert client.catalog["calc"].tasks["calc.add"].backend == "rpc"
        assert client.catalog["calc"].tasks["calc.ignored"].ignore_result


@pytest.mark.parametrize("pool", ["prefork", "threads", "solo"])
def test_every_pool_is_served(broker: Broker, pool: Any) -> None:
    with Worker.start("tests.workers.calc", broker.url, ["calc"], pool=pool) as worker:
        worker.wait_ready()
        exercise(broker)


def test_a_soft_time_limit_is_enforced_by_the_worker(broker: Broker) -> None:
    with (
        Worker.start("tests.workers.calc", broker.url, ["calc"], pool="prefork") as worker,
        connect(worker.wait_ready().broker_url) as client,
    ):
        with pytest.raises(RemoteError) as caught:
            client.calc.sleep.options(soft_time_limit=1)(10)
        assert caught.value.type.endswith("SoftTimeLimitExceeded")
        with pytest.raises(RemoteError) as caught:
            client.calc.sleep.options(time_limit=1)(10)
        assert caught.value.type.endswith("TimeLimitExceeded")
        assert client.calc.add(1, 1) == 2


def test_calls_are_taken_by_their_priority(broker: Broker) -> None:
    rabbitmq = broker.kind == "rabbitmq"
    queue, highest = ("urgent", 9) if rabbitmq else ("by-topic", 0)
    with (
        Worker.start(
            "tests.workers.exotic",
            broker.url,
            [queue],
            pool="solo",
            concurrency=1,
            args=["--prefetch-multiplier", "1"],
            env={"EXOTIC_AMQP": "1"} if rabbitmq else {},
        ) as worker,
        connect(worker.wait_ready().broker_url) as client,
    ):
        where = client.task("where", queue=queue)
        ended: list[int] = []
        worker.freeze()
        where.delay()  # the worker may have this one already
        for priority in (5, 9 - highest, highest):
            reply = where.options(priority=priority).delay()
            reply.add_done_callback(lambda _, priority=priority: ended.append(priority))
        worker.thaw()
        wait_until(lambda: len(ended) == 3, what="the calls to end")
        assert ended == [highest, 5, 9 - highest]


@pytest.mark.watchdog(300)
def test_older_workers_are_served(broker: Broker, other_celery: Path) -> None:
    with Worker.start("tests.workers.calc", broker.url, ["calc"], python=other_celery) as worker:
        worker.wait_ready()
        exercise(broker)
