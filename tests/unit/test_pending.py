"""Pending: the first outcome wins, and whoever waits is woken."""

import asyncio
import threading
from functools import partial
from typing import Any

from celery_rpc.calls.event_loops import outcome_of
from celery_rpc.calls.pending import Outcome, Pending, Update
from celery_rpc.calls.updates import Updates
from celery_rpc.support.deadline import NEVER, Deadline
from tests.limits import ends_within
from tests.servers import wait_until
from tests.unit.interruptions import broken_off


def test_the_first_outcome_wins() -> None:
    pending = Pending("i")
    assert pending.resolve(Outcome("SUCCESS", 1))
    assert not pending.resolve(Outcome("SUCCESS", 2))
    assert pending.outcome is not None
    assert pending.outcome.value == 1


def test_many_threads_wait_for_one() -> None:
    pending = Pending("i")
    seen: list[Any] = []
    threads = [
        threading.Thread(target=lambda: seen.append(pending.wait(Deadline.after(10))))
        for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    pending.resolve(Outcome("SUCCESS", 1))
    for thread in threads:
        thread.join(timeout=30)
    assert [outcome.value for outcome in seen] == [1] * 20


def test_a_wait_that_ends_early_leaves_no_callback() -> None:
    pending = Pending("i")
    with ends_within(0.05):
        assert pending.wait(Deadline.after(0.05)) is None
    assert pending._callbacks == []


def test_what_was_broken_off_while_it_woke_others_is_made_up_for() -> None:
    woken: list[int] = []
    pending = Pending("i")

    def prepare() -> None:
        nonlocal pending
        pending = Pending("i")
        woken.clear()
        for number in range(4):
            pending.on_done(partial(woken.append, number))

    prepare()
    for _ in broken_off(lambda: pending.resolve(Outcome("SUCCESS", 1))):
        pending.resolve(Outcome("SUCCESS", 2))
        # Each once; but one that the thread had in its hands when it was struck.
        assert woken == sorted(set(woken))
        assert len(woken) >= 3
        prepare()
    assert woken == [0, 1, 2, 3]


def test_awaits_in_two_loops_at_once() -> None:
    pending = Pending("i")
    values: list[Any] = []

    def run() -> None:
        outcome = asyncio.run(_await(pending))
        values.append(outcome.value)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(pending._callbacks) == 4, what="all to await")
    pending.resolve(Outcome("SUCCESS", 7))
    for thread in threads:
        thread.join(timeout=30)
    assert values == [7] * 4


async def _await(pending: Pending) -> Any:
    return await outcome_of(pending, NEVER)


def test_updates_end_with_the_call_and_miss_none() -> None:
    pending = Pending("i")
    for n in range(5):
        pending.update(Update("PROGRESS", n))
    threading.Timer(0.05, lambda: pending.update(Update("PROGRESS", 5))).start()
    threading.Timer(0.1, lambda: pending.resolve(Outcome("SUCCESS"))).start()
    assert [update.meta for update in Updates(pending, Deadline.after(10))] == [*range(6)]
    assert pending.state == "SUCCESS"
