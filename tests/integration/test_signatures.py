"""Signatures of remote tasks in Celery's own canvases, run by stock workers."""

import json
from typing import Any

import pytest
from celery import chain, group, signature

from celery_rpc import CanvasError
from celery_rpc import chain as our_chain

pytestmark = pytest.mark.usefixtures("worker")


def test_a_chain_passes_results_on(client: Any) -> None:
    calc = client.calc
    assert (calc.add.s(1, 1) | calc.mul.s(10) | calc.add.s(3)).delay().get(timeout=30) == 23
    assert chain(calc.add.s(1, 1), calc.mul.s(10)).apply_async().get(timeout=30) == 20
    assert our_chain(calc.add.s(1, 1), calc.mul.s(10))().get(timeout=30) == 20


def test_an_immutable_signature_gets_no_result(client: Any) -> None:
    calc = client.calc
    assert (calc.add.s(1, 1) | calc.mul.si(3, 4)).delay().get(timeout=30) == 12


def test_a_group_gives_a_list(client: Any) -> None:
    result = group(client.calc.add.s(n, n) for n in range(10)).delay()
    assert result.get(timeout=30) == [*range(0, 20, 2)]
    assert result.completed_count() == 10


def test_a_chain_that_ends_in_a_group(client: Any) -> None:
    calc = client.calc
    flow = calc.add.s(1, 1) | group(calc.add.s(n) for n in range(3))
    assert flow.delay().get(timeout=30) == [2, 3, 4]


def test_a_failed_step_ends_the_chain_with_its_error(client: Any) -> None:
    calc = client.calc
    result = (calc.fail.s("KeyError", "first") | calc.add.s(1)).delay()
    with pytest.raises(KeyError, match="first"):
        result.get(timeout=30)


def test_intermediate_results_are_there(client: Any) -> None:
    result = (client.calc.add.s(1, 1) | client.calc.mul.s(10)).delay()
    assert result.get(timeout=30) == 20
    assert result.parent.get(timeout=30) == 2


def test_a_signature_survives_json(client: Any) -> None:
    wire = json.loads(json.dumps(client.calc.add.s(1, 1)))
    assert signature(wire, app=client.app).delay().get(timeout=30) == 2


def test_options_travel_with_a_signature(client: Any) -> None:
    made = client.calc.add.options(priority=3, countdown=0.1).s(1, 1)
    assert made.options["priority"] == 3
    assert made.delay().get(timeout=30) == 2
    assert client.calc.add.signature((1, 2), immutable=True, shadow="x").immutable


def test_a_signature_without_an_address_is_refused(client: Any) -> None:
    with pytest.raises(CanvasError, match="says no queue"):
        signature("calc.add", args=(1, 1), app=client.app).delay()


def test_a_chord_needs_no_result_store(client: Any) -> None:
    calc = client.calc
    flow = group(calc.add.s(1, 1), calc.add.s(2, 2)) | calc.total.s()
    assert flow.delay().get(timeout=30) == 6
