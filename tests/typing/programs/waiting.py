"""The same from asyncio."""

import asyncio
from typing import assert_type

from celery_rpc import connect


async def main() -> int:
    async with connect("redis://localhost:6379/0") as client:
        assert_type(await client.billing.add.aio(1, 1), int)
        assert_type(await client.billing.add.delay(1, 1), int)
        assert_type(await client.billing.add.s(1, 1).aio(), int)
        one, ratio = await asyncio.gather(
            client.billing.add.aio(1, 2), client.billing.divide.aio(3, 4)
        )
        assert_type(one, int)
        assert_type(ratio, float)
        await client.billing.add.aio("one", 2)  # wrong: arg-type / reportArgumentType
        return client.billing.add.aio(1, 2)  # wrong: return-value / reportReturnType
