"""A broker behind a link that can fail, and a client that only knows that link."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from celery_rpc import RpcError, connect
from tests.servers import Broker, FaultProxy, Worker, wait_until

Connect = Callable[..., Any]


@pytest.fixture
def link(broker: Broker) -> Iterator[FaultProxy]:
    """The way from the client to the broker; workers have their own."""
    with FaultProxy.before(broker.url) as proxy:
        yield proxy


@pytest.fixture
def linked(broker: Broker, worker: Worker, link: FaultProxy) -> Iterator[Connect]:
    """Makes clients behind the link, with quick settings, that know the service already."""
    made: list[Any] = []

    def make(**options: Any) -> Any:
        settings = {"connect_timeout": 1.0, "heartbeat": 2.0, **options}
        client = connect(link.url(broker.url), **settings)
        made.append(client)
        wait_until(lambda: answers(client))  # a busy machine may need more than one timeout
        return client

    yield make
    link.heal()
    for client in made:
        client.close()


def answers(client: Any) -> bool:
    """Whether a call to the service comes back."""
    try:
        return bool(client.calc.add(1, 1) == 2)
    except RpcError:
        return False
