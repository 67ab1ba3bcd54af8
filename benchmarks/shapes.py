"""Shapes: the canvases that are measured, built alike for both sides."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import celery
from celery import Celery

import celery_rpc
from benchmarks.servers import QUEUE
from celery_rpc.canvas import Graph
from tests.workers.calc import weight


class Side(Protocol):
    """Whose signatures and canvases."""

    chain: Any
    chord: Any

    def sign(self, task: str, *args: Any, immutable: bool = False) -> Any: ...


class Ours:
    """Signatures of a client of ours."""

    chain, chord = celery_rpc.chain, celery_rpc.chord

    def __init__(self, client: Any) -> None:
        self.client = client

    def sign(self, task: str, *args: Any, immutable: bool = False) -> Any:
        proxy = getattr(self.client[QUEUE], task)
        return proxy.si(*args) if immutable else proxy.s(*args)


class Stock:
    """Signatures of a stock app."""

    chain, chord = celery.chain, celery.chord

    def __init__(self, app: Celery, queue: str) -> None:
        self.app = app
        self.queue = queue

    def sign(self, task: str, *args: Any, immutable: bool = False) -> Any:
        return self.app.signature(
            f"{QUEUE}.{task}", args=args, immutable=immutable, options={"queue": self.queue}
        )


@dataclass(frozen=True, slots=True)
class Shape:
    """A canvas: how many tasks it has, how it is built, and what it gives."""

    name: str
    tasks: int
    build: Callable[[Side], Any]
    value: Any
    #: Stock Celery has it too.
    stock: bool = True

    @property
    def kind(self) -> str:
        """Its name without the numbers."""
        return " ".join(word for word in self.name.split() if not word[0].isdigit())


def chord(size: int) -> Shape:
    """Return so many tasks, and one with their results."""
    return Shape(f"chord {size:,}", size + 1, lambda side: one_chord(side, size), 2 * size)


def one_chord(side: Side, size: int) -> Any:
    header = [side.sign("add", 1, 1, immutable=True) for _ in range(size)]
    return side.chord(header, side.sign("total"))


def chain(size: int) -> Shape:
    """Return so many tasks one after the other."""

    def build(side: Side) -> Any:
        return side.chain(
            side.sign("add", 0, 1), *(side.sign("add", 1) for _ in range(size - 1))
        )  # fmt: skip

    return Shape(f"chain {size:,}", size, build, size)


def chords(count: int, size: int) -> Shape:
    """Return chords one after the other."""

    def build(side: Side) -> Any:
        return side.chain(*(one_chord(side, size) for _ in range(count)))

    return Shape(f"{count:,} chords of {size:,}", count * (size + 1), build, 2 * size)


def dag(size: int) -> Shape:
    """Return steps of which each waits for up to three that came before; ours alone has it."""
    parents = edges(size)
    values: list[int] = []
    for number, before in enumerate(parents):
        values.append(weight([[values[each] for each in before], number]))

    def build(side: Side) -> Any:
        graph, steps = Graph(), list[Any]()
        for number, before in enumerate(parents):
            after = [steps[each] for each in before]
            steps.append(graph.add(side.sign("mix", number), after=after))
        graph.end = graph.join(steps)
        return graph

    return Shape(f"random DAG {size:,}", size, build, values, stock=False)


def edges(size: int) -> list[list[int]]:
    """Return whom each step waits for: the same in every run."""
    choice = random.Random(size)
    return [
        choice.sample(range(number), min(number, choice.randint(0, 3))) for number in range(size)
    ]
