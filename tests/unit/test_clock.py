"""Clock: rings in time, keeps nothing of what was cancelled, and not for long that it was there."""

import weakref
from collections.abc import Iterator
from threading import Event

import pytest

from celery_rpc.support.timers import FEW, Clock

pytestmark = pytest.mark.watchdog(30)


@pytest.fixture
def clock() -> Iterator[Clock]:
    made = Clock()
    yield made
    made.close()


class Thing:
    """Something that a callback holds."""

    def ring(self) -> None:
        raise AssertionError("it was cancelled")


def test_alarms_ring_in_the_order_of_their_times(clock: Clock) -> None:
    rung, last = [], Event()
    for seconds in (0.2, 0.0, 0.1):
        clock.after(seconds, lambda seconds=seconds: rung.append(seconds))  # type: ignore[misc]
    clock.after(0.3, last.set)
    assert last.wait(10)
    assert rung == [0.0, 0.1, 0.2]


def test_what_was_cancelled_is_let_go_of_at_once(clock: Clock) -> None:
    thing = Thing()
    seen = weakref.ref(thing)
    clock.after(3600, thing.ring).cancel()
    del thing
    assert seen() is None


def test_cancelled_alarms_are_dropped_when_they_are_the_most(clock: Clock) -> None:
    rung = Event()
    clock.after(0.5, rung.set)
    for _ in range(100 * FEW):
        clock.after(3600, Thing().ring).cancel()
        assert len(clock) <= 2 * FEW
    assert rung.wait(10)


def test_an_alarm_may_be_cancelled_twice_and_by_its_own_call(clock: Clock) -> None:
    rung = Event()

    def ring() -> None:
        alarm.cancel()
        alarm.cancel()
        rung.set()

    alarm = clock.after(0.1, ring)
    assert rung.wait(10)
    assert len(clock) == 0


def test_what_is_left_rings_at_the_end() -> None:
    clock, rung = Clock(), []
    clock.after(3600, lambda: rung.append("late"))
    clock.after(1800, lambda: rung.append("early"))
    clock.after(1, Thing().ring).cancel()
    clock.close()
    assert rung == ["early", "late"]
