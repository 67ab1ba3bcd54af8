"""Which tasks the options of a canvas are for."""

from typing import Any

from celery_rpc import chain, chord, group


def options_of(canvas: Any) -> list[tuple[int | None, float | None]]:
    return [(step.options.priority, step.options.countdown) for step in canvas.graph().steps]


def test_those_of_a_group_are_for_each_member(client: Any) -> None:
    echo = client.calc.echo
    pair = group(echo.s(1), echo.s(2)).set(priority=5, countdown=3)
    assert options_of(pair) == [(5, 3), (5, 3)]


def test_those_of_a_group_stay_its_members_in_a_chord(client: Any) -> None:
    echo = client.calc.echo
    flow = group(echo.s(1), echo.s(2)).set(priority=5, countdown=3) | echo.s()
    assert options_of(flow) == [(5, 3), (5, 3), (None, None)]


def test_those_of_a_chain_are_for_its_first_task(client: Any) -> None:
    echo = client.calc.echo
    assert options_of(chain(echo.s(1), echo.s()).set(priority=5)) == [(5, None), (None, None)]


def test_a_countdown_of_a_chord_is_for_its_header(client: Any) -> None:
    echo = client.calc.echo
    flow = chord([echo.s(1), echo.s(2)], echo.s()).set(priority=5, countdown=3)
    assert options_of(flow) == [(5, 3), (5, 3), (5, None)]
