"""How often the errback of a canvas is called when several of its tasks fail."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import celery
import pytest

import celery_rpc
from celery_rpc import CanvasError, chord, group
from celery_rpc.canvas import Graph
from tests.servers import Gate

pytestmark = [
    pytest.mark.watchdog(60),
    # Celery's chord.link_error() announces a change of its default.
    pytest.mark.filterwarnings("ignore::celery.exceptions.CPendingDeprecationWarning"),
]


def calls_of(client: Any, log: Path) -> list[str]:
    """Return the ids that calc.note was called with, once all that was sent has run."""
    for _ in range(4):  # what a task makes the client send is in the queue before the next call
        client.calc.add(1, 1)
    return log.read_text().split() if log.exists() else []


def guarded(canvas: Any, errback: Any) -> Any:
    canvas.link_error(errback)
    return canvas


Canvases = dict[str, Callable[[Any, Any], Any]]

#: Canvases in which more than one task fails, or one that more than one canvas is around.
FAILING: Canvases = {
    "chain that begins with a group": lambda m, c: m.chain(
        m.group([c.fail.si() for _ in range(3)]), c.total.s()
    ),
    "group then task": lambda m, c: m.group([c.fail.si() for _ in range(3)]) | c.total.s(),
    "chord": lambda m, c: m.chord([c.fail.si() for _ in range(3)], c.total.s()),
    "group in the middle of a chain": lambda m, c: m.chain(
        c.add.s(1, 1), m.group([c.fail.si() for _ in range(3)]), c.total.s(), c.add.s(1)
    ),
    "chains in the group": lambda m, c: m.chain(
        c.add.s(1, 1), m.group([m.chain(c.fail.si(), c.add.s(1)) for _ in range(3)]), c.total.s()
    ),
    "chord in a chain": lambda m, c: m.chain(
        c.add.s(1, 1), m.chord([c.fail.si(), c.fail.si()], c.echo.si(2)), c.echo.s()
    ),
    "chain in a chain": lambda m, c: m.chain(
        c.add.s(1, 1), m.chain(c.add.s(1), m.group([c.fail.si(), c.fail.si()]), c.total.s())
    ),
    "chord in a chord": lambda m, c: m.chord(
        m.group([c.echo.si(1), m.chord([c.echo.si(1), c.fail.si()], c.echo.si(2))]), c.echo.si(3)
    ),
    "chord in a chord in a chord": lambda m, c: m.chord(
        [m.chord([m.chord([c.fail.si(), c.fail.si()], c.echo.si(1))], c.echo.si(2))], c.echo.si(3)
    ),
    "two chords in a chord": lambda m, c: m.chord(
        [m.chord([c.fail.si()], c.echo.si(1)), m.chord([c.fail.si()], c.echo.si(2))], c.echo.si(3)
    ),
    "body of the chord in a chord": lambda m, c: m.chord(
        [m.chord([c.echo.si(1)], c.fail.si()), c.echo.si(2)], c.echo.si(3)
    ),
    "body": lambda m, c: m.chord([c.add.s(1, 1)], c.fail.si()),
    "body of several": lambda m, c: m.chord(
        [c.add.s(1, 1)], m.chain(c.total.s(), c.fail.si(), c.echo.s())
    ),
    "body that is a chord": lambda m, c: m.chord(
        [c.add.s(1, 1)], m.chord([c.fail.si(), c.fail.si()], c.echo.s())
    ),
}

#: Canvases that end in a group of which two members fail.
GROUPS: Canvases = {
    "group": lambda m, c: m.group([c.fail.si(), c.fail.si(), c.add.si(1, 1)]),
    "group at the end of a chain": lambda m, c: m.chain(
        c.add.s(1, 1), m.group([c.fail.si(), c.fail.si(), c.add.si(1, 1)])
    ),
    "chain of nothing but a group": lambda m, c: m.chain(
        m.group([c.fail.si(), c.fail.si(), c.add.si(1, 1)])
    ),
    "body that is a group": lambda m, c: m.chord(
        [c.add.s(1, 1)], m.group([c.fail.si(), c.fail.si(), c.add.si(1, 1)])
    ),
    "group after a group": lambda m, c: m.chain(
        m.group([c.echo.si(1), c.echo.si(2)]), m.group([c.fail.si(), c.fail.si(), c.echo.si(3)])
    ),
}

#: Canvases of which a header fails, and two tasks of the group that is its body never run.
BEFORE_GROUPS: Canvases = {
    "body that is a group": lambda m, c: m.chord(
        [c.fail.si(), c.fail.si()], m.group([c.echo.si(1), c.echo.si(2)])
    ),
    "group after a group": lambda m, c: m.chain(
        m.group([c.fail.si(), c.fail.si()]), m.group([c.echo.si(1), c.echo.si(2)])
    ),
}


@pytest.fixture(params=[celery_rpc, celery], ids=["ours", "celery"])
def module(request: pytest.FixtureRequest) -> Any:
    """The module that chain, group and chord are from."""
    return request.param


@pytest.mark.parametrize("kind", FAILING)
def test_the_errback_of_a_canvas_is_called_once(
    client: Any, tmp_path: Path, module: Any, kind: str
) -> None:
    log = tmp_path / "log"
    made = FAILING[kind](module, client.calc)
    result = guarded(made, client.calc.note.s(str(log))).delay()
    with pytest.raises(ValueError, match="as asked"):
        result.get(timeout=30)
    assert len(calls_of(client, log)) == 1


@pytest.mark.parametrize("kind", GROUPS)
def test_the_errback_of_a_group_is_called_for_each_member_that_fails(
    client: Any, tmp_path: Path, module: Any, kind: str
) -> None:
    log = tmp_path / "log"
    result = guarded(GROUPS[kind](module, client.calc), client.calc.note.s(str(log))).delay()
    with pytest.raises(ValueError, match="as asked"):
        result.get(timeout=10)
    failed = [each.id for each in result if isinstance(each.get(propagate=False), ValueError)]
    assert sorted(calls_of(client, log)) == sorted(failed)
    assert len(failed) == 2


@pytest.mark.parametrize("kind", BEFORE_GROUPS)
def test_the_errback_of_a_group_is_called_for_each_member_when_its_header_fails(
    client: Any, tmp_path: Path, module: Any, kind: str
) -> None:
    log = tmp_path / "log"
    made = BEFORE_GROUPS[kind](module, client.calc)
    result = guarded(made, client.calc.note.s(str(log))).delay()
    with pytest.raises(ValueError, match="as asked"):
        result.get(timeout=10)
    assert sorted(calls_of(client, log)) == sorted(each.id for each in result)


@pytest.mark.parametrize("again", [False, True], ids=["first run", "ids used again"])
def test_when_a_header_fails_the_errback_gets_the_id_of_the_canvas(
    client: Any, tmp_path: Path, module: Any, again: bool
) -> None:
    calc, log = client.calc, tmp_path / "log"
    flow = guarded(module.chord([calc.fail.si()], calc.total.s()), calc.note.s(str(log)))
    result = flow.delay()
    if again:
        with pytest.raises(ValueError, match="as asked"):
            result.get(timeout=10)
        calls_of(client, log)
        log.unlink()
        flow.body.set(task_id=result.id)
        result = flow.delay()
    with pytest.raises(ValueError, match="as asked"):
        result.get(timeout=10)
    assert calls_of(client, log) == [result.id]


@pytest.mark.parametrize(
    "make",
    [
        lambda m, c, body: m.chord([c.fail.si(), c.fail.si()], body),
        lambda m, c, body: m.chain(m.group([c.fail.si(), c.fail.si()]), body),
        lambda m, c, body: m.group([c.fail.si(), c.fail.si()]) | body,
    ],
    ids=["chord", "chain", "group then task"],
)
def test_the_errback_of_a_body_is_called_when_its_header_fails(
    client: Any, tmp_path: Path, module: Any, make: Callable[[Any, Any, Any], Any]
) -> None:
    log = tmp_path / "log"
    body = guarded(client.calc.total.s(), client.calc.note.s(str(log)))
    body_id = body.freeze().id
    result = make(module, client.calc, body).delay()
    with pytest.raises(ValueError, match="as asked"):
        result.get(timeout=10)
    assert calls_of(client, log) == [body_id]


def test_an_errback_that_a_task_and_its_chain_have_is_called_once(
    client: Any, tmp_path: Path, module: Any
) -> None:
    calc, log = client.calc, tmp_path / "log"
    errback = calc.note.s(str(log))
    flow = guarded(module.chain(calc.echo.si(1), guarded(calc.fail.si(), errback)), errback)
    with pytest.raises(ValueError, match="as asked"):
        flow.delay().get(timeout=10)
    assert len(calls_of(client, log)) == 1


def test_canvases_that_share_an_errback_call_it_once_each(client: Any, tmp_path: Path) -> None:
    calc, log = client.calc, tmp_path / "log"
    errback = calc.note.s(str(log))
    pair = [chord([calc.fail.si()], calc.total.s()).on_error(errback) for _ in range(2)]
    with pytest.raises(ValueError, match="as asked"):
        group(pair).delay().get(timeout=30)
    assert len(calls_of(client, log)) == 2


def test_steps_that_share_an_errback_call_it_once_each(
    client: Any, tmp_path: Path, gate: Gate
) -> None:
    calc, log = client.calc, tmp_path / "log"
    errback = calc.note.s(str(log))
    graph = Graph()
    for _ in range(2):
        graph.add(calc.hold.s(gate.path).on_error(errback), timeout=0.05)
    run = client.run(graph)
    with pytest.raises(TimeoutError):
        run.get(timeout=30)
    gate.open()
    assert len(calls_of(client, log)) == 2


@pytest.mark.parametrize("wrong", ["header", "body"])
def test_a_chord_of_celery_that_cannot_be_sent_leaves_nothing_behind(
    client: Any, wrong: str
) -> None:
    calc = client.calc
    nowhere = calc.add.s(1).set(routing_key="nowhere")
    late = celery_rpc.chain(calc.sleep.s(0.01), calc.add.s(1))
    members = [late, nowhere] if wrong == "header" else [late]
    flow = celery.chord(members, nowhere if wrong == "body" else calc.total.s())
    flow.body.freeze()
    with pytest.raises(CanvasError, match="nowhere"):
        flow.delay()
    calc.add(1, 1)
    assert client.status()["pending"] == 0
