"""What else kombu speaks: the same client, through kombu's own transport."""

from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery
from celery.contrib.testing.worker import start_worker

from celery_rpc import NoSuchTask, connect
from tests.servers import wait_until

# Celery's testing worker and kombu's virtual transports leave sockets and files to the collector.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    app = Celery("memory", broker="memory://", backend="rpc://", set_as_current=False)
    app.conf.task_default_queue = "svc"

    @app.task(name="svc.add")  # type: ignore[untyped-decorator]
    def add(x: int, y: int) -> int:
        return x + y

    with (
        start_worker(app, pool="solo", perform_ping_check=False),
        connect("memory://", discovery_window=5.0) as client,
    ):
        wait_until(lambda: "svc" in client.refresh().services, what="the worker")
        yield client


def test_calls_and_discovery_work_in_memory(client: Any) -> None:
    assert client.svc.add(1, 1) == 2
    assert client.svc.add.delay(1, 2).get(timeout=30) == 3
    assert [
        reply.get(timeout=30) for reply in client.svc.add.batch([(n, 1) for n in range(10)])
    ] == [*range(1, 11)]
    assert (client.svc.add.s(1, 1) | client.svc.add.s(3)).delay().get(timeout=30) == 5
    with pytest.raises(TypeError):
        client.svc.add(1, None)


def test_unknown_names_end_in_time(client: Any) -> None:
    with pytest.raises(NoSuchTask):
        client.svc.nothing  # noqa: B018
