"""Services that answer their callers, wherever they keep their results: every end of a task."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from celery_rpc import (
    CallCancelled,
    NoSuchTask,
    RemoteError,
    WorkerLost,
    chord,
    connect,
    group,
)
from tests.conftest import unwatch
from tests.servers import Broker, ValkeyBroker, Worker, celery_python, wait_until
from tests.servers.worker import Pool

QUEUE = "answering"
WAYS = ["database", "redis", "disabled", "rpc", "5.4", "5.4 disabled", "5.5", "5.6"]


@dataclass(frozen=True)
class Way:
    """A result backend, a pool, and a release of Celery: by default that of the tests."""

    backend: str
    pool: Pool
    celery: str = ""

    @property
    def python(self) -> str | Path:
        return celery_python(self.celery) if self.celery else sys.executable

    @property
    def stores(self) -> bool:
        return self.backend not in ("rpc://", "disabled://")


@pytest.fixture(scope="module", params=WAYS)
def way(request: pytest.FixtureRequest, valkey: ValkeyBroker, tmp_path_factory: Any) -> Way:
    path = tmp_path_factory.mktemp("results") / "results.sqlite"
    unwatch()  # the first use of another Celery installs it
    return {
        "5.4": Way(valkey.fresh_url(), "prefork", "5.4"),
        "5.4 disabled": Way("disabled://", "threads", "5.4"),
        "5.5": Way(valkey.fresh_url(), "prefork", "5.5"),
        "5.6": Way(valkey.fresh_url(), "prefork", "5.6"),
        "database": Way(f"db+sqlite:///{path}", "prefork"),
        "redis": Way(valkey.fresh_url(), "threads"),
        "disabled": Way("disabled://", "solo"),
        "rpc": Way("rpc://", "prefork"),
    }[request.param]


@pytest.fixture(scope="module", autouse=True)
def answering_worker(broker: Broker, way: Way) -> Iterator[Worker]:
    with Worker.start(
        "tests.workers.answering",
        broker.url,
        [QUEUE],
        backend=way.backend,
        pool=way.pool,
        python=way.python,
    ) as worker:
        yield worker.wait_ready()


@pytest.fixture(scope="module")
def tasks(broker: Broker) -> Iterator[Any]:
    with connect(broker.client_url, timeout=20) as client:
        yield client.answering


@pytest.fixture
def chords(way: Way) -> None:
    if not way.stores:
        pytest.skip("no backend, no chords")


@pytest.fixture
def prefork(way: Way) -> None:
    if way.pool != "prefork":
        pytest.skip("only processes can be ended from without")


def test_a_value_comes(tasks: Any) -> None:
    assert tasks.add(1, 2) == 3
    assert tasks.add.delay(2, 2).get() == 4
    assert [each.get() for each in tasks.add.batch([(n, n) for n in range(50)])] == [
        *range(0, 100, 2)
    ]


def test_an_error_comes_with_its_traceback(tasks: Any) -> None:
    with pytest.raises(ValueError, match="as asked") as caught:
        tasks.fail()
    assert isinstance(caught.value, RemoteError)
    assert "raise ValueError(message)" in str(caught.value.remote_traceback)


def test_progress_comes_in_order(tasks: Any) -> None:
    reply = tasks.progress.delay(4)
    assert reply.get() == 4
    updates = [each.meta["step"] for each in reply.updates(timeout=5) if each.state == "PROGRESS"]
    assert updates == [0, 1, 2, 3]
    begun = tasks.started.delay()
    assert begun.get() == "done"
    assert [each.state for each in begun.updates(timeout=5)] == ["STARTED"]


def test_retries_come_and_then_the_value(tasks: Any) -> None:
    reply = tasks.retry.delay(2)
    assert reply.get() == 2
    # Another process may have made the last attempt while one still told of its own.
    assert {each.state for each in reply.updates(timeout=5)} == {"RETRY"}
    assert tasks.retry_ignored(2) == 2


def test_results_that_the_service_ignores_come_too(tasks: Any) -> None:
    assert tasks.ignored([1]) == [1]
    with pytest.raises(ValueError, match="as asked"):
        tasks.fail_ignored()
    assert (tasks.ignored.s(1) | tasks.add.s(1)).delay().get() == 2
    with pytest.raises(ValueError, match="as asked"):
        (tasks.fail_ignored.si() | tasks.add.s(1)).delay().get()
    assert chord([tasks.ignored.s(1), tasks.add.s(1, 1)], tasks.total.s()).delay().get() == 3
    assert tasks.ignored.options(ignore_result=False)(1) == 1


def test_a_call_that_wants_no_reply_gets_none(broker: Broker, answering_worker: Worker) -> None:
    with connect(broker.client_url, timeout=20) as client:
        tasks = client.answering
        quiet = [
            task.options(ignore_result=True).delay(1, 1)
            for task in (tasks.add, tasks.sum_ignored)
            for _ in range(3)
        ]
        quiet.append(tasks.retry.options(ignore_result=True).delay(1))
        assert {each.get() for each in quiet} == {None}
        for each in quiet:
            done = f"[{each.id}] succeeded"
            wait_until(partial(shows, answering_worker, done), timeout=20)
        assert tasks.add(1, 1) == 2, "its reply comes after all that were sent before"
        assert client.status()["unclaimed"] == 0


def shows(worker: Worker, text: str) -> bool:
    return text in worker.log


def test_what_is_no_json_is_an_error(tasks: Any) -> None:
    with pytest.raises(RemoteError, match="JSON"):
        tasks.odd()


def test_ends_without_a_state_are_told(tasks: Any) -> None:
    with pytest.raises(RemoteError, match="the task raised Ignore"):
        tasks.ignore()
    with pytest.raises(RemoteError, match="by hand"):
        tasks.own_state()
    with pytest.raises(RemoteError) as caught:
        tasks.reject()
    assert caught.value.type == "celery.exceptions.Reject"


def test_a_rejected_message_is_answered_when_it_comes_again(tasks: Any) -> None:
    assert tasks.reject(True) == "at last"


def test_a_task_that_sends_itself_again_is_answered_once(tasks: Any) -> None:
    assert tasks.resend(2) == "at last"


def test_the_service_replaces_a_task(tasks: Any) -> None:
    assert tasks.replaced_by_task(1) == 2
    assert tasks.replaced_twice(1) == 3
    assert tasks.replaced_by_chain(1) == 4
    with pytest.raises(ValueError, match="in the chain"):
        tasks.replaced_by_failing_chain()
    assert (tasks.replaced_by_chain.s(1) | tasks.add.s(1)).delay().get() == 5
    flow = group(tasks.replaced_by_chain.s(n) for n in range(3)) | tasks.total.s()
    assert flow.delay().get() == 3 + 4 + 5


def test_the_option_replaces_does_no_harm(tasks: Any) -> None:
    assert tasks.add.options(replaces=True)(1, 1) == 2
    assert tasks.replaced_by_chain.options(replaces=True)(1) == 4


@pytest.mark.usefixtures("chords")
def test_the_service_replaces_a_task_by_a_group(tasks: Any) -> None:
    assert tasks.replaced_by_group(3) == [0, 2, 4]
    assert tasks.replaced_by_chord(3) == 6
    assert (tasks.replaced_by_group.s(3) | tasks.total.s()).delay().get() == 6
    with pytest.raises(RemoteError, match="in the header"):
        tasks.replaced_by_failing_chord()
    with pytest.raises(ValueError, match="before the chord"):
        tasks.replaced_by_chain_that_fails_before_its_chord()
    with pytest.raises(RemoteError, match="to which Celery gives no result"):
        tasks.replaced_by_mixture()


def test_a_group_in_a_task_without_chords_is_an_error_at_once(tasks: Any, way: Way) -> None:
    if way.stores:
        pytest.skip("this backend has chords")
    with pytest.raises(NotImplementedError, match="chord"):
        tasks.replaced_by_group(3)


def test_client_run_canvases_work(tasks: Any) -> None:
    assert chord([tasks.add.s(n, n) for n in range(3)], tasks.total.s()).delay().get() == 6
    assert group(tasks.add.s(n, n) for n in range(3)).delay().get() == [0, 2, 4]
    with pytest.raises(ValueError, match="as asked"):
        (tasks.fail.si() | tasks.add.s(1)).delay().get()


def test_the_services_own_results_are_as_they_were(tasks: Any, way: Way) -> None:
    if not way.stores:
        pytest.skip("it has none")
    reply = tasks.add.delay(1, 2)
    assert reply.get() == 3
    assert tasks.look_up(reply.id) == ["SUCCESS", 3]
    failed = tasks.fail.delay()
    with pytest.raises(ValueError, match="as asked"):
        failed.get()
    assert tasks.look_up(failed.id) == ["FAILURE", "ValueError('as asked')"]
    ignored = tasks.ignored.delay(1)
    assert ignored.get() == 1
    assert tasks.look_up(ignored.id) == ["PENDING", None]
    inner = tasks.delegate(1)
    wait_until(lambda: tasks.look_up(inner) == ["SUCCESS", 3], timeout=10)
    inner = tasks.delegate_chord(3)
    wait_until(lambda: tasks.look_up(inner) == ["SUCCESS", 6], timeout=10)


def test_unknown_tasks_are_told(broker: Broker) -> None:
    with (
        connect(broker.client_url, timeout=20) as client,
        pytest.raises(NoSuchTask),
    ):
        client.task("answering.nope", queue=QUEUE)()


def test_a_call_that_is_revoked_before_it_begins_is_told(tasks: Any) -> None:
    reply = tasks.add.options(countdown=1).delay(1, 1)
    reply.revoke()
    with pytest.raises(CallCancelled):
        reply.get(timeout=15)


@pytest.mark.usefixtures("prefork")
def test_a_call_that_is_ended_while_it_runs_is_told(tasks: Any) -> None:
    reply = tasks.sleep_started.delay(30)
    next(iter(reply.updates(timeout=15)))
    reply.revoke(terminate=True)
    with pytest.raises(CallCancelled):
        reply.get(timeout=15)


@pytest.mark.usefixtures("prefork")
def test_time_limits_and_lost_processes_are_told(tasks: Any) -> None:
    assert tasks.spin.options(soft_time_limit=1)(20) == "softly"
    with pytest.raises(RemoteError, match="TimeLimitExceeded"):
        tasks.sleep.options(time_limit=1)(20)
    with pytest.raises(WorkerLost):
        tasks.suicide()
