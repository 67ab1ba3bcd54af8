"""The end of a client: nothing is left behind that does not end by itself."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from celery_rpc import DeadlineExceeded, connect
from tests.servers import Broker, Gate, RabbitBroker, Worker, wait_until
from tests.servers.process import ROOT

pytestmark = pytest.mark.usefixtures("worker")

OURS = "celery-rpc.reply."


def reply_queues(broker: Broker) -> dict[str, int]:
    """Return our reply queues, and the milliseconds until each ends; -1 for never."""
    if isinstance(broker.server, RabbitBroker):
        queues = broker.server.queues(broker.url.rpartition("/")[2])
        return {name: each.expires for name, each in queues.items() if name.startswith(OURS)}
    with broker.server.client(broker.url) as server:
        keys = [key.decode() for key in server.keys(f"{OURS}*")]
        return {key: int(server.pttl(key)) for key in keys}


def test_a_client_that_has_all_its_replies_leaves_no_queue(broker: Broker) -> None:
    before = reply_queues(broker)
    with connect(broker.url) as client:
        assert client.calc.add(1, 1) == 2
        assert client.calc.add.delay(1, 1).get() == 2
    assert reply_queues(broker).keys() <= before.keys()


def test_a_reply_that_comes_after_the_end_leaves_nothing_without_an_end(
    broker: Broker, worker: Worker, gate: Gate
) -> None:
    before = reply_queues(broker)
    with connect(broker.url) as client:
        late = client.calc.hold.delay(gate.path)
        with pytest.raises(DeadlineExceeded):
            client.calc.hold.options(timeout=0.2)(gate.path)
    assert late.failed()
    gate.open()
    wait_until(lambda: f"calc.hold[{late.id}] succeeded" in worker.log, what="the late reply")
    left = {name: end for name, end in reply_queues(broker).items() if name not in before}
    assert all(end > 0 for end in left.values()), left


KILLED = """
import os, sys
from celery_rpc import connect
client = connect(sys.argv[1])
assert [client.calc.add(n, 1) for n in range(100)] == [*range(1, 101)]
os._exit(0)
"""


def test_a_process_that_ended_at_once_leaves_nothing_without_an_end(broker: Broker) -> None:
    before = reply_queues(broker)
    subprocess.run([sys.executable, "-c", KILLED, broker.url], check=True, timeout=50, cwd=ROOT)
    left = {name: end for name, end in reply_queues(broker).items() if name not in before}
    assert left, "it did not close its client"
    assert all(end > 0 for end in left.values()), left


def test_a_reply_that_nobody_waits_for_is_counted_and_dropped(
    linked: Callable[..., Any], gate: Gate
) -> None:
    client = linked()
    client.calc.hold.delay(gate.path).forget()
    gate.open()
    wait_until(lambda: client.status()["unclaimed"] == 1, what="the late reply")
    assert client.status()["pending"] == 0
