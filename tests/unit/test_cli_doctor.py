"""What the doctor says, from what it is shown."""

import pytest

from celery_rpc.catalog.address import Address
from celery_rpc.catalog.model import Service, TaskSpec
from celery_rpc.cli.doctor import (
    Severity,
    check_connection,
    check_installation,
    check_leftovers,
    check_service,
    show,
    some,
)
from celery_rpc.queues.leftovers import Leftovers, escape
from celery_rpc.settings.broker_url import BrokerUrl
from celery_rpc.settings.client_options import ClientOptions


def service(*tasks: TaskSpec, **fields: object) -> Service:
    specs = {task.name: task for task in tasks}
    workers = frozenset({"a@h", "b@h"})
    return Service("mail", Address("mail"), workers, specs, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("distributions", [(), ("celery-rpc",), ("celery_rpc", "Celery-RPC")])
def test_our_own_distribution_is_no_finding(distributions: tuple[str, ...]) -> None:
    assert list(check_installation(distributions)) == []


def test_another_distribution_with_our_package_is_an_error() -> None:
    [found] = check_installation(["celery-rpc", "djangoceleryrpc"])
    assert found.severity is Severity.ERROR
    assert "djangoceleryrpc" in found.text
    assert found.remedy.startswith("pip uninstall djangoceleryrpc")


def test_a_service_as_it_should_be_gives_no_finding() -> None:
    assert list(check_service(service(TaskSpec("mail.send", "rpc")), "rpc://")) == []
    assert list(check_service(service(TaskSpec("mail.send", "redis")), "redis://h")) == []
    assert list(check_service(service(TaskSpec("mail.send")), "rpc://")) == []


def test_results_that_go_elsewhere_are_an_error() -> None:
    tasks = [TaskSpec("mail.send", "redis"), TaskSpec("mail.log", "redis", ignore_result=True)]
    mismatch, silent = check_service(service(*tasks), "rpc://")
    assert (mismatch.severity, silent.severity) == (Severity.ERROR, Severity.NOTE)
    assert "mail.send" in mismatch.text
    assert "mail.log" not in mismatch.text
    assert "mail.log" in silent.text
    assert mismatch.paste == "celery -A APP --result-backend rpc:// worker -Q mail-rpc"


def test_workers_that_answer_may_keep_results_where_they_like() -> None:
    tasks = [
        TaskSpec("mail.send", "django-db", answers=True),
        TaskSpec("mail.log", "disabled", ignore_result=True, answers=True),
    ]
    assert list(check_service(service(*tasks), "rpc://")) == []
    [found] = check_service(service(*tasks), "redis://h")
    assert "leave connect(backend=...) out" in found.remedy


def test_the_last_line_is_one_to_paste(capsys: pytest.CaptureFixture[str]) -> None:
    show([*check_service(service(TaskSpec("mail.send", "db")), "rpc://")], as_json=False)
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "to paste: celery -A APP --result-backend rpc:// worker -Q mail-rpc"


def test_celerys_own_tasks_are_left_out() -> None:
    assert list(check_service(service(TaskSpec("celery.chord", "redis")), "rpc://")) == []


def test_a_task_that_only_some_workers_have_is_a_warning() -> None:
    partial = {"mail.send": frozenset({"a@h"})}
    [found] = check_service(service(TaskSpec("mail.send", "rpc"), partial=partial), "rpc://")
    assert found.severity is Severity.WARNING
    assert found.text == "mail.send is only on a@h, of 2 workers of mail"


def test_leftovers_are_warnings_that_name_the_remedy() -> None:
    found = check_leftovers(Leftovers(("celery-rpc.reply.1",), ("x.reply.celery.pidbox",)))
    assert [each.severity for each in found] == [Severity.WARNING] * 2
    assert all("--clean" in each.remedy for each in found)
    assert check_leftovers(Leftovers()) == []


def test_many_names_are_cut() -> None:
    assert some("abc") == "a, b, c"
    assert some("abcdefgh") == "a, b, c, d, e and 3 more"


def test_a_key_prefix_is_no_pattern() -> None:
    assert escape("app[1]*?") == r"app\[1\]\*\?"


def test_a_connection_as_it_should_be_gives_no_finding() -> None:
    status = {"broker": "b", "blocked": None, "malformed": 0, "clock_skew": 0.0}
    options = ClientOptions(broker=BrokerUrl("redis://localhost/0"))
    assert not list(check_connection(status, options))


def test_S09_what_is_wrong_with_the_connection_is_said_without_its_password() -> None:
    status = {"broker": "b", "blocked": "low on memory", "malformed": 2, "clock_skew": 61.0}
    options = ClientOptions(broker=BrokerUrl("amqp://user:secret@example.org/shop"))
    findings = list(check_connection(status, options))
    text = " ".join(each.text for each in findings)
    assert [each.severity for each in findings] == [Severity.ERROR, *[Severity.WARNING] * 3]
    for part in ("low on memory", "2 messages", "61 s ahead", "without TLS"):
        assert part in text
    assert "secret" not in text
