"""Event loops: a crowd of calls leaves others their turn, and nothing keeps a loop that ended."""

import asyncio
import gc
import weakref
from itertools import pairwise
from threading import Thread
from typing import Any

from celery_rpc.calls import event_loops
from celery_rpc.calls.pending import Outcome, Pending
from celery_rpc.support.deadline import NEVER
from celery_rpc.testing.memory import in_memory
from tests.workers import calc

CROWD = 10_000


def test_R27_ten_thousand_calls_begin_a_few_in_each_round_of_the_loop() -> None:
    with in_memory({"calc": calc.app}) as client:
        transport: Any = client.caller.transport
        assert client.calc.add(1, 1) == 2
        rounds: list[int] = []

        async def tick() -> None:
            while True:
                rounds.append(transport.messages)
                await asyncio.sleep(0)

        async def main() -> Any:
            ticker = asyncio.create_task(tick())
            values = await asyncio.gather(*(client.calc.add.aio(n, n) for n in range(CROWD)))
            ticker.cancel()
            return values

        assert asyncio.run(main()) == [2 * n for n in range(CROWD)]
    begun = [after - before for before, after in pairwise(rounds)]
    assert sum(begun) == CROWD
    assert 0 < max(begun) <= event_loops.ROUND


def test_calls_that_are_given_up_before_their_turn_leave_no_gap() -> None:
    begun: list[int] = []

    async def call(number: int) -> None:
        await event_loops.turn()
        begun.append(number)

    async def main() -> None:
        tasks = [asyncio.create_task(call(number)) for number in range(4 * event_loops.ROUND)]
        await asyncio.sleep(0)
        for task in tasks[event_loops.ROUND : 3 * event_loops.ROUND]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(main())
    size = event_loops.ROUND
    assert begun == [*range(size), *range(3 * size, 4 * size)]


def test_replies_of_a_crowd_wake_a_few_in_each_round_of_the_loop() -> None:
    pendings = [Pending(str(number)) for number in range(CROWD)]
    rounds: list[int] = []
    ended = 0

    async def wait_for(pending: Pending) -> None:
        nonlocal ended
        await event_loops.outcome_of(pending, NEVER)
        ended += 1

    async def tick() -> None:
        while True:
            rounds.append(ended)
            await asyncio.sleep(0)

    def resolve() -> None:
        for pending in pendings:
            pending.resolve(Outcome("SUCCESS"))

    async def main() -> None:
        ticker = asyncio.create_task(tick())
        tasks = [asyncio.create_task(wait_for(each)) for each in pendings]
        await asyncio.sleep(0)
        reader = Thread(target=resolve)
        reader.start()
        await asyncio.gather(*tasks)
        reader.join()
        ticker.cancel()

    asyncio.run(main())
    woken = [after - before for before, after in pairwise(rounds)]
    assert ended == CROWD
    # While the reader's thread goes on it may wake the loop twice in a round.
    assert max(woken) <= 2 * event_loops.ROUND


def test_a_loop_that_ended_is_not_kept() -> None:
    async def main() -> "weakref.ref[asyncio.AbstractEventLoop]":
        loop = asyncio.get_running_loop()
        pending = Pending("id")
        loop.call_soon(pending.resolve, Outcome("SUCCESS"))
        await event_loops.turn()
        await event_loops.outcome_of(pending, NEVER)
        return weakref.ref(loop)

    ended = asyncio.run(main())
    gc.collect()
    assert ended() is None
