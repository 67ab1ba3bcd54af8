"""What errbacks are told, by the workers that call them themselves and on behalf of the client."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import celery
import pytest

import celery_rpc
from celery_rpc import Graph, connect
from tests.servers import Broker, Worker, wait_until

WAIT = 20.0

pytestmark = [
    # Celery's chord.link_error() announces a change of its default.
    pytest.mark.filterwarnings("ignore::celery.exceptions.CPendingDeprecationWarning"),
]


def told(path: Path, count: int = 1) -> list[Any]:
    """Return what errbacks were told, once so many of them were called."""
    wait_until(
        lambda: path.exists() and path.read_text().count("\n") >= count,
        what="the errbacks to be called",
        timeout=WAIT,
    )
    return [json.loads(line) for line in path.read_text().splitlines()]


def guarded(canvas: Any, errback: Any) -> Any:
    canvas.link_error(errback)
    return canvas


#: Canvases in which no worker knows of the failure, and the task that is told of.
FAILING: dict[str, tuple[Callable[[Any, Any], Any], str]] = {
    "chord": (lambda m, c: m.chord([c.fail.si(), c.fail.si()], c.total.s()), "calc.total"),
    "group then task": (
        lambda m, c: m.group([c.fail.si(), c.add.s(1, 1)]) | c.echo.s(),
        "calc.echo",
    ),
    "group in a chain": (
        lambda m, c: m.chain(c.add.s(1, 1), m.group([c.fail.si(), c.add.s(1)]), c.total.s()),
        "calc.total",
    ),
    "immutable body": (lambda m, c: m.chord([c.fail.si()], c.add.si(1, 2)), "calc.add"),
}


@pytest.mark.parametrize("kind", FAILING)
@pytest.mark.parametrize("module", [celery_rpc, celery], ids=["ours", "celery"])
def test_an_errback_of_a_header_is_told_what_it_takes(
    client: Any, tmp_path: Path, module: Any, kind: str
) -> None:
    calc, log, other = client.calc, tmp_path / "log", tmp_path / "other"
    make, task = FAILING[kind]
    flow = guarded(make(module, calc), calc.handle.s(path=str(log)))
    result = guarded(flow, calc.note.s(str(other))).delay()
    with pytest.raises(ValueError, match="as asked") as caught:
        result.get(timeout=WAIT)
    (line,) = told(log)
    assert (line["id"], line["task"]) == (result.id, f"{task} (unanswered)")
    name, text = line["error"]
    assert name == "ChordError"
    assert f"Dependency {caught.value.task_id} raised ValueError('as asked')" in text  # type: ignore[attr-defined]
    assert line["traceback"] is None
    wait_until(lambda: other.exists() and other.read_text() == f"{result.id}\n", timeout=WAIT)


def test_an_errback_of_a_task_is_told_by_its_worker(client: Any, tmp_path: Path) -> None:
    log = tmp_path / "log"
    result = client.calc.fail.s().on_error(client.calc.handle.s(path=str(log))).delay()
    (line,) = told(log)
    assert (line["id"], line["task"]) == (result.id, "calc.fail")
    assert line["error"] == ["ValueError", "as asked"]
    assert line["traceback"] == "there"


def test_an_errback_of_a_step_without_an_answer_is_told_of_its_time(
    client: Any, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    graph = Graph()
    sleep = client.calc.sleep.s(0.6).on_error(client.calc.handle.s(path=str(log)))
    slow = graph.add(sleep, timeout=0.1)
    run = client.run(graph)
    (line,) = told(log)
    assert line["id"] == run.result(slow).id
    assert line["args"] == [0.6]
    assert "raised DeadlineExceeded" in line["error"][1]


def test_the_answer_of_an_errback_comes_to_the_client(client: Any, tmp_path: Path) -> None:
    calc, log = client.calc, tmp_path / "log"
    errback = calc.note.s(str(log)).set(task_id=str(uuid4()))
    answer = client.reply(errback.options["task_id"])
    guarded(celery_rpc.chord([calc.fail.si()], calc.total.s()), errback).delay()
    assert answer.get(timeout=WAIT) is None
    assert log.exists()


def test_an_errback_may_be_a_chain(client: Any, tmp_path: Path) -> None:
    calc, log, after = client.calc, tmp_path / "log", tmp_path / "after"
    errback = celery_rpc.chain(
        calc.note.s(str(log)), calc.lineage.si(str(after), "a"), calc.lineage.si(str(after), "b")
    )
    flows: list[Any] = [
        calc.fail.s(),
        celery_rpc.chain(calc.add.s(1, 1), calc.fail.si()),
        celery_rpc.chord([calc.fail.si()], calc.total.s()),
        celery.chord([calc.fail.si()], calc.total.s()),
    ]
    for flow in flows:
        result = guarded(flow, errback).delay()
        first, second = told(after, 2)
        assert log.read_text() == f"{result.id}\n"
        assert (first["label"], second["label"]) == ("a", "b")
        assert second["parent_id"] == first["id"]
        log.unlink()
        after.unlink()


def test_an_errback_is_told_the_same_by_older_workers(
    broker: Broker, other_celery: Path, tmp_path: Path
) -> None:
    url, log = broker.server.fresh_url(), tmp_path / "log"
    with (
        Worker.start(
            "tests.workers.calc", url, ["calc"], pool="threads", python=other_celery
        ) as worker,
        connect(url) as client,
    ):
        worker.wait_ready()
        calc: Any = client.calc
        result = guarded(
            celery_rpc.chord([calc.fail.si()], calc.total.s()), calc.handle.s(path=str(log))
        ).delay()
        (line,) = told(log)
    assert line["id"] == result.id
    assert line["error"][0] == "ChordError"
    assert "raised ValueError('as asked')" in line["error"][1]
