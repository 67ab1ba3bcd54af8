"""The order flow of the examples: done over four services, or undone."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from celery import Celery

from celery_rpc import RemoteError, connect
from celery_rpc.cli.demo.examples import example
from tests.servers import Broker

Ran = Callable[[], Counter[str]]

SERVICES = ("billing", "inventory", "mail", "media")

orders = example("orders")


@pytest.fixture(scope="module")
def shop(broker: Broker) -> Iterator[Any]:
    with example("services/shop").Shop(broker.url, services=SERVICES, pool="threads") as opened:
        yield opened


@pytest.fixture(scope="module")
def client(broker: Broker, shop: Any) -> Iterator[Any]:
    # Four workers that have just started, on a machine with much else to do, may take a while.
    with connect(broker.url, discovery_window=20.0) as made:
        yield made


@pytest.fixture
def ran(broker: Broker, shop: Any) -> Iterator[Ran]:
    """Counts the tasks that the services have taken since the test began."""

    def count() -> Counter[str]:
        answers = app.control.inspect(timeout=60, limit=len(SERVICES)).stats()
        assert answers is not None
        assert len(answers) == len(SERVICES)
        return sum((Counter(each["total"]) for each in answers.values()), Counter[str]())

    with Celery("counting", broker=broker.url, set_as_current=False) as app:
        before = count()
        yield lambda: count() - before


def undone(error: RemoteError) -> list[str]:
    """Return the notes on what was undone; the first note is the remote traceback."""
    return error.__notes__[1:]


def test_an_order_ends_with_its_receipt(client: Any, ran: Ran) -> None:
    receipt = orders.place(client, orders.Order("1", "alice", "lamp", "50.00"))
    assert receipt["order"] == "1"
    assert receipt["charge"] == "charge/alice/50.00"
    assert receipt["mail"].endswith("@shop.example>")
    assert ran() == dict.fromkeys(
        ("inventory.reserve", "billing.charge", "mail.send", "media.thumbnail", "billing.receipt"),
        1,
    )


def test_a_charge_that_fails_gives_the_stock_back(client: Any, ran: Ran) -> None:
    with pytest.raises(RemoteError) as caught:
        orders.place(client, orders.Order("2", "carol", "lamp", "50.00"))
    assert caught.value.type.endswith("InsufficientFunds")
    assert undone(caught.value) == ["inventory.reserve was undone by inventory.release"]
    assert ran() == dict.fromkeys(("inventory.reserve", "billing.charge", "inventory.release"), 1)


def test_a_notification_that_fails_undoes_all(client: Any, ran: Ran) -> None:
    order = orders.Order("3", "alice", "lamp", "50.00", picture="lamp.txt")
    with pytest.raises(RemoteError) as caught:
        orders.place(client, order)
    assert caught.value.type.endswith("UnsupportedFormat")
    assert undone(caught.value) == [
        "billing.charge was undone by billing.refund",
        "inventory.reserve was undone by inventory.release",
    ]
    count = ran()
    assert (count["billing.refund"], count["inventory.release"]) == (1, 1)
    assert count["billing.receipt"] == 0


def test_stock_that_is_not_there_undoes_nothing(client: Any, ran: Ran) -> None:
    with pytest.raises(RemoteError) as caught:
        orders.place(client, orders.Order("4", "alice", "parasol", "5.00"))
    assert caught.value.type.endswith("OutOfStock")
    assert undone(caught.value) == []
    assert ran() == {"inventory.reserve": 1}
