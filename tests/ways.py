"""The ways in which a client is used: what each does with a client of tests.workers.calc."""

import asyncio
from collections.abc import Callable
from typing import Any

from celery_rpc import RpcError, group

#: Seconds within which each way ends.
PATIENCE = 20.0

#: What comes of each way.
WANTED: dict[str, Any] = {
    "call": 3,
    "delay": 7,
    "batch": [2, 4],
    "aio": [0, 2, 4, 6, 8],
    "group": [2, 4],
    "chain": 4,
    "failure": "RemoteKeyError: 'as asked'",
    "failure of delay": "RemoteKeyError: 'as asked'",
    "error of its own": "RemoteError: as asked",
    "deadline": "DeadlineExceeded",
    "cancel": "FLAGGED",
    "discovery": True,
    "check": 3,
}


def ways(client: Any) -> dict[str, Callable[[], Any]]:
    """Return the ways to use a client."""
    calc = client.calc
    return {
        "call": lambda: calc.add(1, 2),
        "delay": lambda: calc.add.delay(3, 4).get(timeout=PATIENCE),
        "batch": lambda: [
            reply.get(timeout=PATIENCE) for reply in calc.add.batch([(1, 1), (2, 2)])
        ],
        "aio": lambda: asyncio.run(gathered(calc)),
        "group": lambda: group(calc.add.s(n, n) for n in (1, 2)).delay().get(timeout=PATIENCE),
        "chain": lambda: (calc.add.s(1, 1) | calc.add.s(2)).delay().get(timeout=PATIENCE),
        "failure": lambda: error_of(lambda: calc.fail("KeyError")),
        "failure of delay": lambda: error_of(
            lambda: calc.fail.delay("KeyError").get(timeout=PATIENCE)
        ),
        "error of its own": lambda: error_of(lambda: calc.fail("CalcError")),
        "deadline": lambda: error_of(lambda: calc.sleep.options(timeout=0.2)(0.4)).split(":")[0],
        "cancel": lambda: calc.add.options(countdown=60).delay(1, 1).cancel().name,
        "discovery": lambda: "calc" in client.refresh(),
        "check": lambda: calc.add.options(check="consumers")(1, 2),
    }


async def gathered(calc: Any) -> list[int]:
    """Return the values of some calls at once."""
    return list(await asyncio.gather(*(calc.add.aio(n, n) for n in range(5))))


def error_of(act: Callable[[], Any]) -> str:
    """Return the error that a call ends with."""
    try:
        return f"no error, but {act()!r}"
    except RpcError as error:
        return f"{type(error).__name__}: {error}"


def outcomes(client: Any) -> dict[str, Any]:
    """Use a client in each way, and return what came of them; errors as text."""
    found: dict[str, Any] = {}
    for name, way in ways(client).items():
        try:
            found[name] = way()
        except Exception as error:
            found[name] = repr(error)
    return found
