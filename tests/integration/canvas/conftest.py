"""A client on each broker, with results over rpc and from a store."""

from collections.abc import Iterator
from typing import Any

import pytest

from celery_rpc import connect
from tests.servers import Broker, ValkeyBroker, Worker


@pytest.fixture(scope="module", params=["rpc", "redis"])
def backend(request: pytest.FixtureRequest, valkey: ValkeyBroker) -> str:
    """Where workers send results."""
    return "rpc://" if request.param == "rpc" else valkey.fresh_url()


@pytest.fixture(scope="module")
def service(broker: Broker, backend: str) -> Iterator[Worker]:
    """A worker for two queues, so that a canvas can go from one service to the other."""
    with Worker.start(
        "tests.workers.calc", broker.url, ["calc", "other"], backend=backend, pool="threads"
    ) as worker:
        yield worker.wait_ready()


@pytest.fixture(scope="module")
def client(broker: Broker, backend: str, service: Worker) -> Iterator[Any]:
    with connect(broker.client_url, backend=backend) as made:
        yield made
