"""Messages that wait are read on each broker, and are all still there afterwards."""

from collections.abc import Callable
from typing import Any

import pytest
from celery import Celery

from celery_rpc import PermissionRefused, connect
from celery_rpc.catalog.address import Address
from celery_rpc.catalog.model import Catalog, Service
from celery_rpc.cli.connection import Session
from celery_rpc.cli.queued import refused
from celery_rpc.queues.peek import Message, to_message, waiting
from celery_rpc.support.deadline import Deadline
from celery_rpc.worker import catalog_of_app
from tests.servers import Broker, RabbitBroker, RedisBroker, wait_until
from tests.workers import typed

Connect = Callable[..., Any]

#: What stock Celery sends, in this order; typed.add(x: int, y: int = 0).
CALLS: list[tuple[str, Any, Any]] = [
    ("typed.add", (1, 2), {}),
    ("typed.add", (), {"x": 1, "z": 2}),
    ("typed.add", ("one",), {}),
    ("typed.gone", (), {}),
    ("typed.move", ({"x": 1},), {}),
]


@pytest.fixture
def queue(broker: Broker, request: pytest.FixtureRequest) -> str:
    """A queue of this test's own, with the calls in it."""
    name = f"waiting-{request.node.name}".replace("[", "-").replace("]", "")
    with Celery("sender", broker=broker.url, set_as_current=False) as app:
        for number, (task, args, kwargs) in enumerate(CALLS):
            app.send_task(task, args, kwargs, queue=name, task_id=f"id-{number}")
    return name


@pytest.fixture
def operator(broker: Broker, new_client: Connect) -> Any:
    """A client with more rights than clients need: it may read the queues of services."""
    return new_client(broker=broker.url)


def session_of(client: Any) -> Session:
    return Session(client)


def read(client: Any, queue: str, limit: int = 100) -> list[Message]:
    link = session_of(client).transport.link(Deadline.after(5))
    found = waiting(link, queue, limit, Deadline.after(5))
    assert found is not None
    return found


def test_messages_are_read_and_left_where_they_are(operator: Any, queue: str) -> None:
    for _ in range(3):
        # RabbitMQ gives them back when the channel is closed.
        wait_until(lambda: len(read(operator, queue)) == len(CALLS), what="all of them")
    found = read(operator, queue)
    assert [each.id for each in found] == [f"id-{number}" for number in range(len(CALLS))]
    assert [(each.task, tuple(each.args), each.kwargs) for each in found] == CALLS
    assert [each.id for each in read(operator, queue, limit=2)] == ["id-0", "id-1"]


def test_messages_of_every_priority_are_read(broker: Broker, operator: Any, queue: str) -> None:
    with Celery("sender", broker=broker.url, set_as_current=False) as app:
        for priority in (1, 4, 9):
            app.send_task("typed.add", (1,), queue=queue, priority=priority, task_id=f"p{priority}")
    assert {"p1", "p4", "p9"} <= {each.id for each in read(operator, queue)}


def test_a_queue_that_is_not_there_has_none_and_is_not_made(operator: Any) -> None:
    assert read(operator, "nowhere") == []
    assert read(operator, "nowhere") == []


def test_S10_clients_need_no_right_to_read_what_waits(new_client: Connect, queue: str) -> None:
    with pytest.raises(PermissionRefused):
        read(new_client(), queue)


def test_messages_that_the_new_signatures_refuse_are_named(operator: Any, queue: str) -> None:
    new = catalog_of_app(typed.app, queue=queue)
    found = list(refused(session_of(operator), [queue], new, new))
    assert [(each.task, each.where) for each in found] == [
        ("typed.add", "message id-1"),
        ("typed.add", "message id-2"),
        ("typed.gone", "message id-3"),
    ]
    assert "'z'" in found[0].text
    assert "x: " in found[1].text
    assert found[2].text == "the task is not there any more"
    assert {each.label for each in found} == {"breaks messages"}


def readable_alone(url: str, user: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Look into two queues as a user who may read one; each has a message that is refused."""
    with Celery("sender", broker=url, set_as_current=False) as app:
        for queue in ("closed", "open"):
            app.send_task("typed.gone", queue=queue, task_id=f"in-{queue}")
    with connect(user) as client:
        found = list(refused(Session(client), ["closed", "open"], Catalog(), Catalog()))
    assert [each.where for each in found] == ["message in-open"]
    said = capsys.readouterr().err
    assert said.startswith("note: queue closed was not looked into: ")
    assert "refused" in said
    assert len(said.splitlines()) == 1


def test_a_queue_that_a_rabbitmq_user_may_not_read_is_named(
    rabbitmq: RabbitBroker, capsys: pytest.CaptureFixture[str]
) -> None:
    vhost = rabbitmq.vhost()
    rabbitmq.add_user("reader", "secret")
    rabbitmq.set_permissions(vhost, user="reader", configure=".*", write=".*", read="^(?!closed)")
    user = rabbitmq.vhost_url(vhost, user="reader", password="secret")
    readable_alone(rabbitmq.vhost_url(vhost), user, capsys)


def test_a_queue_that_a_redis_user_may_not_read_is_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rules = "reader on >secret ~open* ~celery-rpc* &* +@all"
    with RedisBroker(users=(rules,)) as server:
        user = server.database_url(0, user="reader", password="secret")
        readable_alone(server.url, user, capsys)


@pytest.mark.parametrize("kind", ["quorum", "stream"])
def test_a_queue_that_a_look_would_change_is_named_and_left_alone(
    new_client: Connect, queue: str, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    service = Service(queue, Address(queue), frozenset(), {}, arguments={"x-queue-type": kind})
    one = Catalog(services={queue: service})
    for old, new in ((one, Catalog()), (Catalog(), one)):
        assert list(refused(session_of(new_client()), [queue], old, new)) == []
        said = capsys.readouterr().err
        assert said.startswith(f"note: queue {queue} was not looked into: ")
        assert kind in said


@pytest.mark.parametrize(
    ("body", "kind", "said"),
    [
        (b"\x80\x04", "application/x-python-serialize", "it is not read: application/x-python"),
        (b"[", "application/json", "it is no JSON"),
        (b"[1, 2]", "application/json", "it is no call of a task"),
        (b'"text"', "application/json", "it is no call of a task"),
        (b"[" * 100_000, "application/json", "it is no JSON"),
        (b'[[{"__type__": "decimal", "__value__": "x"}], {}, {}]', "application/json", "no JSON"),
        (b'[[{"__type__": "bytes", "__value__": {}}], {}, {}]', "application/json", "no JSON"),
        (b"", None, "it is not read: no kombu message"),
    ],
)
def test_what_is_no_call_is_said(body: bytes, kind: str | None, said: str) -> None:
    found = to_message(body, {"task": "t", "id": "1"}, {"content-type": kind})
    assert said in found.problem
    assert (found.task, found.id) == ("t", "1")


def test_messages_of_protocol_1_are_read() -> None:
    body = b'{"task": "t", "id": "1", "args": [1], "kwargs": {"a": 2}}'
    found = to_message(body, {}, {"content-type": "application/json"})
    assert found == Message("t", "1", [1], {"a": 2})
