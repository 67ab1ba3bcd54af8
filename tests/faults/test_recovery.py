"""What mixtures of faults found: after each, the client is as it was before."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from celery_rpc import DeadlineExceeded, OutcomeUnknown, RpcError, Unavailable
from celery_rpc.support.deadline import Deadline
from tests.limits import ends_within, fails
from tests.servers import FaultProxy, Gate, Way, wait_until

Connect = Callable[..., Any]


def test_R02_a_broker_that_is_back_is_found_by_the_next_call(
    linked: Connect, link: FaultProxy
) -> None:
    client = linked(connect_timeout=0.8)
    link.refuse()
    link.cut()
    time.sleep(4.0)  # the fault lasts so long: by now the reader tries every two seconds
    link.heal()
    assert client.calc.add(1, 1) == 2


def test_R22_a_call_that_failed_is_not_pending_while_its_error_is_kept(
    linked: Connect, link: FaultProxy
) -> None:
    client = linked()
    link.refuse()
    link.cut()
    add = client.calc.add.options(timeout=1)
    kept: list[RpcError] = []
    calls: list[Callable[[], Any]] = [
        lambda: add(1, 1), lambda: add.delay(1, 1), lambda: add.batch([(1, 1)] * 3)
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(RpcError) as caught:
            call()
        kept.append(caught.value)
    assert client.status()["pending"] == 0, kept


def test_R01_a_half_open_link_ends_no_call_late(linked: Connect, link: FaultProxy) -> None:
    client = linked()
    link.freeze(Way.TO_SERVER)  # what is sent is lost, but a new connection seems to succeed
    add = client.calc.add.options(timeout=1)
    for _ in range(3):
        fails(lambda: add(1, 1), Unavailable, OutcomeUnknown, within=1)


def test_R01_a_link_that_takes_no_more_bytes_ends_no_call_late(
    linked: Connect, link: FaultProxy
) -> None:
    client = linked(heartbeat=30.0)
    link.freeze(Way.TO_SERVER)
    echo = client.calc.echo.options(timeout=1)
    for size in (10_000_000, 10_000_000, 10_000_000, 1):  # the kernel holds some of them back
        text = "x" * size
        fails(partial(echo, text), Unavailable, OutcomeUnknown, within=1)


def test_R22_a_done_callback_is_called_at_the_deadline(linked: Connect, gate: Gate) -> None:
    client = linked()
    ended: list[Any] = []
    with ends_within(0.3):
        client.calc.hold.options(timeout=0.3).delay(gate.path).add_done_callback(ended.append)
        wait_until(lambda: ended, what="the callback")
    with pytest.raises(DeadlineExceeded):
        ended[0].get()
    assert client.status()["pending"] == 0


def test_R26_replies_that_come_while_the_broker_is_asked_are_not_lost(
    linked: Connect,
) -> None:
    client = linked()
    address, transport = client.calc.add.address, client.caller.transport
    replies = client.calc.echo.batch([("x" * size,) for size in range(0, 300_000, 1000)])
    soon = Deadline.after(60)
    while not all(reply.done for reply in replies):
        transport.link(soon).depth(address, soon)
    assert [len(reply.get()) for reply in replies] == list(range(0, 300_000, 1000))
    assert client.status()["reconnects"] == 0


def test_R45_close_while_replies_come_closes(linked: Connect) -> None:
    client = linked()
    replies = client.calc.echo.batch([("x" * 1000,)] * 2000)
    wait_until(lambda: replies[0].done, what="the first reply")
    client.close()
    assert client.status()["pending"] == 0
