"""Services that answer their callers: every kind of backend and pool, and answers that fail."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from celery import Celery

from celery_rpc import BackendMismatch, connect
from tests.servers import Broker, RabbitBroker, RedisBroker, ValkeyBroker, Worker, wait_until
from tests.servers.process import ROOT

QUEUE = "answering"
SERVICE = "tests.workers.answering"

#: What is asked of each -> backend, pool, and what else its worker needs.
KINDS = ["django-db", "django-cache", "filesystem", "cache", "gevent", "own"]


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def tasks(broker: Broker, kind: str, tmp_path_factory: Any) -> Iterator[Any]:
    directory = tmp_path_factory.mktemp("results")
    (directory / "files").mkdir()
    how: dict[str, dict[str, Any]] = {
        "django-db": {"backend": "django-db", "env": django(directory)},
        "django-cache": {"backend": "django-cache", "env": django(directory)},
        "filesystem": {"backend": f"file://{directory}/files"},
        "cache": {"backend": "cache+memory://", "pool": "threads"},
        "gevent": {"backend": f"db+sqlite:///{directory}/results.sqlite", "pool": "gevent"},
        "own": {"backend": "disabled://", "env": {"OWN_BACKEND": f"file://{directory}/files"}},
    }
    with (
        Worker.start(SERVICE, broker.url, [QUEUE], **how[kind]) as worker,
        connect(broker.client_url, timeout=20) as client,
    ):
        worker.wait_ready()
        yield client.answering


def django(directory: Path) -> dict[str, str]:
    """Make a Django project's tables; return the environment by which it is one."""
    env = {"DJANGO_SETTINGS_MODULE": "tests.workers.django_settings",
           "DJANGO_DIRECTORY": str(directory)}  # fmt: skip
    command = [sys.executable, "-m", "django", "migrate", "--verbosity", "0"]
    subprocess.run(command, check=True, cwd=ROOT, timeout=60, env={**os.environ, **env})
    return env


def test_a_service_answers_and_keeps_its_own_results(tasks: Any, kind: str) -> None:
    name = "kept_apart" if kind == "own" else "add"
    reply = getattr(tasks, name).delay(1, 2)
    assert reply.get() == 3
    assert tasks.look_up(reply.id, f"answering.{name}") == ["SUCCESS", 3]
    failed = tasks.fail.delay()
    with pytest.raises(ValueError, match="as asked"):
        failed.get()
    if kind != "own":
        assert tasks.look_up(failed.id) == ["FAILURE", "ValueError('as asked')"]
    assert tasks.ignored(1) == 1
    progress = tasks.progress.delay(3)
    assert progress.get() == 3
    assert [each.meta["step"] for each in progress.updates(timeout=5)] == [0, 1, 2]
    assert tasks.replaced_by_chain(1) == 4
    assert [each.get() for each in tasks.add.batch([(n, n) for n in range(20)])] == [
        *range(0, 40, 2)
    ]


# ----- who is answered


@pytest.fixture
def rows(tmp_path: Path) -> Callable[[], dict[str, str]]:
    """Reads the results that the service has stored: id -> state."""

    def read() -> dict[str, str]:
        with closing(sqlite3.connect(tmp_path / "results.sqlite")) as database:
            return dict(database.execute("SELECT task_id, status FROM celery_taskmeta").fetchall())

    return read


def send(broker_url: str, reply_to: str, queue: str = QUEUE, **options: Any) -> str:
    """Call add by Celery itself, as a client that reads that queue would."""
    app = Celery("sender", broker=broker_url, set_as_current=False)
    app.conf.broker_transport_options = options
    with app:
        return str(app.send_task("answering.add", (1, 1), queue=queue, reply_to=reply_to).id)


@pytest.mark.parametrize("prefix", ["", "shop:"])
def test_late_answers_have_an_end_and_strangers_get_none(
    valkey: ValkeyBroker, tmp_path: Path, rows: Any, prefix: str
) -> None:
    url = valkey.fresh_url()
    gone, stranger = "celery-rpc.reply.gone", "somebody-else"
    env = {"TRANSPORT_OPTIONS": f'{{"global_keyprefix": "{prefix}"}}'}
    with Worker.start(
        SERVICE, url, [QUEUE], backend=f"db+sqlite:///{tmp_path}/results.sqlite", env=env
    ) as worker:
        wait_until(lambda: "ready." in worker.log, timeout=30)  # ping would not heed the prefix
        ids = [send(url, to, global_keyprefix=prefix) for to in (stranger, gone)]
        wait_until(lambda: {*ids} <= rows().keys(), timeout=20)
        with valkey.client(url) as server:
            wait_until(lambda: server.exists(prefix + gone), timeout=20)
            wait_until(lambda: 0 < server.ttl(prefix + gone) <= 24 * 60 * 60, timeout=20)
            assert not server.exists(prefix + stranger)
        with connect(url, transport_options={"global_keyprefix": prefix}, timeout=20) as client:
            assert client.answering.add(1, 1) == 2


def test_an_answer_that_cannot_be_sent_is_no_matter_of_the_tasks(
    broker: Broker, tmp_path: Path, rows: Any
) -> None:
    backend = f"db+sqlite:///{tmp_path}/results.sqlite"
    queue = "answering-muted"  # no worker of other tests takes from it
    with Worker.start(SERVICE, muted(broker), [queue], backend=backend) as worker:
        wait_until(lambda: "ready." in worker.log, timeout=30)
        ids = [send(broker.url, "celery-rpc.reply.forbidden", queue) for _ in range(6)]
        wait_until(lambda: {*ids} <= rows().keys(), timeout=60)
        assert {rows()[each] for each in ids} == {"SUCCESS"}
        wait_until(lambda: worker.log.count("] succeeded in") == len(ids), timeout=60)
        if broker.kind == "redis":  # RabbitMQ refuses in silence: it closes the channel afterwards
            assert "may not have reached its caller" in worker.log


def muted(broker: Broker) -> str:
    """Return the URL of a user who may do all that a worker does, but for answering callers."""
    server, place = broker.server, broker.url.rpartition("/")[2]
    if isinstance(server, RabbitBroker):
        server.add_user("muted", "secret")
        server.set_permissions(
            place, user="muted", configure=".*", write=r"^(?!amq\.default)", read=".*"
        )
        return server.vhost_url(place, user="muted", password="secret")
    assert isinstance(server, RedisBroker)
    keys = ["~answering*", "~_kombu*", "~unacked*", "~*pidbox", "~celeryev*"]
    with server.client(broker.url) as admin:
        admin.execute_command(
            "ACL", "SETUSER", "muted", "on", ">secret", "resetkeys", "&*", "+@all", *keys
        )
    return server.database_url(int(place), user="muted", password="secret")


def test_a_worker_answers_without_a_line_of_code(broker: Broker) -> None:
    with (
        Worker.start(
            "tests.workers.calc",
            broker.url,
            ["calc"],
            backend="disabled://",
            args=["--include", "celery_rpc.worker.auto"],
        ) as worker,
        connect(broker.client_url, timeout=20) as client,
    ):
        worker.wait_ready()
        assert client.calc.add(1, 1) == 2
        assert client.calc.ignored(1) == 1


def test_a_service_may_choose_not_to_answer(valkey: ValkeyBroker) -> None:
    url = valkey.fresh_url()
    with (
        Worker.start(SERVICE, url, [QUEUE], backend="disabled://", env={"ANSWER": ""}) as worker,
        connect(url, timeout=20) as client,
    ):
        worker.wait_ready()
        with pytest.raises(BackendMismatch, match="keep no results"):
            client.answering.add(1, 1)
