"""Discovery: quick, honest about what it does not know, and bounded."""

import inspect
import os
import pydoc
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from celery_rpc import DiscoveryError, NoSuchService, NoSuchTask, connect
from tests.integration.mailboxes import AmqpMailbox, Mailboxes, queue, registered
from tests.limits import ends_within
from tests.servers import Broker, ValkeyBroker, Worker, wait_until
from tests.servers.process import ROOT


def start(broker: Broker, **options: Any) -> Worker:
    return Worker.start(
        "tests.workers.calc", broker.url, ["calc"], pool="threads", concurrency=1, **options
    )


@pytest.fixture(scope="class")
def workers(broker: Broker) -> Any:
    with start(broker) as one, start(broker) as two:
        one.wait_ready()
        two.wait_ready()
        yield one, two


COMPLETE = """
import sys
from pathlib import Path
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell
from celery_rpc import connect

shell = InteractiveShell()
with connect(sys.argv[1], discovery_window=30.0) as shell.user_ns["client"]:
    for text in ("client.ca", "client.calc.mu", "client['ca"):
        with provisionalcompleter():
            found = shell.Completer.completions(text, len(text))
            print(sorted({each.text for each in found} & {"calc", "mul"}))
"""


@pytest.mark.usefixtures("workers")
class TestLive:
    def test_connecting_does_no_io(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            connect(f"redis://127.0.0.1:{server.getsockname()[1]}/0").close()
            server.setblocking(False)
            with pytest.raises(BlockingIOError):
                server.accept()

    def test_the_catalog_has_every_worker(self, new_client: Any, broker: Broker) -> None:
        catalog = new_client().catalog
        assert len(catalog.workers) == 2
        assert len(catalog["calc"].workers) == 2
        assert not catalog["calc"].partial
        assert not catalog.missing
        assert catalog.complete is (True if broker.kind == "redis" else None)
        assert "calc.add" in catalog["calc"].tasks
        assert repr(catalog).startswith("<Catalog: 1 service, ")

    def test_an_unknown_service_ends_in_time_with_what_is_near(self, new_client: Any) -> None:
        client = new_client()
        said = r"did you mean 'calc'.*online: calc"
        with ends_within(3), pytest.raises(NoSuchService, match=said) as caught:
            client.clac  # noqa: B018
        assert isinstance(caught.value, AttributeError)
        assert not hasattr(client, "nothing")

    def test_an_unknown_task_names_what_is_near(self, new_client: Any) -> None:
        client = new_client()
        with pytest.raises(NoSuchTask, match="did you mean"):
            client.calc.addd  # noqa: B018
        with pytest.raises(NoSuchTask, match="no worker has a task"):
            client.task("calc.addd")

    def test_a_task_is_found_by_its_full_name(self, new_client: Any) -> None:
        client = new_client()
        assert client.task("calc.add")(1, 1) == 2
        assert client.task("calc.add", queue="calc")(1, 1) == 2
        assert client.calc.calc.add(1, 1) == 2
        assert client["calc"]["calc.add"](1, 1) == 2
        assert client["calc"]["add"](1, 1) == 2

    def test_the_tree_can_be_explored(self, new_client: Any) -> None:
        client = new_client()
        assert "calc" in dir(client)
        assert {"add", "mul"} <= set(dir(client.calc))
        assert "calc.add" in list(client.calc)
        assert client.calc.add == client.calc.calc.add
        assert repr(client.calc) == "<Namespace calc>"
        assert "calc.add" in pydoc.render_doc(client.calc)
        assert "Remote task calc.add" in pydoc.render_doc(client.calc.add)
        assert str(inspect.signature(client.calc.add)) == "(*args: Any, **kwargs: Any) -> Any"
        assert repr(client.calc.add) == "<TaskProxy calc.add on calc>"
        assert client.calc._ipython_key_completions_() == list(client.calc)
        assert client._ipython_key_completions_() == ["calc"]

    def test_ipython_completes_services_and_tasks(self, broker: Broker, tmp_path: Path) -> None:
        done = subprocess.run(
            [sys.executable, "-c", COMPLETE, broker.url],
            capture_output=True,
            text=True,
            timeout=150,
            cwd=ROOT,
            env={**os.environ, "IPYTHONDIR": str(tmp_path)},
        )
        assert done.stdout.splitlines()[-3:] == ["['calc']", "['mul']", "['calc']"], done.stderr

    def test_refresh_asks_anew(self, new_client: Any) -> None:
        client = new_client()
        first = client.catalog
        assert client.catalog is first
        assert client.refresh().taken_at > first.taken_at

    def test_a_frozen_worker_is_missing_and_keeps_its_place_for_one_sweep(
        self, new_client: Any, workers: Any
    ) -> None:
        client = new_client(discovery_window=2.0)
        assert len(client.refresh().workers) == 2
        workers[0].freeze()
        try:
            catalog = client.refresh()
            assert catalog.missing == {workers[0].hostname}
            assert catalog.complete is False
            assert len(catalog["calc"].workers) == 2
            assert len(client.refresh()["calc"].workers) == 1
        finally:
            workers[0].thaw()
        wait_until(lambda: len(client.refresh().workers) == 2, what="it to be back")


def test_a_service_that_starts_later_is_found(broker: Broker, new_client: Any) -> None:
    client = new_client(discovery_window=0.3)
    with pytest.raises(NoSuchService, match="online: nothing"):
        client.calc  # noqa: B018
    with start(broker) as worker:
        worker.wait_ready()
        wait_until(lambda: "calc" in client.refresh().services)
        assert client.calc.add(1, 1) == 2


def test_an_old_catalog_is_asked_for_in_the_background(broker: Broker, new_client: Any) -> None:
    with start(broker) as worker:
        worker.wait_ready()
        client = new_client(catalog_ttl=0.2)
        assert client.calc.add(1, 1) == 2
        taken = client.catalog.taken_at

        def asked_again() -> bool:
            return bool(client.catalog.taken_at > taken)

        wait_until(asked_again, what="the catalog to be asked for anew")


def test_R15_a_task_that_only_some_workers_have_is_tried_until_one_takes_it(
    broker: Broker, new_client: Any
) -> None:
    """A rolling deploy: half of the queue's workers do not know the task yet."""
    with (
        start(broker) as new,
        Worker.start(
            "tests.workers.older", broker.url, ["calc"], pool="threads", concurrency=1
        ) as old,
    ):
        new.wait_ready()
        old.wait_ready()
        client = new_client()
        service = client.refresh()["calc"]
        assert service.partial["calc.mul"] == {new.hostname}
        mul = client.calc.mul.options(timeout=60)
        wanted = [*range(0, 24, 2)]
        assert [mul(n, 2) for n in range(12)] == wanted
        assert [reply.get() for reply in mul.batch([(n, 2) for n in range(12)])] == wanted


class TestSimulated:
    @pytest.fixture
    def url(self, valkey: ValkeyBroker) -> str:
        return valkey.fresh_url()

    def test_a_thousand_workers_with_two_hundred_tasks_each(self, url: str) -> None:
        tasks = [registered(f"svc.task{n}") for n in range(200)]

        def answer(command: str, number: int) -> Any:
            node = f"worker{number}@host"
            return {node: [queue(f"svc{number % 40}")] if command == "active_queues" else tasks}

        with Mailboxes(url, 1000, answer), connect(url, discovery_window=60.0) as client:
            catalog = client.catalog
            assert len(catalog.workers) == 1000
            assert catalog.complete is True
            assert len(catalog) == 40
            assert all(len(service.tasks) == 200 for service in catalog.services.values())
            assert client.task("svc.task7", queue="svc7").queue == "svc7"

    def test_S07_malformed_answers_are_dropped_and_said(self, url: str) -> None:
        good = {"good@host": [queue("good")]}
        bodies: list[Any] = [
            good, 5, "text", [1, None], b"no json", {"bad@host": None}, {"bad@host": [None]},
            {"bad@host": [{"name": 5}]}, {"bad@host": {"error": "KeyError('x')"}},
            {"x" * 300: []},
        ]  # fmt: skip

        def answer(command: str, number: int) -> Any:
            if number == 0:
                tasks = [registered("good.task"), 7, "x" * 300, "evil\x1b[0m"]
                return good if command == "active_queues" else {"good@host": tasks}
            return bodies[number]

        with Mailboxes(url, len(bodies), answer), connect(url, discovery_window=2.0) as client:
            catalog = client.catalog
            assert list(catalog) == ["good"]
            assert list(catalog["good"].tasks) == ["good.task"]
            assert catalog.complete is False
            assert len(catalog.diagnostics) >= 5
            assert client.status()["malformed"] >= 1

    def test_R47_two_workers_of_one_name_are_both_kept_and_said(self, url: str) -> None:
        def answer(command: str, number: int) -> Any:
            queues = [queue(f"q{number}")]
            tasks = [registered(f"q{number}.task")]
            return {"same@host": queues if command == "active_queues" else tasks}

        with Mailboxes(url, 2, answer), connect(url, discovery_window=2.0) as client:
            catalog = client.catalog
            assert list(catalog) == ["q0", "q1"]
            assert any("two workers are called same@host" in each for each in catalog.diagnostics)

    def test_workers_that_never_answer_do_not_hold_up_those_that_do(self, url: str) -> None:
        def answer(command: str, number: int) -> Any:
            if number > 0:
                return None
            return {"w@h": [queue("q")] if command == "active_queues" else [registered("q.t")]}

        with Mailboxes(url, 20, answer), connect(url, discovery_window=2.0) as client:
            with connect(url, discovery_window=30.0) as patient, ends_within(10):
                assert patient.q.t.name == "q.t"
            catalog = client.refresh()
            assert catalog.complete is False
            assert any("19 of 20 mailboxes" in each for each in catalog.diagnostics)
            with pytest.raises(NoSuchService, match=r"online: q; some workers did not answer"):
                client.other  # noqa: B018


def test_a_rabbitmq_fleet_is_collected_until_it_is_quiet(rabbitmq: Any) -> None:
    url = rabbitmq.fresh_url()

    def answer(command: str, number: int) -> Any:
        tasks = [registered(f"q{number % 5}.t")]
        queues = [queue(f"q{number % 5}")]
        return {f"w{number}@h": queues if command == "active_queues" else tasks}

    with AmqpMailbox(url, 200, answer), connect(url, discovery_window=5.0) as client:
        assert len(client.catalog.workers) == 200
        assert client.q3.t.queue == "q3"


def test_an_unreachable_broker_is_unavailable_not_an_empty_fleet() -> None:
    with connect("redis://127.0.0.1:1/0", connect_timeout=0.3) as client:
        with pytest.raises(ConnectionError):
            client.calc  # noqa: B018
        with pytest.raises((ConnectionError, DiscoveryError)):
            client.catalog  # noqa: B018


@pytest.mark.parametrize("kind", ["valkey", "rabbitmq"])
def test_a_broker_that_no_worker_ever_saw_has_an_empty_catalog(
    request: pytest.FixtureRequest, kind: str
) -> None:
    for _ in range(3):  # RabbitMQ refuses the first commands at any moment
        with connect(Broker.on(request.getfixturevalue(kind)).url) as client:
            for _ in range(2):
                assert not client.refresh().workers
