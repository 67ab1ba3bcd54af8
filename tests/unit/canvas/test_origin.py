"""Copies of signatures go through the client that the signatures came from."""

import copy
import json
import pickle
from collections.abc import Callable
from typing import Any

import celery
import pytest

from celery_rpc import CanvasError, chain, chord, group
from celery_rpc.canvas.origin import client_of
from celery_rpc.canvas.signature import Canvas
from celery_rpc.testing.memory import in_memory
from tests.workers.calc import app

#: Canvases of a service, by a name.
CANVASES: dict[str, Callable[[Any], Any]] = {
    "signature": lambda calc: calc.add.s(1, 2),
    "immutable": lambda calc: calc.add.si(1, 2).set(countdown=0),
    "keywords": lambda calc: calc.add.s(x=1, y=2),
    "chain": lambda calc: calc.add.s(1, 2) | calc.mul.s(3),
    "group": lambda calc: group(calc.add.s(n, n) for n in range(3)),
    "chord": lambda calc: chord([calc.add.s(n, n) for n in range(3)], calc.total.s()),
    "map": lambda calc: calc.echo.s().map([1, 2]),
    "starmap": lambda calc: calc.add.s().starmap([(1, 2), (3, 4)]),
    "chunks": lambda calc: calc.add.s().chunks([(1, 2), (3, 4), (5, 6)], 2),
    "nested": lambda calc: chain(
        [
            calc.add.s(1, 2),
            group(calc.mul.s(2), chain(calc.add.s(1), calc.mul.s(2))),
            calc.total.s(),
            chord([calc.add.s(1), calc.add.s(2) | calc.mul.s(5)], calc.total.s()),
        ]
    ),
    "linked": lambda calc: calc.add.s(1, 2).set(
        link=calc.echo.s(), link_error=[group(calc.echo.si(1), calc.echo.si(2))]
    ),
    "Celery's chain": lambda calc: celery.chain(calc.add.s(1, 2), calc.mul.s(3)),
    "Celery's group": lambda calc: celery.group([calc.add.s(1, 2), calc.mul.s(3, 4)]),
    "Celery's chord": lambda calc: celery.chord([calc.add.s(1, 2)] * 2, calc.total.s()),
    "Celery's in ours": lambda calc: chain(
        celery.chain(calc.add.s(1, 2), calc.mul.s(3)), celery.group([calc.mul.s(2)] * 2)
    ),
}

#: Ways to copy a canvas.
COPIES: dict[str, Callable[[Any, Any], Any]] = {
    "copy": lambda canvas, client: copy.copy(canvas),
    "deepcopy": lambda canvas, client: copy.deepcopy(canvas),
    "clone": lambda canvas, client: canvas.clone(),
    "copy of a copy": lambda canvas, client: copy.copy(copy.deepcopy(canvas)),
    "deepcopy in a list": lambda canvas, client: copy.deepcopy({"a": [canvas]})["a"][0],
    "a member": lambda canvas, client: celery.chain(copy.copy(canvas)),
    "our member": lambda canvas, client: chain(copy.deepcopy(canvas)),
    "pickle": lambda canvas, client: client.signature(pickle.loads(pickle.dumps(canvas))),
    "JSON": lambda canvas, client: client.signature(json.loads(json.dumps(canvas))),
    "adopted": lambda canvas, client: client.signature(canvas),
}

#: What takes a signature's client.
USES: dict[str, Callable[[Any], object]] = {
    "delay": lambda made: made.delay(),
    "apply_async": lambda made: made.apply_async((1,)),
    "aio": lambda made: made.aio(),
    "call": lambda made: made(),
    "explain": lambda made: made.explain(),
    "freeze": lambda made: made.freeze(),
    "app": lambda made: made.app,
    "a copy": lambda made: copy.copy(made).delay(),
    "a deep copy": lambda made: copy.deepcopy(made).delay(),
    "chained": lambda made: (made | made).delay(),
    "a chain": lambda made: chain(made, made).delay(),
    "a group": lambda made: group(made, made).delay(),
    "Celery's chain": lambda made: celery.chain(made, made).delay(),
    "Celery's group": lambda made: celery.group(made, made).delay(),
    "Celery's chord": lambda made: celery.chord([made, made], made).delay(),
}


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("kind", CANVASES)
def test_a_copy_means_the_same_to_the_same_client(client: Any, kind: str, way: str) -> None:
    canvas = CANVASES[kind](client.calc)
    wanted = CANVASES[kind](client.calc).delay().get(timeout=10)
    before = json.dumps(canvas)
    made = COPIES[way](canvas, client)
    if type(made) is dict:  # Celery's deep copies are
        made = client.signature(made)
    if isinstance(canvas, Canvas) and "member" not in way:
        assert type(made) is type(canvas)
    assert client_of(made) is client.caller.host
    assert made.delay().get(timeout=10) == wanted
    assert json.dumps(canvas) == before


@pytest.mark.parametrize("way", ["copy", "deepcopy", "clone", "pickle", "JSON"])
@pytest.mark.parametrize("kind", [each for each in CANVASES if not each.startswith("Celery")])
def test_a_copy_has_options_of_its_own(client: Any, kind: str, way: str) -> None:
    canvas = CANVASES[kind](client.calc)
    before = json.dumps(canvas)
    made = COPIES[way](canvas, client)
    made["options"]["countdown"] = 9
    made["kwargs"]["more"] = 9
    assert json.dumps(canvas) == before


def test_a_deep_copy_shares_nothing(client: Any) -> None:
    rows = [1]
    canvas = chain(client.calc.echo.s(rows), group(client.calc.echo.s()))
    made = copy.deepcopy(canvas)
    rows.append(2)
    made.tasks[1].tasks[0].set(countdown=9)
    assert made.tasks[0].args == ([1],)
    assert "countdown" not in canvas.tasks[1].tasks[0].options


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("kind", ["signature", "chain", "group", "chord", "map", "chunks"])
def test_a_pickle_says_how_to_adopt_it(client: Any, kind: str, use: str) -> None:
    made = pickle.loads(pickle.dumps(CANVASES[kind](client.calc)))
    with pytest.raises(CanvasError, match=r"client\.signature\(\.\.\.\)"):
        USES[use](made)


def test_what_is_adopted_is_adopted_with_its_parts(client: Any) -> None:
    for saved in (pickle.loads(pickle.dumps(CANVASES["nested"](client.calc))),
                  json.loads(json.dumps(CANVASES["nested"](client.calc)))):  # fmt: skip
        made = client.signature(saved)
        assert made.tasks[0].delay().get(timeout=10) == 3
        assert made.tasks[1].tasks[1].tasks[0].app is client.caller.app


def test_adoption_leaves_a_signature_with_its_own_client(client: Any) -> None:
    canvas = CANVASES["nested"](client.calc)
    theirs = app.tasks["calc.add"].s(1, 2).set(queue="calc")
    with in_memory({"calc": app}) as other:
        made = other.signature(canvas)
        assert client_of(made) is client_of(made.tasks[0]) is other.caller.host
        assert client_of(canvas) is client_of(canvas.tasks[0]) is client.caller.host
        assert other.signature(theirs).delay().get(timeout=10) == 3
    assert theirs.app is app


def test_services_and_tasks_can_be_copied(client: Any) -> None:
    assert copy.copy(client.calc).add(1, 2) == copy.copy(client.calc.add)(1, 2) == 3
