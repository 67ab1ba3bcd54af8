"""Scenes: what the demo shows; each is run as it stands here, and checked."""

import asyncio
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from textwrap import dedent
from typing import Any

from celery_rpc import group
from celery_rpc.cli.demo.examples import example
from celery_rpc.errors import DeadlineExceeded, NoSuchTask, RemoteError

Play = Callable[[Any], Any]
Check = Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class Scene:
    """A few lines of Python, and how their result has to look."""

    title: str
    play: Play
    check: Check

    @property
    def code(self) -> str:
        """The lines of the function's body as a Python prompt takes them."""
        lines = inspect.getsource(self.play).splitlines()
        start = next(n for n, line in enumerate(lines) if line.startswith(("def ", "async def ")))
        return dedent("\n".join(lines[start + 2 :])).replace("return ", "")

    def run(self, client: Any) -> Any:
        """Run it; an exception is a result like any other."""
        try:
            result = self.play(client)
            return asyncio.run(result) if inspect.iscoroutine(result) else result
        except Exception as error:
            return error


SCENES: list[Scene] = []


def scene(check: Check) -> Callable[[Play], Play]:
    """Put a function on the programme: its docstring is the title, its body is shown."""

    def add(play: Play) -> Play:
        SCENES.append(Scene((play.__doc__ or "").rstrip("."), play, check))
        return play

    return add


@scene(lambda result: result == 2)
def value(client: Any) -> Any:
    """A task is called like a local function."""
    return client.billing.add(1, 1)


@scene(lambda error: isinstance(error, RemoteError) and error.type.endswith("ZeroDivisionError"))
def exception(client: Any) -> Any:
    """What it raises there can be caught here, as what it is."""
    try:
        return client.billing.divide(1, 0)
    except ZeroDivisionError as error:
        return error


@scene(lambda error: isinstance(error, DeadlineExceeded))
def timeout(client: Any) -> Any:
    """A call ends in time, whatever the service does."""
    try:
        return client.mail.slow.options(timeout=0.2)(1)
    except TimeoutError as error:
        return error


@scene(lambda error: isinstance(error, NoSuchTask) and "add" in error.near)
def wrong_name(client: Any) -> Any:
    """A wrong name is told before anything is sent, with those that are near."""
    try:
        return client.billing.ad(1, 1)
    except AttributeError as error:
        return error


@scene(lambda result: result == sum(n * n for n in range(100)))
async def gather(client: Any) -> Any:
    """A hundred calls at once, awaited in asyncio by the same client."""
    calls = [client.billing.mul.aio(n, n) for n in range(100)]
    return sum(await asyncio.gather(*calls))


@scene(lambda result: result == ([1, 2, 3, 4, 5], "film.mp4"))
def progress(client: Any) -> Any:
    """A reply tells how far its task is, and has the value in the end."""
    reply = client.media.transcode.delay("film.mov", steps=5)
    updates = [(update.state, update.meta) for update in reply.updates()]
    done = [meta["done"] for state, meta in updates if state == "PROGRESS"]
    return done, reply.get()["url"]


@scene(lambda result: result == 3 * 250)
def chain(client: Any) -> Any:
    """Celery's canvas, over two services: each step finds its own queue."""
    flow = client.inventory.stock.s("desk") | client.billing.mul.s(250)
    return flow.delay().get(timeout=30)


@scene(lambda result: result == sum(range(100)))
def chord(client: Any) -> Any:
    """A chord, with no result store: over rpc:// stock Celery refuses it."""
    parts = group(client.billing.add.s(n) for n in range(100))
    return (parts | client.billing.total.s()).delay().get(timeout=30)


@scene(lambda notes: [note.split()[0] for note in notes] == ["billing.charge", "inventory.reserve"])
def order(client: Any) -> Any:
    """An order over four services: a step fails, and what came before is undone."""
    orders = example("orders")  # examples/orders.py
    lamp = orders.Order("1001", "alice", "lamp", "50", picture="lamp.txt")
    try:
        return orders.place(client, lamp)
    except RemoteError as error:
        return [note for note in error.__notes__ if "undone" in note]


@scene(lambda result: result == [0, 2, 4, 6, 8])
def batch(client: Any) -> Any:
    """Many calls go out in one piece."""
    replies = client.billing.add.batch([(n, n) for n in range(5)])
    return [reply.get(timeout=30) for reply in replies]
