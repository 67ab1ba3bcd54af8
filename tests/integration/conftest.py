"""Clients for the tests: one a module, or one of a test's own."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from celery_rpc import connect
from tests.servers import Broker, Worker

Connect = Callable[..., Any]


@pytest.fixture(scope="module")
def client(broker: Broker, worker: Worker) -> Iterator[Any]:
    """A client of the module's worker."""
    with connect(broker.client_url) as made:
        yield made


@pytest.fixture
def new_client(broker: Broker) -> Iterator[Connect]:
    """Makes clients that end with the test."""
    made: list[Any] = []

    def make(**options: Any) -> Any:
        made.append(connect(options.pop("broker", broker.client_url), **options))
        return made[-1]

    yield make
    for each in made:
        each.close()
