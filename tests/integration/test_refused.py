"""Calls that workers refuse unexecuted: sent again while a worker may take them, and no longer."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from celery_rpc import NoSuchTask, connect
from celery_rpc.transport.again import MAX_STRANGE
from tests.integration.mailboxes import AmqpMailbox, Mailboxes, queue, registered
from tests.servers import Broker, Worker


def start(app: str, broker: Broker) -> Worker:
    return Worker.start(
        f"tests.workers.{app}", broker.url, ["calc"], pool="threads", concurrency=1
    ).wait_ready()


@contextmanager
def counted_questions(url: str) -> Iterator[Counter[str]]:
    """Count the questions that all workers are asked, by their method."""
    asked: Counter[str] = Counter()

    def answer(method: str, number: int) -> Any:
        asked[method] += 1
        return {"count@host": [queue("count") if method == "active_queues" else registered("c")]}

    kind = Mailboxes if url.startswith("redis") else AmqpMailbox
    with kind(url, 1, answer):
        yield asked


def test_calls_that_half_of_the_workers_refuse_need_no_sweep_each(broker: Broker) -> None:
    with (
        start("calc", broker) as new,
        start("older", broker),
        counted_questions(broker.url) as asked,
        connect(new.broker_url, timeout=60) as client,
    ):
        mul = client.calc.mul
        before = asked["active_queues"]
        replies = mul.batch([(n, 2) for n in range(60)])
        assert [reply.get(timeout=60) for reply in replies] == [*range(0, 120, 2)]
        assert asked["active_queues"] - before < 10


def test_calls_that_nobody_can_take_any_more_end_after_few_sweeps(broker: Broker) -> None:
    with counted_questions(broker.url) as asked, connect(broker.url) as client:
        with start("calc", broker):
            mul = client.calc.mul
        with start("older", broker):
            before = asked["active_queues"]
            replies = mul.batch([(n, 2) for n in range(40)])
            for reply in replies:
                with pytest.raises(NoSuchTask, match=r"tasks of 'calc': calc\.add") as caught:
                    reply.get(timeout=30)
                assert caught.value.service == "calc"
            assert asked["active_queues"] - before < 10


def test_a_task_that_stores_a_refusal_of_itself_is_not_tried_for_ever(
    broker: Broker, tmp_path: Path
) -> None:
    """Such a reply is like that of a worker that does not know the task."""
    log = tmp_path / "count"
    with (
        Worker.start("tests.workers.failing", broker.url, ["store"], pool="threads") as worker,
        connect(worker.wait_ready().broker_url) as client,
    ):
        reply = client.store["failing.store"].delay(str(log))
        with pytest.raises(NoSuchTask, match="although all workers that answered know it"):
            reply.get(timeout=30)
        assert log.read_text().count("\n") == 1 + MAX_STRANGE
