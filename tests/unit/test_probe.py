"""What workers say of a call that takes long, as the error at its deadline tells it."""

from typing import Any

import pytest

from celery_rpc.support.deadline import NEVER
from celery_rpc.transport.whereabouts import Probe, Question


def finding(*answers: dict[str, Any], scheduled: tuple[dict[str, Any], ...] | None = None) -> str:
    """Return what is known of a call of calc.add to two workers, given their answers.

    Args:
        scheduled: their answers to that, of a call that was put off.
    """
    nodes, put_off = frozenset({"one", "two"}), scheduled is not None
    probe = Probe("id", "calc.add", nodes, NEVER, put_off)
    other = Probe("other", "calc.mul", nodes, NEVER, not put_off)
    probe.question = question = Question([other, probe])
    question.sent = True
    said = {"query_task": answers, "scheduled": scheduled or ()}
    for ticket, command in question.commands.items():
        for answer in said[command.method]:
            question.hear(ticket, answer)
    return probe.finding


def entry(task_id: Any, name: str = "calc.add") -> dict[str, Any]:
    return {"eta": "2030-01-01", "priority": 6, "request": {"id": task_id, "name": name}}


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("active", "two is running it"),
        ("reserved", "two has it, and has not started it"),
        ("scheduled", "two has it, and waits until it is to start (a retry, countdown or eta)"),
        ("of a later Celery", "two knows it"),
    ],
)
def test_the_worker_that_has_the_call_is_named(state: str, said: str) -> None:
    assert finding({"one": {}}, {"two": {"id": [state, {"name": "calc.add"}]}}) == said


def test_a_worker_that_is_to_run_it_again_is_named() -> None:
    said = finding({"one": {}}, {"two": {}}, scheduled=({"one": []}, {"two": [entry("id")]}))
    assert said == "two has it, and waits until it is to start (a retry, countdown or eta)"
    said = finding({"two": {"id": ["ready", {}]}}, scheduled=({"two": [entry("id", "calc.mul")]},))
    assert said.startswith("it replaced itself by calc.mul: two has it, and waits")


def test_who_has_not_said_what_is_scheduled_is_silent() -> None:
    said = finding({"one": {}}, {"two": {}}, scheduled=({"one": []},))
    assert said.startswith("two did not answer when asked")
    assert finding({"one": {}}, {"two": {}}, scheduled=({"one": []}, {"two": []})).startswith("no ")


@pytest.mark.parametrize("info", ["text", None, [], {}, {"name": 1}])
def test_odd_answers_are_no_replacement(info: Any) -> None:
    assert finding({"two": {"id": ["active", info]}}) == "two is running it"


@pytest.mark.parametrize("odd", [None, 1, "id", [], ["id"], {"id": None}, {"id": []}, {"id": {}}])
def test_odd_answers_say_that_the_worker_does_not_have_it(odd: Any) -> None:
    for answers in [{"one": odd}, {"two": odd}], [{"one": {}, "two": odd}], [odd, odd]:
        found = finding(*answers)
        assert found.startswith(("no worker", "one, two did not answer", "one did", "two did"))
    lists = [odd], [{"request": odd}], [entry(odd)], [entry([odd])]
    for each in lists:
        said = finding({"one": {}, "two": {}}, scheduled=({"one": each, "two": odd},))
        assert said.startswith("no worker") or odd == "id"


def test_another_task_of_the_same_id_is_what_replaced_it() -> None:
    """A task that is replaced gives its id to what replaces it (celery/app/task.py)."""
    said = finding({"two": {"id": ["reserved", {"name": "calc.mul"}]}})
    assert said == "it replaced itself by calc.mul: two has it, and has not started it"


def test_what_nobody_has_may_have_replaced_itself_or_ignored_its_result() -> None:
    said = finding({"one": {}}, {"two": {}, "a stranger": {"id": ["active", {}]}})
    assert said.startswith("no worker that answers has it")
    assert said.endswith("or it replaced itself or ignored its result")


def test_workers_that_are_silent_are_named() -> None:
    assert finding({"two": {}}).startswith("one did not answer when asked")
    assert finding().startswith("one, two did not answer when asked")
