"""An exception at any line of what a thread does harms no other thread's calls."""

import asyncio
import gc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from celery_rpc.transport.amqp.outbound import FREIGHT
from tests.faults.conftest import Connect
from tests.faults.test_turns import warm
from tests.servers import wait_until
from tests.unit.interruptions import broken_off

pytestmark = [
    pytest.mark.usefixtures("worker"),
    pytest.mark.watchdog(400),
    # What strikes in __del__ is passed to sys.unraisablehook.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

#: Seconds that each call has.
PATIENCE = 20.0

LARGE = "x" * (FREIGHT + 1)

#: What is broken off.
ACTS: dict[str, Callable[[Any], object]] = {
    "call": lambda calc: calc.add(3, 4),
    "delay": lambda calc: calc.add.delay(3, 4).get(timeout=PATIENCE),
    "batch": lambda calc: [each.get() for each in calc.add.batch([(1, 1), (2, 2)])],
    "aio": lambda calc: asyncio.run(awaited(calc)),
    "large": lambda calc: calc.echo(LARGE),
    "cancel": lambda calc: calc.add.delay(3, 4).cancel(timeout=0.0),
}


async def awaited(calc: Any) -> int:
    """Await a call."""
    value: int = await calc.add.aio(3, 4)
    return value


def use(calc: Any, number: int) -> list[Any]:
    """Call in some ways."""
    return [calc.add(number, 1), calc.add.delay(number, 2).get(timeout=PATIENCE)]


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_others_call_wherever_a_thread_is_struck(
    linked: Connect, act: Callable[[Any], object]
) -> None:
    client = linked(timeout=PATIENCE)
    calc = client.calc
    warm(client)
    numbers = 0
    with ThreadPoolExecutor(1) as other:
        for number in broken_off(lambda: act(calc), "line"):
            found = other.submit(use, calc, number).result(timeout=2 * PATIENCE)
            assert found == [number + 1, number + 2], number
            numbers = number
    assert numbers > 100
    gc.collect()  # frames of the exceptions keep what was called there
    wait_until(lambda: client.status()["pending"] == 0, what="no call that is left")
