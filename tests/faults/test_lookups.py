"""Looking something up: it ends in time, with the truth, and no call's outcome is in doubt."""

import pydoc
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from celery_rpc import DiscoveryError, NoSuchService, RpcError, Unavailable, connect
from celery_rpc.catalog.address import Address
from celery_rpc.support.deadline import Deadline
from tests.servers import Broker, FaultProxy, Way, Worker

Connect = Callable[..., Any]

ADDRESS = Address("calc", "calc", "calc")

LOOKUPS: dict[str, Callable[[Any], object]] = {
    "refresh": lambda client: client.refresh(),
    "a service": lambda client: client.nothing,
    "a task": lambda client: client.calc.nothing,
    "any task": lambda client: client.task("nothing"),
    "help": lambda client: pydoc.render_doc(client.calc.add),
    "detailed": lambda client: client.detailed(),
    "consumers": lambda client: client.caller.transport.depth(ADDRESS, Deadline.after(1)),
}


def ended(lookup: Callable[[], object]) -> RpcError | None:
    """Return the error that a lookup ends with, if any."""
    try:
        lookup()
    except RpcError as error:
        return error
    return None


@pytest.mark.parametrize("way", Way)
@pytest.mark.parametrize("lookup", LOOKUPS)
def test_R46_a_lookup_whose_link_breaks_was_no_call(
    linked: Connect, link: FaultProxy, lookup: str, way: Way
) -> None:
    client = linked(discovery_window=0.5)
    for size in (0, 30, 200):  # before the question, within it, after it
        link.cut_after(size, way)
        error = ended(lambda: LOOKUPS[lookup](client))
        assert isinstance(error, Unavailable | DiscoveryError | None), repr(error)
        link.heal()
        assert client.calc.add(1, 1) == 2


@pytest.mark.parametrize("lookup", LOOKUPS)
def test_R46_a_lookup_on_a_frozen_link_ends(linked: Connect, link: FaultProxy, lookup: str) -> None:
    client = linked(discovery_window=0.5, heartbeat=60.0)
    link.freeze()
    began = time.monotonic()
    error = ended(lambda: LOOKUPS[lookup](client))
    assert isinstance(error, Unavailable | DiscoveryError | None), repr(error)
    # The connection, the window, and both once more for annotations.
    assert time.monotonic() - began < 2 * (1.0 + 0.5 + 1.0)


def test_R46_a_worker_that_freezes_right_after_its_first_use_is_missing(
    broker: Broker, worker: Worker
) -> None:
    with connect(broker.url, discovery_window=1.0) as client:
        assert client.calc.add(1, 1) == 2
        worker.freeze()
        try:
            catalog = client.refresh()
            assert catalog.missing == {worker.hostname}
            assert "calc" in catalog
            assert "calc" not in client.refresh()
        finally:
            worker.thaw()


def test_R46_a_service_that_came_before_the_question_is_found_by_it(
    broker: Broker, worker: Worker
) -> None:
    with ThreadPoolExecutor() as pool, connect(broker.url, discovery_window=30.0) as client:
        assert client.calc.add(1, 1) == 2
        other = pool.submit(lambda: client.nothing)  # RabbitMQ's sweep for it goes on
        with Worker.start(
            "tests.workers.calc", broker.url, ["late"], pool="threads", concurrency=1
        ) as late:
            late.wait_ready()
            assert client.late.calc.add(1, 1) == 2
        client.close()
        with pytest.raises((NoSuchService, RpcError)):
            other.result(20)


def test_R22_close_ends_every_thread(broker: Broker, worker: Worker) -> None:
    before = set(threading.enumerate())
    for _ in range(3):
        with connect(broker.url) as client:
            assert client.calc.add(1, 1) == 2
    assert not set(threading.enumerate()) - before
