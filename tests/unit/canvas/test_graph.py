"""Graphs built by hand, and their runs."""

import json
from typing import Any

import celery
import pytest

from celery_rpc import (
    CallCancelled,
    CanvasError,
    ConfigurationError,
    DeadlineExceeded,
    EncodeError,
    PayloadTooLarge,
    Retry,
    chain,
    chord,
    group,
)
from celery_rpc.canvas import Graph, Step, StepState
from celery_rpc.testing.memory import in_memory
from tests.servers import Gate, wait_until
from tests.workers.calc import app

# ----- building


def test_results_are_passed_by_place_as_a_list_and_by_name(client: Any) -> None:
    calc = client.calc
    graph = Graph()
    one, two = graph.add(calc.add.s(1, 1)), graph.add(calc.add.s(2, 2))
    alone = graph.add(calc.mul.s(10), after=one)
    listed = graph.add(calc.echo.s(), after=[one, two])
    named = graph.add(calc.add.s(), after={"x": one, "y": two})
    run = client.run(graph)
    assert run.get(timeout=30) == [20, [2, 4], 6]
    assert [run.result(step).get() for step in (one, two, alone, listed, named)] == [
        2, 4, 20, [2, 4], 6,
    ]  # fmt: skip


def test_a_step_can_wait_without_taking_the_result(client: Any) -> None:
    calc = client.calc
    graph = Graph()
    first = graph.add(calc.add.s(1, 1))
    then = graph.add(calc.add.si(2, 2), after=first)
    other = graph.add(calc.mul.s(3), after=then)
    graph.order(first, then=other)
    assert client.run(graph).get(timeout=30) == 12


def test_a_graph_can_run_again(client: Any) -> None:
    graph = Graph()
    graph.add(client.calc.mul.s(2), after=graph.add(client.calc.add.s(1, 1)))
    assert [client.run(graph).get(timeout=30) for _ in range(2)] == [4, 4]


def test_an_empty_graph_is_over_at_once(client: Any) -> None:
    assert client.run(Graph()).get(timeout=30) == []


def test_steps_that_wait_for_one_another_are_named(client: Any) -> None:
    calc = client.calc
    graph = Graph()
    first = graph.add(calc.add.si(1, 1))
    then = graph.add(calc.mul.s(2), after=first)
    graph.order(then, then=first)
    with pytest.raises(CanvasError, match=r"wait for one another: .*calc\.(add|mul).* -> "):
        client.run(graph)


def test_only_steps_of_the_same_graph_are_taken(client: Any) -> None:
    stranger = Graph().add(client.calc.add.s(1, 1))
    with pytest.raises(CanvasError, match="no step of this graph"):
        Graph().add(client.calc.mul.s(2), after=stranger)
    with pytest.raises(CanvasError, match="no step of this graph"):
        Graph().add(client.calc.mul.s(2), after=["calc.add"])  # type: ignore[list-item]


def test_a_step_is_one_task(client: Any) -> None:
    graph = Graph()
    with pytest.raises(CanvasError, match="a step is one task"):
        graph.add(client.calc.add.s(1, 1) | client.calc.mul.s(2))
    with pytest.raises(CanvasError, match="no signature"):
        graph.add(7)
    assert len(graph) == 0


def test_a_canvas_becomes_a_graph_of_plain_tasks(client: Any) -> None:
    calc = client.calc
    flow = group(calc.add.s(n, n) for n in range(3)) | calc.total.s() | calc.mul.s(2)
    graph = Graph.from_canvas(flow)
    assert [step.task for step in graph.steps] == ["calc.add"] * 3 + ["calc.total", "calc.mul"]
    assert client.run(graph).get(timeout=30) == 12


# ----- what is refused before anything is sent


def sent(client: Any) -> int:
    messages: int = client.status()["messages"]
    return messages


def test_a_step_that_nobody_serves_is_named(client: Any) -> None:
    flow = client.calc.add.s(1, 1) | client.calc.mul.s(2).set(routing_key="nowhere")
    before = sent(client)
    with pytest.raises(CanvasError, match=r"step 1 \(calc.mul on nowhere\).*no worker listens"):
        flow.delay()
    assert sent(client) == before


def test_a_task_that_the_service_does_not_have_is_named(client: Any) -> None:
    stranger = celery.signature("calc.nope", app=client.app, exchange="", routing_key="calc")
    with pytest.raises(CanvasError, match=r"step 1 \(calc.nope on calc\).*no task"):
        (client.calc.add.s(1, 1) | stranger).delay()


def test_a_signature_of_another_app_is_refused(client: Any) -> None:
    foreign = app.tasks["calc.mul"].s(2)
    with pytest.raises(CanvasError, match=r"'calc.mul' says no queue"):
        (client.calc.add.s(1, 1) | foreign).delay()
    with pytest.raises(CanvasError, match="came from no client"):
        chain(foreign.set(queue="calc")).delay()


def test_a_step_whose_result_is_ignored_cannot_be_waited_for(client: Any) -> None:
    calc = client.calc
    with pytest.raises(CanvasError, match=r"calc\.ignored .*ignores its result"):
        (calc.ignored.s(1) | calc.echo.s()).delay()
    assert (calc.ignored.s(1).set(ignore_result=False) | calc.echo.s()).delay().get(timeout=30) == 1
    assert group(calc.ignored.s(1), calc.add.s(1, 1)).delay().get(timeout=30) == [None, 2]


def test_a_chord_needs_a_body(client: Any) -> None:
    header: Any = chord([client.calc.add.s(1, 1)])
    with pytest.raises(CanvasError, match="without a body"):
        header.delay()


def test_what_is_no_json_fails_the_canvas(client: Any) -> None:
    calc = client.calc
    with pytest.raises(EncodeError, match=r"calc.echo.*args\[0\]"):
        (calc.echo.s(object()) | calc.echo.s()).delay().get(timeout=30)


def test_options_that_do_not_exist_are_refused(client: Any) -> None:
    with pytest.raises(ConfigurationError, match="there is no option 'prioritty'"):
        (client.calc.add.s(1, 1).set(prioritty=3) | client.calc.echo.s()).delay()
    with pytest.raises(ConfigurationError, match="limit"):
        client.run(Graph(), limit=0)


# ----- failures


def test_a_failure_skips_what_depends_on_it_and_nothing_else(client: Any) -> None:
    calc = client.calc
    graph = Graph()
    broken = graph.add(calc.fail.s("KeyError", "here"))
    skipped = graph.add(calc.echo.s(), after=broken)
    apart = graph.add(calc.add.s(1, 1))
    last = graph.add(calc.echo.s(), after=[skipped, apart])
    run = client.run(graph)
    with pytest.raises(KeyError, match="here") as caught:
        run.get(timeout=30)
    wait_until(lambda: run.done)
    assert [run.state(step) for step in (broken, skipped, apart, last)] == [
        StepState.FAILURE, StepState.SKIPPED, StepState.SUCCESS, StepState.SKIPPED,
    ]  # fmt: skip
    assert caught.value.task_id == run.result(broken).id  # type: ignore[attr-defined]
    assert "calc.py" in caught.value.remote_traceback  # type: ignore[attr-defined]
    assert run.result(apart).get(timeout=30) == 2
    assert run.status().failed == 1


def test_the_failure_of_a_header_is_the_chords(client: Any) -> None:
    calc = client.calc
    result = (group(calc.add.s(1, 1), calc.fail.s("LookupError")) | calc.total.s()).delay()
    with pytest.raises(LookupError):
        result.get(timeout=30)
    assert result.failed()


def test_a_result_too_large_fails_the_step_that_takes_it() -> None:
    with in_memory({"calc": app}, max_payload=1_000) as client:
        calc = client.calc
        header = [calc.mul.s("x", 600), calc.mul.s("y", 600)]
        with pytest.raises(PayloadTooLarge, match=r"calc.echo are 1,2\d\d bytes"):
            chord(header, calc.echo.s()).delay().get(timeout=30)


def test_an_errback_is_called_once(client: Any, tmp_path: Any) -> None:
    calc = client.calc
    log = tmp_path / "log"
    flow = group(calc.fail.s(), calc.fail.s("KeyError")) | calc.total.s()
    flow = flow.on_error(calc.note.s(str(log)))
    result = flow.delay()
    with pytest.raises(Exception, match="as asked"):
        result.get(timeout=30)
    wait_until(lambda: log.exists() and log.read_text().endswith("\n"))
    client.calc.add(1, 1)  # the errback's place in the queue was before
    assert len(log.read_text().splitlines()) == 1


def test_an_unsent_step_is_sent_again_by_its_policy() -> None:
    with in_memory({"calc": app}, max_in_flight=1) as client:
        calc = client.calc
        graph = Graph()
        for _ in range(3):  # more at once than the client allows
            graph.add(calc.sleep.s(0.02), retry=Retry(attempts=None, backoff=0.01))
        assert client.run(graph).get(timeout=30) == [0.02] * 3


# ----- time


def test_a_step_ends_by_its_own_deadline(client: Any, gate: Gate) -> None:
    graph = Graph()
    slow = graph.add(client.calc.hold.s(gate.path), timeout=0.05)
    run = client.run(graph)
    with pytest.raises(DeadlineExceeded, match=r"step 0 \(calc.hold on calc\).*0.05 s"):
        run.get(timeout=30)
    assert run.state(slow) is StepState.FAILURE


def test_a_run_ends_by_its_deadline(client: Any, gate: Gate) -> None:
    graph = Graph()
    slow = graph.add(client.calc.hold.s(gate.path))
    after = graph.add(client.calc.echo.s(), after=slow)
    run = client.run(graph, timeout=0.05)
    with pytest.raises(DeadlineExceeded):
        run.get(timeout=30)
    assert {run.state(slow), run.state(after)} == {StepState.FAILURE}


def test_a_cancelled_run_sends_nothing_more(client: Any, gate: Gate) -> None:
    calc = client.calc
    graph = Graph()
    slow = graph.add(calc.hold.s(gate.path))
    after = graph.add(calc.echo.s(), after=slow)
    run = client.run(graph)
    status = run.cancel()
    assert status.cancelled == 2
    with pytest.raises(CallCancelled):
        run.get(timeout=30)
    with pytest.raises(CallCancelled, match=r"calc\.echo"):
        run.result(after).get(timeout=30)


def test_a_limit_bounds_what_is_under_way(client: Any) -> None:
    graph = Graph()
    for number in range(50):
        graph.add(client.calc.add.s(number, 0))
    most = 0

    def watch(step: Step, state: StepState) -> None:
        nonlocal most
        most = max(most, run.status().sent if state is StepState.SENT and ready else 0)

    ready: list[int] = []
    run = client.run(graph, limit=3, on_change=watch)
    ready.append(1)
    assert run.get(timeout=30) == [*range(50)]
    assert 0 < most <= 3


def test_every_change_is_told(client: Any) -> None:
    graph = Graph()
    step = graph.add(client.calc.add.s(1, 1))
    heard: list[Any] = []
    run = client.run(graph, on_change=lambda step, state: heard.append((step, state)))
    run.get(timeout=30)
    assert heard == [(step, StepState.SENT), (step, StepState.SUCCESS)]
    assert repr(run).endswith("1 of 1 steps have ended>")


# ----- explain


def test_a_plan_says_what_goes_where(client: Any) -> None:
    calc = client.calc
    flow = calc.add.s(1, 1) | group(calc.mul.s(2), calc.mul.s(3)) | calc.total.s()
    before = sent(client)
    plan = flow.explain()
    assert plan.problem is None
    assert [(step.task, list(step.after), step.sent_by) for step in plan.steps] == [
        ("calc.add", [], "client"),
        ("calc.mul", [0], "client"),
        ("calc.mul", [0], "client"),
        ("calc.total", [1, 2], "client"),
    ]
    assert plan.steps[0].workers == {"calc@memory"}
    assert "calc.total on calc after 1, 2" in str(plan)
    assert sent(client) == before


def test_a_short_chain_is_sent_on_by_workers(client: Any) -> None:
    plan = (client.calc.add.s(1, 1) | client.calc.mul.s(2)).explain()
    assert [step.sent_by for step in plan.steps] == ["client", "worker"]


def test_a_plan_names_the_first_problem(client: Any) -> None:
    flow = client.calc.add.s(1, 1) | client.calc.mul.s(2).set(routing_key="nowhere")
    plan = flow.explain()
    assert plan.problem is not None
    assert "nowhere" in plan.problem
    assert "cannot run" in str(plan)


# ----- the state as a value


def test_the_state_of_a_run_is_json(client: Any) -> None:
    calc = client.calc
    graph = Graph()
    one = graph.add(calc.add.s(1, 1))
    graph.add(calc.mul.s(), after={"x": one, "y": graph.add(calc.fail.s("KeyError"))})
    run = client.run(graph)
    wait_until(lambda: run.done)
    state = json.loads(json.dumps(run.snapshot()))
    assert [each["state"] for each in state["nodes"]] == ["SUCCESS", "FAILURE", "SKIPPED"]
    assert state["nodes"][0]["value"] == 2
    assert state["nodes"][1]["error"]["type"] == "KeyError"
    assert state["nodes"][2]["after"] == [0, 1]
    assert state["nodes"][0]["task"] == "calc.add"
