"""What canvases mean: the same as a pure evaluation of them."""

from typing import Any

from hypothesis import example, given, settings

import celery_rpc
from tests.canvases import NOTHING, Part, canvas_of, canvases, value_of
from tests.profiles import examples

TASK = Part("task", (1,))
PAIR = Part("group", parts=(TASK, Part("task", (2,))))


def given_by(canvas: Any) -> Any:
    """Return the value of a canvas."""
    reply = canvas.delay()
    return NOTHING if reply is None else reply.get(timeout=30)


@settings(max_examples=examples(300))
@given(part=canvases())
@example(part=Part("chain", parts=(PAIR, PAIR, PAIR)))
@example(part=Part("chord", parts=(PAIR, PAIR)))
@example(part=Part("group", parts=(Part("chain", parts=(TASK, PAIR)), TASK)))
def test_a_canvas_gives_what_it_means(client: Any, part: Part) -> None:
    assert given_by(canvas_of(part, client.calc.mix)) == value_of(part)


@settings(max_examples=examples(100))
@given(part=canvases(), before=canvases())
def test_a_canvas_takes_what_came_before(client: Any, part: Part, before: Part) -> None:
    mix = client.calc.mix
    flow = celery_rpc.chain(canvas_of(before, mix), canvas_of(part, mix))
    assert given_by(flow) == value_of(Part("chain", parts=(before, part)))


@settings(max_examples=examples(200))
@given(part=canvases(stock=True))
def test_parts_made_by_celery_mean_the_same(client: Any, part: Part) -> None:
    assert given_by(canvas_of(part, client.calc.mix)) == value_of(part)
