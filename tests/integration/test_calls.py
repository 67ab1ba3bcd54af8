"""Calls to a stock worker: values, errors, options, replies."""

import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from celery import Celery
from celery.exceptions import TimeoutError as CeleryTimeoutError
from celery.result import AsyncResult, GroupResult, ResultSet

from celery_rpc import (
    CallCancelled,
    DeadlineExceeded,
    EncodeError,
    NoSuchTask,
    PayloadTooLarge,
    RemoteError,
    Reply,
    RpcError,
    Update,
)
from tests.limits import ends_within
from tests.servers import Broker, Gate, Worker, wait_until
from tests.workers.calc import CalcError

pytestmark = pytest.mark.usefixtures("worker")


class TestValues:
    def test_a_call_blocks_and_gives_the_value(self, client: Any) -> None:
        assert client.calc.add(1, 1) == 2

    def test_keywords_are_passed_by_name(self, client: Any) -> None:
        assert client.calc.add(x=1, y=2) == 3

    def test_delay_gives_a_reply_whose_value_comes_later(self, client: Any) -> None:
        reply = client.calc.add.delay(2, 2)
        assert reply.get(timeout=30) == 4
        assert reply.get(timeout=30) == 4, "a second get() gives the value again"

    def test_apply_async_takes_args_and_kwargs(self, client: Any) -> None:
        assert client.calc.add.apply_async((1,), {"y": 5}).get(timeout=30) == 6

    def test_a_batch_gives_one_reply_a_call_in_order(self, client: Any) -> None:
        replies = client.calc.add.batch([(n, n) for n in range(300)] + [{"x": 1, "y": 2}])
        assert [reply.get(timeout=30) for reply in replies] == [*range(0, 600, 2), 3]

    def test_an_empty_batch_sends_nothing(self, client: Any) -> None:
        assert client.calc.add.batch([]) == []

    @pytest.mark.parametrize(
        "value",
        [
            None,
            True,
            1.5,
            "text with \N{SNOWMAN} and \x00",
            [1, [2, {"a": None}]],
            datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
            Decimal("1.10"),
            UUID("12345678-1234-5678-1234-567812345678"),
        ],
        ids=repr,
    )
    def test_R33_json_values_come_back_equal(self, client: Any, value: Any) -> None:
        assert client.calc.echo(value) == value

    def test_a_large_argument_arrives(self, client: Any) -> None:
        text = "x" * (3 * 1024 * 1024)
        assert client.calc.echo(text) == text


class TestErrors:
    def test_a_builtin_exception_is_caught_as_itself(self, client: Any) -> None:
        with pytest.raises(ZeroDivisionError, match="by zero") as caught:
            client.calc.fail("ZeroDivisionError", "by zero")
        assert isinstance(caught.value, RemoteError)
        assert caught.value.type == "ZeroDivisionError"
        assert caught.value.message == "by zero"
        assert "Traceback" in (caught.value.remote_traceback or "")
        assert caught.value.task_id
        assert "Remote traceback" in caught.value.__notes__[0]

    def test_the_worker_is_named_where_it_said_that_it_had_started(
        self, client: Any, worker: Worker
    ) -> None:
        with pytest.raises(ValueError, match="as asked") as caught:
            client.calc.start_and_fail()
        assert isinstance(caught.value, RemoteError)
        assert caught.value.worker == worker.hostname

    def test_R35_an_unknown_class_is_a_remote_error_alone(self, client: Any) -> None:
        with pytest.raises(RemoteError, match="only here") as caught:
            client.calc.fail("CalcError", "only here")
        assert caught.value.type.endswith("calc.CalcError")
        assert not isinstance(caught.value, CalcError), "nothing is looked up in sys.modules"

    def test_R35_a_registered_class_is_caught_as_itself(self, new_client: Any) -> None:
        client = new_client(errors=[CalcError])
        with pytest.raises(CalcError, match="only here"):
            client.calc.fail("CalcError", "only here")

    def test_a_system_exit_of_the_task_is_an_error_here(self, client: Any) -> None:
        with pytest.raises(RpcError):
            client.calc.fail.options(timeout=3)("SystemExit", "no")

    def test_wrong_arguments_are_the_workers_type_error(self, client: Any) -> None:
        with pytest.raises(TypeError):
            client.calc.add(1)

    def test_R32_an_unserialisable_result_is_a_remote_error(self, client: Any) -> None:
        with pytest.raises(RemoteError):
            client.calc.unserialisable()

    def test_propagate_false_gives_the_error(self, client: Any) -> None:
        error = client.calc.fail.delay().get(timeout=30, propagate=False)
        assert isinstance(error, ValueError)

    def test_R31_an_argument_that_is_no_json_is_named_before_anything_is_sent(
        self, client: Any
    ) -> None:
        with pytest.raises(EncodeError, match=r"args\[0\]\['a'\]\[1\].*object") as caught:
            client.calc.echo({"a": [1, object()]})
        assert caught.value.path == "args[0]['a'][1]"
        with pytest.raises(EncodeError, match="value cannot be sent"):
            client.calc.echo(value={1, 2}.__iter__())

    @pytest.mark.parametrize("value", [object(), {"a": {1, 2}.__iter__()}])
    def test_a_header_that_is_no_json_is_named(self, client: Any, value: Any) -> None:
        with pytest.raises(EncodeError, match=r"headers\['x'\]"):
            client.calc.add.options(headers={"x": value})(1, 1)
        assert client.calc.add.delay(1, 1).get(timeout=30) == 2

    def test_a_header_beyond_sixty_four_bits_hurts_no_other_call(
        self, client: Any, broker: Broker
    ) -> None:
        task = client.calc.add.options(headers={"x": 1 << 80})
        if broker.kind == "rabbitmq":  # AMQP's tables cannot hold it; Redis has JSON
            with pytest.raises(EncodeError, match="header"):
                task.delay(1, 1)
        else:
            assert task.delay(1, 1).get(timeout=30) == 2
        assert client.calc.add.delay(1, 1).get(timeout=30) == 2

    def test_R34_fifty_megabytes_are_refused_here(self, client: Any) -> None:
        with pytest.raises(PayloadTooLarge, match="50") as caught:
            client.calc.echo("x" * 50_000_000)
        assert caught.value.limit == 16 * 1024 * 1024
        assert client.calc.add(1, 1) == 2

    def test_a_deadline_ends_the_wait(self, client: Any) -> None:
        with ends_within(0.5), pytest.raises(DeadlineExceeded) as caught:
            client.calc.sleep.options(timeout=0.5)(3)
        assert isinstance(caught.value, TimeoutError | CeleryTimeoutError)
        assert caught.value.task_id
        assert client.status()["pending"] == 0

    def test_a_wait_that_ended_can_be_taken_up_again(self, client: Any, gate: Gate) -> None:
        reply = client.calc.hold.delay(gate.path, 5)
        with pytest.raises(DeadlineExceeded):
            reply.get(timeout=0.1)
        gate.open()
        assert reply.get(timeout=30) == 5

    def test_a_task_that_no_worker_knows_is_no_such_task(self, client: Any) -> None:
        with pytest.raises(NoSuchTask, match="did you mean 'add'"):
            client.calc.ad(1, 1)


class TestOptions:
    def test_countdown_puts_the_call_off(self, client: Any) -> None:
        began = time.monotonic()
        assert client.calc.add.apply_async((1, 1), countdown=1).get(timeout=30) == 2
        assert time.monotonic() - began > 0.9

    @pytest.mark.parametrize(
        "options", [{"compression": "gzip"}, {"delivery_mode": "transient"}, {"retry": False}]
    )
    def test_how_a_message_travels_changes_no_value(
        self, client: Any, options: dict[str, Any]
    ) -> None:
        text = "x" * 10_000
        assert client.calc.echo.options(**options)(text) == text

    def test_a_task_that_ignores_its_result_gives_none_or_is_asked_for_it(
        self, client: Any
    ) -> None:
        assert client.calc.ignored.delay(5).get() is None
        assert client.calc.ignored.options(ignore_result=False)(5) == 5

    def test_eta_puts_the_call_off(self, client: Any) -> None:
        eta = datetime.now(UTC) + timedelta(seconds=1)
        began = time.monotonic()
        assert client.calc.add.options(eta=eta, timeout=30)(1, 1) == 2
        assert time.monotonic() - began > 0.8

    def test_a_call_that_expired_is_not_run(self, client: Any, tmp_path: Path) -> None:
        mark = tmp_path / "ran"
        reply = client.calc.count.apply_async((str(mark),), countdown=1, expires=0.2)
        with pytest.raises(RpcError):
            reply.get(timeout=30)
        assert not mark.exists()

    def test_the_id_can_be_given(self, client: Any) -> None:
        task_id = str(uuid4())
        reply = client.calc.add.apply_async((1, 1), task_id=task_id)
        assert reply.id == task_id
        assert reply.get(timeout=30) == 2

    def test_ignore_result_gives_none_at_once(self, client: Any, tmp_path: Path) -> None:
        mark = tmp_path / "ran"
        assert client.calc.count.apply_async((str(mark),), ignore_result=True).get() is None
        wait_until(mark.exists, what="the task to run all the same")

    def test_links_run_after_the_task(self, client: Any, tmp_path: Path) -> None:
        mark = tmp_path / "linked"
        link = client.calc.count.si(str(mark))
        assert client.calc.add.apply_async((1, 1), link=link).get(timeout=30) == 2
        wait_until(mark.exists, what="the callback to run")

    def test_several_links_run_once_each(self, client: Any, tmp_path: Path) -> None:
        marks = [tmp_path / "one", tmp_path / "two"]
        links = [client.calc.count.si(str(mark)) for mark in marks]
        reply = client.calc.add.apply_async((1, 1), link=links)
        assert reply.get(timeout=30) == 2
        assert [child.get(timeout=30) for child in reply.children[:2]] == [1, 1]
        assert client.calc.sleep(0.3) == 0.3
        assert [len(mark.read_text().splitlines()) for mark in marks] == [1, 1]

    def test_error_links_run_after_a_failure(self, client: Any, tmp_path: Path) -> None:
        mark = tmp_path / "linked"
        reply = client.calc.fail.apply_async((), link_error=client.calc.count.si(str(mark)))
        with pytest.raises(ValueError, match="as asked"):
            reply.get(timeout=30)
        wait_until(mark.exists, what="the errback to run")

    def test_what_was_asked_for_arrives(self, client: Any) -> None:
        task = client.calc.request.options(
            shadow="me", time_limit=30, soft_time_limit=20, priority=3, expires=60
        )
        seen = task()
        assert (seen["shadow"], seen["timelimit"]) == ("me", [30, 20])
        assert seen["delivery_info"]["priority"] == 3
        left = datetime.fromisoformat(seen["expires"]) - datetime.now(UTC)
        assert timedelta(seconds=50) < left <= timedelta(seconds=60)
        assert client.calc.header.options(headers={"x_tenant": "acme"})("x_tenant") == "acme"

    @pytest.mark.parametrize("options", [{}, {"priority": 0}, {"priority": 3}], ids=str)
    def test_tasks_see_the_priority_that_celery_would_send(
        self, client: Any, broker: Broker, options: dict[str, Any]
    ) -> None:
        caller = client.app.client
        theirs = caller.reply(caller.new_id())
        with Celery(broker=broker.url, set_as_current=False) as app:
            app.send_task(
                "calc.request",
                queue="calc",
                task_id=theirs.id,
                reply_to=caller.reply_to,
                ignore_result=False,
                **options,
            )
            seen = theirs.get(timeout=20)["delivery_info"]
        ours = client.calc.request.options(timeout=20, **options)()
        assert ours["delivery_info"] == seen
        assert ours["delivery_info"]["priority"] == options.get("priority", 0)

    def test_an_unknown_option_is_refused_with_what_was_meant(self, client: Any) -> None:
        with pytest.raises(ValueError, match="did you mean 'countdown'"):
            client.calc.add.apply_async((1, 1), countdwn=3)

    def test_an_exchange_alone_is_no_address(self, client: Any) -> None:
        with pytest.raises(ValueError, match="says no queue without routing_key="):
            client.calc.add.apply_async((1, 1), exchange="other")

    def test_pickle_is_refused(self, client: Any) -> None:
        with pytest.raises(ValueError, match="pickle"):
            client.calc.add.apply_async((1, 1), serializer="pickle")

    def test_retries_of_the_task_are_heard_as_updates(self, client: Any) -> None:
        reply = client.calc.retry.delay(5)
        states = [update.state for update in reply.updates(timeout=30)]
        assert reply.get(timeout=30) == 5
        # The worker retries before it tells, so that the last of them may come too late.
        assert set(states) == {"RETRY"}


class TestReplies:
    def test_a_reply_is_an_async_result(self, client: Any) -> None:
        reply = client.calc.add.delay(1, 1)
        assert isinstance(reply, Reply)
        assert isinstance(reply, AsyncResult)
        assert reply.wait(timeout=30) == 2
        assert (reply.state, reply.status) == ("SUCCESS", "SUCCESS")
        assert reply.ready()
        assert reply.successful()
        assert not reply.failed()
        assert reply.result == 2
        assert reply.traceback is None
        assert list(reply.children) == []
        assert repr(reply) == f"<Reply calc.add {reply.id} SUCCESS>"

    def test_a_failed_reply_says_so(self, client: Any) -> None:
        reply = client.calc.fail.delay()
        reply.get(timeout=30, propagate=False)
        assert reply.failed()
        assert isinstance(reply.result, ValueError)
        assert "Traceback" in reply.traceback

    def test_replies_work_in_result_sets_and_groups(self, client: Any) -> None:
        replies = [client.calc.add.delay(n, 1) for n in range(5)]
        assert ResultSet(replies).join(timeout=30) == [1, 2, 3, 4, 5]
        group = GroupResult("a group", replies)
        assert group.get(timeout=30) == [1, 2, 3, 4, 5]
        assert group.successful()
        assert group.completed_count() == 5

    def test_stock_groups_are_iterated_as_they_end(self, client: Any, gate: Gate) -> None:
        slow, fast = client.calc.hold.delay(gate.path, 5), client.calc.add.delay(1, 1)
        group = GroupResult("a group", [slow, fast])
        ended = group.iter_native(timeout=30)
        assert next(ended)[0] == fast.id
        gate.open()
        assert [task_id for task_id, _ in ended] == [slow.id]
        assert group.join_native(timeout=30) == [5, 2]

    def test_stock_groups_are_revoked(self, client: Any, tmp_path: Path) -> None:
        mark = tmp_path / "ran"
        group = GroupResult(
            "a group", [client.calc.count.apply_async((str(mark),), countdown=1) for _ in range(2)]
        )
        group.revoke()
        for reply in group:
            with pytest.raises(CallCancelled):
                reply.get(timeout=30)
        assert not mark.exists()

    def test_a_reply_can_be_had_by_its_id(self, client: Any) -> None:
        task_id = str(uuid4())
        other = client.reply(task_id)
        client.calc.add.apply_async((1, 1), task_id=task_id)
        assert other.get(timeout=30) == 2

    def test_callbacks_are_called_with_the_reply(self, client: Any) -> None:
        called: list[Any] = []
        client.calc.add.delay(1, 1).add_done_callback(lambda reply: called.append(reply.get()))
        wait_until(lambda: called, what="the callback")
        client.calc.add.delay(1, 2).then(lambda reply: called.append(reply.result))
        wait_until(lambda: len(called) == 2, what="then()")
        assert called == [2, 3]

    def test_a_callback_that_fails_hurts_nobody(
        self, client: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        reply = client.calc.add.delay(1, 1)
        called: list[int] = []
        reply.add_done_callback(lambda _: 1 / 0)
        reply.add_done_callback(lambda _: called.append(1))
        wait_until(lambda: called, what="the second callback")
        assert client.calc.add(1, 1) == 2
        assert "a done callback" in caplog.text

    def test_progress_is_heard_in_order(self, client: Any) -> None:
        reply = client.calc.progress.delay(3)
        updates = list(reply.updates(timeout=30))
        mine = [update for update in updates if update.state == "PROGRESS"]
        assert len(mine) == 3
        assert all(isinstance(update, Update) for update in mine)
        assert reply.get(timeout=30) == 3

    def test_forget_lets_go(self, client: Any) -> None:
        reply = client.calc.sleep.delay(0.2)
        reply.forget()
        assert client.status()["pending"] == 0


def test_the_headers_are_those_of_celery(client: Any) -> None:
    """The worker tells what it read of its request (Celery's task protocol 2)."""
    names = ("id", "root_id", "parent_id", "task", "lang", "retries", "timelimit")
    replies = {name: client.calc.header.delay(name) for name in names}
    assert {name: reply.get(timeout=30) for name, reply in replies.items()} == {
        "id": replies["id"].id,
        "root_id": replies["root_id"].id,
        "parent_id": None,
        "task": "calc.header",
        "lang": "py",
        "retries": 0,
        "timelimit": [None, None],
    }
