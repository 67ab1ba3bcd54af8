"""Tasks that replace themselves (``Task.replace``): what comes of them, by stock workers."""

import asyncio
from collections.abc import Callable
from typing import Any

import celery
import pytest

import celery_rpc
from celery_rpc import DeadlineExceeded, Graph

WAIT = 60.0


@pytest.fixture(params=["ours", "celery"])
def classes(request: pytest.FixtureRequest) -> Any:
    """The module that chain, group and chord are from."""
    return celery_rpc if request.param == "ours" else celery


Canvases = dict[str, tuple[Callable[[Any, Any, Any], Any], Any]]

#: Canvases in which something follows the task, and no list is taken: canvas, and value.
FOLLOWED: Canvases = {
    "middle of a chain": (lambda m, c, r: m.chain(c.add.s(1, 1), r.s(2), c.add.s(3)), 7),
    "first of a chain": (lambda m, c, r: m.chain(r.s(1, 1), c.add.s(3)), 5),
    "several": (lambda m, c, r: m.chain(r.s(1, 1), r.s(2), r.s(3), c.add.s(3)), 10),
    "before a group": (
        lambda m, c, r: m.chain(c.add.s(1, 1), r.s(2), m.group([c.add.s(1), c.add.s(2)])),
        [5, 6],
    ),
    "chain, then a group": (
        lambda m, c, r: (
            m.chain(c.add.s(1, 1), r.s(2), c.add.s(3)) | m.group([c.add.s(1), c.add.s(2)])
        ),
        [8, 9],
    ),
    "group of chains": (
        lambda m, c, r: m.group([m.chain(r.s(1, 1), c.add.s(1)), m.chain(r.s(2, 2), c.add.s(1))]),
        [3, 5],
    ),
    "fork in a fork": (
        lambda m, c, r: m.chain(
            r.s(1, 1), m.group([m.chain(r.s(1), m.group([c.add.s(1), c.add.s(2)])), c.add.s(3)])
        ),
        [[4, 5], 5],
    ),
}

#: Canvases for which the client has to know that the task replaces itself.
MARKED: Canvases = {
    "alone": (lambda m, c, r: r.s(1, 1), 2),
    "last of a chain": (lambda m, c, r: m.chain(c.add.s(1, 1), r.s(2)), 4),
    "group": (lambda m, c, r: m.group([r.s(1, 1), c.add.s(2, 2), r.s(3, 3)]), [2, 4, 6]),
    "header": (lambda m, c, r: m.chord([r.s(1, 1), c.add.s(2, 2)], c.total.s()), 6),
    "body": (lambda m, c, r: m.chord([c.total.si([1])], m.chain(c.total.s(), r.s(2))), 3),
    "middle of a body": (
        lambda m, c, r: m.chord([c.add.s(1, 1)], m.chain(c.total.s(), r.s(2), c.add.s(1))),
        5,
    ),
    "chain in a header": (
        lambda m, c, r: m.chord([m.chain(c.add.s(1, 1), r.s(2), c.add.s(3))], c.total.s()),
        7,
    ),
    "end of a fork": (
        lambda m, c, r: m.chain(c.add.s(1, 1), m.group([r.s(1), m.chain(c.add.s(2), r.s(3))])),
        [3, 7],
    ),
    "long chain": (
        lambda m, c, r: m.chain(r.s(0, 0), *[c.add.s(1) for _ in range(20)], r.s(1)),
        21,
    ),
}


@pytest.mark.parametrize("kind", FOLLOWED)
def test_what_follows_a_task_that_replaces_itself_comes(
    client: Any, classes: Any, kind: str
) -> None:
    make, value = FOLLOWED[kind]
    assert make(classes, client.calc, client.calc.replaced).delay().get(timeout=WAIT) == value


@pytest.mark.parametrize("kind", FOLLOWED)
def test_what_follows_a_task_that_replaces_itself_is_awaited(client: Any, kind: str) -> None:
    make, value = FOLLOWED[kind]
    canvas = make(celery_rpc, client.calc, client.calc.replaced)
    assert asyncio.run(asyncio.wait_for(canvas.aio(), WAIT)) == value


@pytest.mark.parametrize("kind", FOLLOWED | MARKED)
def test_a_task_that_is_marked_answers_everywhere(client: Any, classes: Any, kind: str) -> None:
    make, value = (FOLLOWED | MARKED)[kind]
    replaced = client.calc.replaced.options(replaces=True)
    result = make(classes, client.calc, replaced).delay()
    assert result.get(timeout=WAIT) == value
    parent = result.parent
    if parent is not None:
        parent.get(timeout=WAIT)


@pytest.mark.parametrize("kind", FOLLOWED | MARKED)
def test_a_run_gets_the_value_of_a_task_that_is_marked(client: Any, kind: str) -> None:
    make, value = (FOLLOWED | MARKED)[kind]
    canvas = make(celery_rpc, client.calc, client.calc.replaced.options(replaces=True))
    assert client.run(Graph.from_canvas(canvas)).get(timeout=WAIT) == value


def test_a_call_of_a_task_that_is_marked_answers(client: Any) -> None:
    replaced = client.calc.replaced.options(replaces=True)
    assert replaced(1, 1) == 2
    assert replaced.delay(1, 1).get(timeout=WAIT) == 2
    assert asyncio.run(replaced.aio(1, 1)) == 2
    assert [each.get(timeout=WAIT) for each in replaced.batch([(1, 1), (2, 2)])] == [2, 4]
    assert client.calc.replaced_by_chain.options(replaces=True)(1, 2) == 6
    assert client.calc.add.options(replaces=True)(1, 1) == 2


def test_what_a_task_was_replaced_by_may_fail(client: Any) -> None:
    failing = client.calc.replaced_by_failure.options(replaces=True)
    with pytest.raises(ValueError, match="as asked"):
        failing()
    with pytest.raises(ValueError, match="as asked"):
        celery_rpc.chord([failing.si(), client.calc.add.si(1, 1)], client.calc.total.s())().get(
            timeout=WAIT
        )


def test_callbacks_get_the_value_of_what_a_task_was_replaced_by(client: Any) -> None:
    replaced = client.calc.replaced.options(replaces=True).s(1, 1)
    replaced.link(client.calc.mul.s(10))
    assert [child.get(timeout=WAIT) for child in replaced.delay().children] == [20]


def test_what_sends_the_value_on_is_no_child(client: Any) -> None:
    reply = client.calc.add.options(replaces=True).delay(1, 1)
    assert reply.get(timeout=WAIT) == 2
    assert reply.children == []


#: Canvases that wait for a task that does not answer, the step that it is.
UNANSWERED: dict[str, tuple[Callable[[Any, Any, Any], Any], int]] = {
    "header": (lambda m, c, t: m.chord([c.add.si(1, 1), t], c.total.s()), 1),
    "chain": (lambda m, c, t: m.chain(c.add.si(1, 1), t), 1),
    "long chain": (lambda m, c, t: m.chain(c.add.si(1, 1), t, *[c.add.s(1)] * 20), 1),
}


@pytest.fixture
def silent(client: Any, backend: str) -> Any:
    """A task that never answers; with results in Redis, replaced ones do."""
    return client.calc.replaced.si(1, 1) if backend == "rpc://" else client.calc.unanswered.si()


@pytest.mark.parametrize("kind", UNANSWERED)
def test_the_error_says_which_step_has_not_answered_and_why_that_may_be(
    client: Any, silent: Any, classes: Any, kind: str
) -> None:
    make, place = UNANSWERED[kind]
    result = make(classes, client.calc, silent).delay()
    with pytest.raises(DeadlineExceeded, match="replaced itself or ignored its result") as caught:
        result.get(timeout=1.0)
    if classes is celery_rpc and kind != "chain":
        assert f"step {place} ({silent.task} on calc)" in str(caught.value)
        assert f"step {place} " in caught.value.hint


def test_the_error_of_a_run_says_which_step_has_not_answered(client: Any, silent: Any) -> None:
    graph = Graph.from_canvas(UNANSWERED["header"][0](celery_rpc, client.calc, silent))
    run = client.run(graph)
    with pytest.raises(DeadlineExceeded, match=r"step 1 .* may .* have replaced itself"):
        run.get(timeout=1.0)
    run.cancel()
    with pytest.raises(DeadlineExceeded, match=r"no answer had come from step 1 "):
        client.run(graph, timeout=1.0).get(timeout=WAIT)


def test_the_error_of_a_call_says_that_it_may_have_replaced_itself(
    client: Any, silent: Any
) -> None:
    task = client.calc[silent.task]
    with pytest.raises(DeadlineExceeded, match=r"no worker that answers has it.*replaced itself"):
        task.options(timeout=3.0)(*silent.args)
    with pytest.raises(DeadlineExceeded, match="replaced itself or ignored its result"):
        task.delay(*silent.args).get(timeout=0.5)
