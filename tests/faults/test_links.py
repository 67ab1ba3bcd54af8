"""Links that are cut, refused or frozen: the reply survives, and every call ends in time."""

import os
import signal
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from celery_rpc import DeadlineExceeded, OutcomeUnknown, ReplyLost, RpcError, Unavailable
from tests.limits import ends_within, fails
from tests.servers import Broker, FaultProxy, Gate, RabbitBroker, Worker, wait_until

Connect = Callable[..., Any]


@pytest.mark.parametrize("fault", ["refuse", "freeze"])
def test_R01_every_call_ends_by_its_deadline(linked: Connect, link: FaultProxy, fault: str) -> None:
    client = linked()
    add = client.calc.add.options(timeout=2)
    getattr(link, fault)()
    if fault == "refuse":
        link.cut()
    for call in (lambda: add(1, 1), lambda: add.delay(1, 1), lambda: add.batch([(1, 1)])[0].get()):
        fails(call, Unavailable, OutcomeUnknown, within=2)


def test_R02_a_used_client_finds_the_broker_gone(linked: Connect, link: FaultProxy) -> None:
    client = linked()
    link.refuse()
    link.cut()
    fails(lambda: client.calc.add(1, 1), Unavailable, OutcomeUnknown, within=1.0)
    link.heal()
    wait_until(lambda: client.status()["connected"], what="it to connect again")
    assert client.calc.add(1, 1) == 2


def test_R06_a_link_that_is_cut_and_heals_gives_the_value(
    linked: Connect, link: FaultProxy, gate: Gate
) -> None:
    client = linked()
    reply = client.calc.hold.delay(gate.path, 7)
    link.cut()
    gate.open()
    assert reply.get() == 7


def test_R07_a_reply_that_came_while_the_link_was_down_is_not_lost(
    linked: Connect, link: FaultProxy, worker: Worker, gate: Gate
) -> None:
    client = linked()
    reply = client.calc.hold.delay(gate.path, 7)
    link.refuse()
    link.cut()
    gate.open()
    answered = f"calc.hold[{reply.id}] succeeded"
    wait_until(lambda: answered in worker.log, what="the worker's reply")
    link.heal()
    assert reply.get() == 7


def test_R08_a_half_open_link_is_noticed(linked: Connect, link: FaultProxy, gate: Gate) -> None:
    client = linked()
    reply = client.calc.hold.delay(gate.path, 7)
    link.freeze()
    with ends_within(2 * client.options.heartbeat):
        wait_until(lambda: not client.status()["connected"], what="it to be noticed")
    link.heal()
    link.cut()
    gate.open()
    assert reply.get() == 7


def test_R09_no_id_is_returned_that_the_broker_has_not_confirmed(
    linked: Connect, link: FaultProxy
) -> None:
    client = linked()
    link.freeze()
    for options in ({}, {"ignore_result": True}):
        task = client.calc.add.options(timeout=1.5, **options)
        fails(partial(task.delay, 1, 1), OutcomeUnknown, Unavailable, within=1.5)
    batch = client.calc.add.options(timeout=1.5).batch

    def every() -> None:
        replies = batch([(1, 1)] * 50)
        assert all(reply.failed() for reply in replies)
        replies[-1].get()

    fails(every, OutcomeUnknown, Unavailable, within=1.5)


def test_R30_a_wait_that_was_interrupted_can_be_taken_up_again(linked: Connect, gate: Gate) -> None:
    client = linked()
    reply = client.calc.hold.delay(gate.path, 7)
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        reply.get()
    gate.open()
    assert reply.get() == 7
    assert client.calc.add(1, 1) == 2


def test_a_slow_link_changes_nothing(linked: Connect, link: FaultProxy) -> None:
    client = linked()
    link.slow(0.05)
    replies = client.calc.add.batch([(n, 1) for n in range(50)])
    assert [reply.get() for reply in replies] == [*range(1, 51)]


def test_a_link_that_gives_byte_by_byte_changes_nothing(linked: Connect, link: FaultProxy) -> None:
    client = linked()
    link.slice(1)
    assert client.calc.echo("x" * 300) == "x" * 300
    assert client.calc.add(1, 1) == 2


def test_a_deadline_that_passed_is_forgotten(linked: Connect, gate: Gate) -> None:
    client = linked()
    replies = [client.calc.hold.delay(gate.path)]
    with pytest.raises(DeadlineExceeded):
        replies[0].get(timeout=0.05)
    replies.clear()
    for _ in range(20):
        with pytest.raises(DeadlineExceeded):
            client.calc.hold.options(timeout=0.02)(gate.path)
    assert client.status()["pending"] == 0


def test_R10_a_reply_queue_that_somebody_deleted_is_made_again(
    linked: Connect, broker: Broker, gate: Gate
) -> None:
    client = linked()
    reply = client.calc.hold.delay(gate.path, 7)
    queue = client.status()["reply_queue"]
    if isinstance(broker.server, RabbitBroker):
        broker.server.delete_queue(broker.url.rpartition("/")[2], queue)
        wait_until(lambda: not has_ended(broker, queue), what="it to be made again")
    else:  # the list is made by the next reply
        with broker.server.client(broker.url) as server:
            server.delete(queue, f"{queue}.taken", f"{queue}.alive")
    gate.open()
    assert reply.get() == 7
    assert client.calc.add(1, 1) == 2


def has_ended(broker: Broker, queue: str) -> bool:
    """Return whether the broker has deleted a reply queue; on Redis, the sign that it lives."""
    if isinstance(broker.server, RabbitBroker):
        return queue not in broker.server.queues(broker.url.rpartition("/")[2])
    with broker.server.client(broker.url) as server:
        return not server.exists(f"{queue}.alive")


def test_R11_a_reply_queue_that_ended_while_the_link_was_down_is_said(
    linked: Connect, link: FaultProxy, broker: Broker, gate: Gate
) -> None:
    client = linked(reply_ttl=1.0)
    queue = client.status()["reply_queue"]
    reply = client.calc.hold.delay(gate.path)
    link.refuse()
    link.cut()
    wait_until(lambda: has_ended(broker, queue), what="the queue's end")
    link.heal()
    with pytest.raises(ReplyLost):
        reply.get()
    gate.open()
    assert client.calc.add(1, 1) == 2


def test_R45_discovery_and_closing_end_in_time_too(linked: Connect, link: FaultProxy) -> None:
    client = linked(discovery_window=0.3)
    link.freeze()
    fails(client.refresh, RpcError, within=1.3)
    with ends_within(3):
        client.close()
    client.close()


def test_R46_answers_that_come_while_the_broker_is_asked_are_heard_at_once(
    linked: Connect,
) -> None:
    client = linked(discovery_window=5.0)
    for _ in range(40):
        with ends_within(2):  # less than the window
            assert "calc" in client.refresh().services
