"""Rounds: both sides in turns, so that what else the machine does hurts both alike."""

import gc
from collections.abc import Callable
from time import perf_counter, process_time
from typing import TypeVar

T = TypeVar("T")


def alternate(
    ours: Callable[[], T], stock: Callable[[], T], rounds: int
) -> tuple[list[T], list[T]]:
    """Run both so many times; every other round begins with the other side."""
    results: tuple[list[T], list[T]] = ([], [])
    sides = ((ours, results[0]), (stock, results[1]))
    for number in range(rounds):
        for run, into in sides if number % 2 == 0 else reversed(sides):
            gc.collect()
            into.append(run())
    return results


def timed(run: Callable[[], object]) -> float:
    """Return the seconds that something takes."""
    begin = perf_counter()
    run()
    return perf_counter() - begin


def timed_with_cpu(run: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds that something takes, and this process's CPU seconds, all threads'."""
    cpu = process_time()
    wall = timed(run)
    return wall, process_time() - cpu
