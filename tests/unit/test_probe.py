"""What workers say of a call that takes long, as the error at its deadline tells it."""

from typing import Any

import pytest

from celery_rpc.transport.probe import Probe


def finding(*answers: dict[str, Any]) -> str:
    """Return what is known of a call of calc.add to two workers, given their answers."""
    probe = Probe("id", "calc.add", ["one", "two"])
    probe.sent = True
    for answer in answers:
        probe._answer("", answer)
    return probe.finding


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("active", "two is running it"),
        ("reserved", "two has it, and has not started it"),
        ("of a later Celery", "two knows it"),
    ],
)
def test_the_worker_that_has_the_call_is_named(state: str, said: str) -> None:
    assert finding({"one": {}}, {"two": {"id": [state, {"name": "calc.add"}]}}) == said


@pytest.mark.parametrize("info", ["text", None, [], {}, {"name": 1}])
def test_odd_answers_are_no_replacement(info: Any) -> None:
    assert finding({"two": {"id": ["active", info]}}) == "two is running it"


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
