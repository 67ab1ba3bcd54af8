"""Shapes that other orchestrators were built for (OVHcloud on celery-dyrygent, and the issues)."""

from typing import Any

from hypothesis import given, settings

from celery_rpc import chain, group
from tests.canvases import Part, canvas_of, canvases, value_of
from tests.profiles import examples

WAIT = 60.0


def test_five_chords_in_a_chain(client: Any) -> None:
    """57 tasks (celery issue 5000): a task, then five times ten tasks and one that joins them."""
    mix = client.calc.mix
    flow = mix.s(1)
    for _ in range(5):
        flow = flow | group(mix.s(n) for n in range(10)) | mix.s(7)
    flow = flow | mix.s(2)
    assert len(flow.graph().steps) == 57
    stage = Part("group", parts=tuple(Part("task", (n,)) for n in range(10)))
    parts = [Part("task", (1,)), *[stage, Part("task", (7,))] * 5, Part("task", (2,))]
    assert flow.delay().get(timeout=WAIT) == value_of(Part("chain", parts=tuple(parts)))


def test_the_nested_graph(client: Any) -> None:
    """23 tasks: group(group(group, chain) | noop | group | noop, chain) | noop."""
    mix, noop = client.calc.mix, client.other.calc.echo
    inner = group(
        group(mix.s(n) for n in range(4)),
        chain(mix.s(n) for n in range(4)),
    )
    nested = inner | noop.s() | group(mix.s(n) for n in range(5)) | noop.s()
    flow = group(nested, chain(mix.s(n) for n in range(7))) | noop.s()
    assert len(flow.graph().steps) == 23
    assert flow.delay().get(timeout=WAIT) == [*local_value()]


def local_value() -> Any:
    def task(number: int) -> Part:
        return Part("task", (number,))

    line = Part("chain", parts=tuple(task(n) for n in range(4)))
    inner = value_of(Part("group", parts=(*(task(n) for n in range(4)), line)))
    yield value_of(Part("group", parts=tuple(task(n) for n in range(5))), inner)
    yield value_of(Part("chain", parts=tuple(task(n) for n in range(7))))


def test_chords_piped_into_chords(client: Any) -> None:
    """Exponential in Celery up to 5.6: task | group | task | group ... (celery issue 5327)."""
    mix = client.calc.mix
    flow, parts = mix.s(1), [Part("task", (1,))]
    for _ in range(12):
        flow = flow | group(mix.s(2), mix.s(3), mix.s(4)) | mix.s(5)
        parts.append(Part("group", parts=tuple(Part("task", (n,)) for n in (2, 3, 4))))
        parts.append(Part("task", (5,)))
    assert flow.delay().get(timeout=WAIT) == value_of(Part("chain", parts=tuple(parts)))


@settings(max_examples=examples(15))
@given(part=canvases(stock=True))
def test_random_canvases(client: Any, part: Part) -> None:
    assert canvas_of(part, client.calc.mix).delay().get(timeout=WAIT) == value_of(part)
