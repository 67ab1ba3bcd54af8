"""Awaiting: any loop, many at once, and nobody blocks it."""

import asyncio
import time
from typing import Any

import pytest

from celery_rpc import DeadlineExceeded, NoSuchService, NoSuchTask
from tests.limits import METRONOME
from tests.servers import Gate

pytestmark = pytest.mark.usefixtures("worker")


async def ticks_while(awaitable: Any) -> tuple[Any, float]:
    """Await something; return it, and for how long at most it kept the loop from running."""
    longest = 0.0

    async def tick() -> None:
        nonlocal longest
        while True:
            began, lost = time.monotonic(), METRONOME.lost
            await asyncio.sleep(0.01)
            stood_still = time.monotonic() - began - 0.01 - (METRONOME.lost - lost)
            longest = max(longest, stood_still)

    ticker = asyncio.create_task(tick())
    try:
        return await awaitable, longest
    finally:
        ticker.cancel()


def test_aio_gives_the_value(client: Any) -> None:
    async def main() -> int:
        return await client.calc.add.aio(1, 1)  # type: ignore[no-any-return]

    assert asyncio.run(main()) == 2


def test_R28_a_reply_is_awaited_in_one_loop_and_again_in_another(client: Any) -> None:
    reply = client.calc.sleep.delay(0.2)

    async def main() -> float:
        return await reply  # type: ignore[no-any-return]

    assert asyncio.run(main()) == 0.2
    assert asyncio.run(main()) == 0.2
    assert reply.get(timeout=30) == 0.2


def test_R28_a_loop_that_closed_while_a_call_was_pending_hurts_nobody(
    client: Any, gate: Gate
) -> None:
    reply = client.calc.hold.delay(gate.path, 5)

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reply, 0.05)

    asyncio.run(give_up())
    gate.open()
    assert reply.get(timeout=30) == 5
    assert client.calc.add(1, 1) == 2


def test_a_thousand_concurrent_awaits_each_get_their_own_value(client: Any) -> None:
    async def main() -> Any:
        return await asyncio.gather(*(client.calc.add.aio(n, n) for n in range(1000)))

    assert asyncio.run(main()) == [2 * n for n in range(1000)]
    assert client.status()["pending"] == 0


def test_R27_the_loop_is_not_blocked_by_a_slow_call(client: Any, gate: Gate) -> None:
    async def main() -> int:
        call = asyncio.create_task(client.calc.hold.aio(gate.path, 5))
        while not gate.held:
            await asyncio.sleep(0.01)
        assert not call.done()
        gate.open()
        return await call  # type: ignore[no-any-return]

    assert asyncio.run(main()) == 5


def test_the_deadline_holds_for_awaits(client: Any) -> None:
    async def main() -> None:
        await client.calc.sleep.options(timeout=0.3).aio(2.0)

    with pytest.raises(DeadlineExceeded):
        asyncio.run(main())
    assert client.status()["pending"] == 0


def test_R27_a_cancelled_await_leaves_nothing(client: Any, gate: Gate) -> None:
    async def main() -> None:
        task = asyncio.create_task(client.calc.hold.aio(gate.path))
        async with asyncio.timeout(30):
            while not client.status()["pending"]:
                await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert client.status()["pending"] == 0


def test_discovery_does_not_block_the_loop(new_client: Any) -> None:
    client = new_client()

    async def main() -> tuple[int, float]:
        first = await ticks_while(client.calc.add.aio(1, 1))
        assert repr(new_client().calc.add) == "<Unresolved client.calc.add>"
        return first

    value, longest = asyncio.run(main())
    assert value == 2
    assert longest < 0.2


def test_an_unknown_name_is_raised_by_await(new_client: Any) -> None:
    client = new_client(discovery_window=0.4)

    async def main() -> float:
        began = time.monotonic()
        with pytest.raises(NoSuchService):
            await client.nothing.at.all.aio()
        with pytest.raises(NoSuchTask):
            await client.calc.nothing.options(timeout=1).aio()
        return time.monotonic() - began

    _, longest = asyncio.run(ticks_while(main()))
    assert longest < 0.2


def test_a_path_met_in_a_loop_can_be_used_as_any_other(new_client: Any) -> None:
    async def main() -> int:
        client = new_client()
        path = client.calc.add
        return await path.delay(1, 1) + path(1, 1)  # type: ignore[no-any-return]

    assert asyncio.run(main()) == 4


def test_errors_are_raised_by_await(client: Any) -> None:
    async def main() -> None:
        await client.calc.fail.aio("KeyError", "k")

    with pytest.raises(KeyError):
        asyncio.run(main())


def test_updates_can_be_followed_asynchronously(client: Any) -> None:
    async def main() -> list[str]:
        reply = client.calc.progress.delay(3)
        return [update.state async for update in reply.updates(timeout=30)]

    assert asyncio.run(main()).count("PROGRESS") == 3


def test_a_client_is_an_asynchronous_context_manager(new_client: Any) -> None:
    async def main() -> int:
        async with new_client() as client:
            return await client.calc.add.aio(1, 2)  # type: ignore[no-any-return]

    assert asyncio.run(main()) == 3
