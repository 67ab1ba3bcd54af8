"""What becomes of a canvas when a part of it fails, or its world does."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from celery_rpc import CallCancelled, ClientClosed, DeadlineExceeded, Retry, chain, connect, group
from celery_rpc.canvas import Graph, StepState
from tests.limits import ends_within
from tests.servers import Broker, Gate, Worker, wait_until

WAIT = 60.0

#: Seconds within which what must not come a second time would have come.
MOMENT = 0.3


def test_a_failed_step_ends_what_depends_on_it_with_its_error(client: Any) -> None:
    calc = client.calc
    flow = (
        calc.add.s(1, 1) | group(calc.fail.si("KeyError", "inside"), calc.add.s(1)) | calc.echo.s()
    )
    result = flow.delay()
    with pytest.raises(KeyError, match="inside") as caught:
        result.get(timeout=WAIT)
    failed, fine = result.parent.results
    assert caught.value.task_id == failed.id  # type: ignore[attr-defined]
    assert "in fail" in caught.value.remote_traceback  # type: ignore[attr-defined]
    assert fine.get(timeout=WAIT) == 3
    assert result.parent.parent.get(timeout=WAIT) == 2


def test_a_failed_step_of_a_chain_that_went_whole(client: Any) -> None:
    calc = client.calc
    result = (calc.fail.s("KeyError", "first") | calc.add.s(1) | calc.add.s(2)).delay()
    with pytest.raises(KeyError, match="first"):
        result.get(timeout=WAIT)


@pytest.mark.parametrize("long", [False, True], ids=["whole", "on the client"])
def test_errbacks_are_called_once_each(client: Any, tmp_path: Path, long: bool) -> None:
    calc, log, own = client.calc, tmp_path / "log", tmp_path / "own"
    steps = [calc.add.s(1, 1), calc.fail.si().on_error(calc.note.s(str(own))), calc.add.s(1)]
    flow = chain(*steps, *(calc.add.s(1) for _ in range(20 if long else 0)))
    result = flow.on_error(calc.note.s(str(log))).delay()
    with pytest.raises(ValueError, match="as asked") as caught:
        result.get(timeout=WAIT)
    wait_until(lambda: log.exists() and own.exists(), timeout=WAIT)
    time.sleep(MOMENT)  # nothing tells that no second call will come
    assert log.read_text() == own.read_text() == f"{caught.value.task_id}\n"  # type: ignore[attr-defined]


def test_the_errback_of_a_chord_is_called_once_when_parts_of_its_header_fail(
    client: Any, tmp_path: Path
) -> None:
    calc, log = client.calc, tmp_path / "log"
    flow = group(calc.fail.s(), calc.fail.s(), calc.add.s(1, 1)) | calc.echo.s()
    result = flow.on_error(calc.note.s(str(log))).delay()
    with pytest.raises(ValueError, match="as asked"):
        result.get(timeout=WAIT)
    wait_until(log.exists, timeout=WAIT)
    time.sleep(MOMENT)
    assert len(log.read_text().splitlines()) == 1


def test_the_state_of_a_long_run_is_told(client: Any, gate: Gate) -> None:
    graph = Graph()
    slow = graph.add(client.calc.hold.s(gate.path, 5))
    after = graph.add(client.calc.echo.s(), after=slow)
    run = client.run(graph)
    wait_until(lambda: run.state(slow) is StepState.SENT, timeout=WAIT)
    assert run.state(after) is StepState.WAITING
    gate.open()
    assert run.get(timeout=WAIT) == 5
    assert run.status().succeeded == 2


def test_a_cancelled_run_revokes_what_waits_at_workers(
    client: Any, service: Worker, tmp_path: Path
) -> None:
    counted = tmp_path / "count"
    graph = Graph()
    for _ in range(4):
        graph.add(client.calc.sleep.s(0.4))
    late = graph.add(client.calc.count.options(countdown=3.0).s(str(counted)))
    run = client.run(graph)
    wait_until(lambda: run.state(late) is StepState.SENT, timeout=WAIT)
    assert run.cancel().cancelled >= 1
    with pytest.raises(CallCancelled):
        run.result(late).get(timeout=WAIT)
    dropped = f"Discarding revoked task: calc.count[{run.result(late).id}]"
    wait_until(lambda: dropped in service.log, timeout=WAIT, what="the worker to drop it")
    assert not counted.exists()


def test_a_client_that_closes_ends_its_runs(
    broker: Broker, backend: str, service: Worker, gate: Gate
) -> None:
    client: Any = connect(broker.client_url, backend=backend)
    graph = Graph()
    slow = graph.add(client.calc.hold.s(gate.path))
    after = graph.add(client.calc.echo.s(), after=slow)
    run = client.run(graph)
    wait_until(lambda: run.state(slow) is StepState.SENT, timeout=WAIT)
    client.close()
    with pytest.raises(ClientClosed):
        run.get(timeout=WAIT)
    with pytest.raises(ClientClosed):
        run.result(after).get(timeout=WAIT)


def test_awaiting_ends_by_the_clients_timeout(
    broker: Broker, backend: str, service: Worker, gate: Gate
) -> None:
    with connect(broker.client_url, backend=backend, timeout=0.3) as client:
        calc: Any = client.calc
        flow = calc.hold.s(gate.path) | group(calc.echo.s(), calc.echo.s())
        with ends_within(0.3), pytest.raises(DeadlineExceeded):
            asyncio.run(flow.aio())


def test_a_killed_worker_costs_a_step_its_deadline_or_an_attempt(
    broker: Broker, backend: str, gate: Gate
) -> None:
    """A step that a killed worker had: DeadlineExceeded, or another attempt where it may be."""

    def start(queue: str) -> Worker:
        return Worker.start("tests.workers.calc", broker.url, [queue], backend=backend)

    with connect(broker.client_url, backend=backend) as client:
        lost = start("lost").wait_ready()
        run = killed_run(client, broker, lost, gate)
        gate.open()
        with start("lost").wait_ready():
            with pytest.raises(DeadlineExceeded):
                run["plain"].get(timeout=WAIT)
            assert run["again"].get(timeout=WAIT) == 5


def killed_run(client: Any, broker: Broker, worker: Worker, gate: Gate) -> dict[str, Any]:
    """Kill a worker while it runs two steps, and return their results."""
    calc = client["lost"].calc
    graph = Graph()
    steps = {
        "plain": graph.add(calc.hold.s(gate.path, 5), timeout=3.0),
        "again": graph.add(
            calc.hold.options(idempotent=True).s(gate.path, 5),
            retry=Retry(attempts=None, backoff=0.1, attempt_timeout=3.0),
            timeout=3.0,
        ),
    }
    run = client.run(graph)
    wait_until(lambda: worker.log.count(" received") >= 2, timeout=WAIT, what="both to be there")
    wait_until(lambda: broker.unfinished("lost") == 0, timeout=WAIT, what="both to be acknowledged")
    worker.kill()
    return {name: run.result(step) for name, step in steps.items()}
