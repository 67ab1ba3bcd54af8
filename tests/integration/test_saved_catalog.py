"""A client that starts with a saved catalog needs no worker; what live workers say wins."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from celery_rpc import Catalog, Service, TaskSpec, connect
from celery_rpc.catalog import saved
from celery_rpc.catalog.address import Address
from celery_rpc.catalog.model import Level
from celery_rpc.errors import ConfigurationError, NoSuchService, NoSuchTask, Unavailable
from celery_rpc.worker import catalog_of_app
from tests.servers import Broker, Worker, wait_until
from tests.workers import typed

Connect = Callable[..., Any]


def start(broker: Broker) -> Worker:
    return Worker.start("tests.workers.typed", broker.url, ["typed"], pool="threads", concurrency=1)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A catalog of the typed service, with a task and a service that no worker has."""
    catalog = catalog_of_app(typed.app, queue="typed")
    service = catalog["typed"]
    old = replace(service, tasks={**service.tasks, "typed.old": TaskSpec("typed.old", "rpc")})
    ghost = Service("ghost", Address("ghost"), frozenset(), {"ghost.hi": TaskSpec("ghost.hi")})
    path = tmp_path / "services.json"
    saved.save(Catalog({"ghost": ghost, "typed": old}), path)
    return path


def test_a_call_is_made_while_no_worker_is_alive(
    broker: Broker, new_client: Connect, file: Path
) -> None:
    with start(broker) as worker:
        worker.wait_ready()  # so that RabbitMQ has its queue
    client = new_client(catalog=str(file))
    assert list(client.catalog) == ["ghost", "typed"]
    assert client.typed.add.spec.level is Level.SCHEMA
    reply = client.typed.add.delay(1, 2)
    with start(broker) as worker:
        worker.wait_ready()
        assert reply.get(timeout=20) == 3


def test_what_live_workers_say_wins(broker: Broker, new_client: Connect, file: Path) -> None:
    with start(broker) as worker:
        worker.wait_ready()
        client = new_client(catalog=file)
        assert client.typed.old is not None
        wait_until(lambda: client.catalog.workers, what="a look in the background")
        catalog = client.refresh()
        assert catalog["typed"].workers == {worker.hostname}
        assert "typed.old" not in catalog["typed"].tasks
        assert catalog["ghost"].address == Address("ghost")
        with pytest.raises(NoSuchTask):
            _ = client.typed.old
        assert client.typed.add(1, 2) == 3


def test_names_in_neither_are_refused(broker: Broker, new_client: Connect, file: Path) -> None:
    client = new_client(catalog=saved.load(file))
    with pytest.raises(NoSuchTask, match="'typed' has no task 'ad'; did you mean 'add'"):
        _ = client.typed.ad
    with pytest.raises(NoSuchService):
        _ = client.nothing


def test_saved_signatures_serve_where_workers_publish_none(
    broker: Broker, new_client: Connect, tmp_path: Path
) -> None:
    from tests.workers import calc

    catalog = catalog_of_app(calc.app, queue="calc")
    with Worker.start("tests.workers.calc", broker.url, ["calc"], pool="solo") as worker:
        worker.wait_ready()
        client = new_client(catalog=catalog)
        assert client.refresh()["calc"].tasks["calc.add"].level is Level.SCHEMA
        assert client.detailed()["calc"].tasks["calc.add"].level is Level.SCHEMA
        bare = new_client()
        assert bare.refresh()["calc"].tasks["calc.add"].level is Level.NAME


def test_a_broker_that_is_down_is_met_by_calls_alone(file: Path) -> None:
    with connect("redis://localhost:1", catalog=file, connect_timeout=0.5) as client:
        assert "add" in dir(client.typed)
        assert "Add two numbers" in str(client.typed.add.spec.signature.doc)
        with pytest.raises(Unavailable):
            client.typed.add(1, 2)


def test_what_is_no_catalog_is_refused_before_anything_else(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.json cannot be read"):
        connect("redis://localhost:1", catalog=tmp_path / "none.json")
    wrong: Any = {"services": {}}
    with pytest.raises(ConfigurationError, match="takes a path or a Catalog, not a dict"):
        connect("redis://localhost:1", catalog=wrong)


def test_services_of_a_file_are_not_said_to_be_online(
    broker: Broker, new_client: Connect, file: Path
) -> None:
    with pytest.raises(NoSuchService, match="online: nothing"):
        new_client(catalog=file).billing  # noqa: B018
