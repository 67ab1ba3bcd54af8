"""What a task raises is its own RemoteError, whatever it is, and nothing runs twice for it."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from celery_rpc import CallCancelled, NoSuchTask, RemoteError, WorkerLost, chord, connect, group
from tests.servers import Broker, Worker
from tests.workers.failing import Declined, Keyed, Missing, Plain, Shop, Spoken

#: Celery's exceptions with arguments, as a task may raise them.
CELERYS: list[tuple[Any, ...]] = [
    ("NotRegistered", "failing.other"),
    ("NotRegistered", "failing.count_and_raise"),
    ("TaskRevokedError", "expired"),
    ("WorkerLostError", "as asked"),
    ("TimeLimitExceeded", 3),
    ("ChordError", "as asked"),
    ("OperationalError", "as asked"),
]


@pytest.fixture(scope="module")
def failing(broker: Broker) -> Iterator[Any]:
    """A client of the failing service, in a pool of processes."""
    with (
        Worker.start("tests.workers.failing", broker.url, ["failing"], concurrency=4) as worker,
        connect(worker.wait_ready().broker_url) as client,
    ):
        yield client.failing


#: What clients know by its class.
ERRORS = [Declined, Shop.Denied, Shop.Closed, Keyed, Missing, Plain, Spoken]


def raises(call: Any, *args: Any) -> RemoteError:
    """Return the RemoteError of a call, which is no error of a worker's or its pool's."""
    with pytest.raises(RemoteError) as caught:
        call(*args)
    assert not isinstance(caught.value, CallCancelled | NoSuchTask | WorkerLost)
    return caught.value


@pytest.mark.parametrize("celerys", CELERYS, ids=lambda each: "-".join(map(str, each)))
def test_celerys_exceptions_are_the_tasks_own_when_it_raises_them(
    failing: Any, celerys: tuple[Any, ...], tmp_path: Path
) -> None:
    task, log = failing["failing.count_and_raise"], tmp_path / "count"
    name, *args = celerys
    signature = task.s(str(log), *celerys)

    async def call_async() -> Any:
        return await task.options(timeout=20).aio(str(log), *celerys)

    asks = [
        lambda: task.options(timeout=20)(str(log), *celerys),
        lambda: task.delay(str(log), *celerys).get(timeout=20),
        lambda: task.batch([(str(log), *celerys)])[0].get(timeout=20),
        lambda: asyncio.run(call_async()),
        lambda: signature.delay().get(timeout=20),
        lambda: group([signature]).delay().get(timeout=20),
        lambda: chord([signature], failing["failing.sleep"].si(0)).delay().get(timeout=20),
        lambda: (
            (failing["failing.sleep"].si(0) | signature.clone().set(immutable=True))
            .delay()
            .get(timeout=20)
        ),
    ]
    for times, ask in enumerate(asks, 1):
        error = raises(ask)
        assert error.type.endswith(f".{name}")
        assert list(error.args) == args
        assert log.read_text().count("\n") == times


@pytest.mark.parametrize("pool", ["threads", "solo"])
def test_a_lookup_that_fails_inside_a_task_is_no_refusal(broker: Broker, pool: Any) -> None:
    with (
        Worker.start("tests.workers.failing", broker.url, [pool], pool=pool) as worker,
        connect(worker.wait_ready().broker_url) as client,
    ):
        error = raises(client[pool]["failing.fail"].options(timeout=20), "lookup")
        assert error.type == "celery.exceptions.NotRegistered"
        assert "registry" in (error.remote_traceback or "")


def test_the_error_of_a_call_inside_a_task_is_the_tasks_own(broker: Broker) -> None:
    with (
        Worker.start("tests.workers.failing", broker.url, ["nested"], pool="threads") as worker,
        connect(worker.wait_ready().broker_url) as client,
    ):
        forward = client.nested["failing.forward"].options(timeout=20)
        error = raises(forward, "nested", "failing.unknown")
        assert error.type == "celery.exceptions.NotRegistered"
        assert error.args == ("failing.unknown",)
        error = raises(forward, "nested", "failing.fail", "declined")
        assert error.type == "tests.workers.failing.Declined"
        assert str(error) == "4: stolen"


WAYS: list[tuple[str, type[Exception], str]] = [
    ("declined", Declined, "4: stolen"),
    ("denied", Shop.Denied, "4: stolen"),
    ("closed", Shop.Closed, "at night"),
    ("keyed", Keyed, "Keyed(code=4)"),
    ("plain", Plain, "('as asked', 1)"),
    ("spoken", Spoken, "spoken:\n  a, 1"),
    ("no file", FileNotFoundError, "[Errno 2] No such file or directory: '/there/is/none'"),
    ("key", KeyError, "'no such way'"),
    ("chained to group", Spoken, "spoken:\n  at last"),
]


def exercise(client: Any, queue: str) -> None:
    """Let the task fail in each way, and catch it as what it is."""
    fail = client[queue]["failing.fail"].options(timeout=20)
    for way, cls, text in WAYS:
        with pytest.raises(cls) as caught:
            fail(way)
        assert isinstance(caught.value, RemoteError)
        assert str(caught.value) == text
    assert str(raises(fail, "pydantic")).startswith("2 validation errors for Order\namount\n")
    assert str(raises(fail, "pydantic")).endswith("/v/string_type")
    with pytest.raises(Missing, match=r"Missing\('missing', PosixPath\('/there'\)\)"):
        client[queue]["failing.miss"].options(timeout=20)("/there")


def test_exceptions_are_themselves(broker: Broker, failing: Any) -> None:
    with connect(broker.url, errors=ERRORS) as c:
        exercise(c, "failing")


@pytest.mark.watchdog(300)
def test_exceptions_of_older_celeries_are_themselves(broker: Broker, other_celery: Path) -> None:
    queue = other_celery.parent.parent.name
    with (
        Worker.start(
            "tests.workers.failing", broker.url, [queue], pool="threads", python=other_celery
        ) as worker,
        connect(worker.wait_ready().broker_url, errors=ERRORS) as client,
    ):
        exercise(client, queue)


@pytest.mark.watchdog(300)
def test_declared_errors_that_cannot_be_pickled_are_caught_by_name(
    broker: Broker, other_celery: Path
) -> None:
    include = ["--include", "celery_rpc.worker.auto"]
    with (
        Worker.start(
            "tests.workers.failing",
            broker.url,
            ["shop"],
            pool="threads",
            python=other_celery,
            args=include,
        ) as worker,
        connect(worker.wait_ready().broker_url) as client,
    ):
        for way, name in (("declined", "Declined"), ("denied", "Denied"), ("closed", "Closed")):
            with pytest.raises(getattr(client.shop.errors, name)):
                client.shop["failing.fail"].options(timeout=20)(way)
