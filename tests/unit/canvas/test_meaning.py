"""What canvases mean: the same as a pure evaluation of them."""

from typing import Any

from hypothesis import example, given, settings

import celery_rpc
from tests.canvases import Part, canvas_of, canvases, value_of
from tests.profiles import examples

TASK = Part("task", (1,))
PAIR = Part("group", parts=(TASK, Part("task", (2,))))


@settings(max_examples=examples(300))
@given(part=canvases())
@example(part=Part("chain", parts=(PAIR, PAIR, PAIR)))
@example(part=Part("chord", parts=(PAIR, PAIR)))
@example(part=Part("group", parts=(Part("chain", parts=(TASK, PAIR)), TASK)))
def test_a_canvas_gives_what_it_means(client: Any, part: Part) -> None:
    result = canvas_of(part, client.calc.mix).delay()
    assert result.get(timeout=10) == value_of(part)


@settings(max_examples=examples(100))
@given(part=canvases(), before=canvases())
def test_a_canvas_takes_what_came_before(client: Any, part: Part, before: Part) -> None:
    mix = client.calc.mix
    flow = celery_rpc.chain(canvas_of(before, mix), canvas_of(part, mix))
    assert flow.delay().get(timeout=10) == value_of(Part("chain", parts=(before, part)))


@settings(max_examples=examples(200))
@given(part=canvases(stock=True))
def test_parts_made_by_celery_mean_the_same(client: Any, part: Part) -> None:
    result = canvas_of(part, client.calc.mix).delay()
    assert result.get(timeout=10) == value_of(part)
