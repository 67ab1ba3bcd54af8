"""Which sweep may answer what, and what a sweep does with whatever workers say."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from celery_rpc.catalog.model import Catalog, Service
from celery_rpc.discovery.fleet import BURST, Fleet
from celery_rpc.errors import ClientClosed, DiscoveryError, Unavailable
from celery_rpc.settings.broker_url import BrokerUrl
from celery_rpc.settings.client_options import ClientOptions
from celery_rpc.support.deadline import Deadline
from celery_rpc.transport.control import Command
from tests.servers import wait_until
from tests.unit.test_fuzz import ANSWERS

pytestmark = pytest.mark.watchdog(50)

Questions = Mapping[str, Command]
Hear = Callable[[str, Any], object]


class Panel:
    """Workers that answer when they are told to.

    Args:
        expected: how many of them the broker counts.
        quick: node -> queue, of those that answer at once.
    """

    def __init__(self, expected: int | None = None, **quick: str) -> None:
        self.expected = expected
        self.quick = quick
        self.asked: list[tuple[Questions, Hear]] = []

    def broadcast(self, commands: Questions, hear: Hear, deadline: Deadline) -> int | None:
        self.asked.append((commands, hear))
        for node, queue in self.quick.items():
            self.answer(len(self.asked) - 1, node, queue)
        return self.expected

    def answer(self, sweep: int, node: str, *queues: str) -> None:
        """Answer all that one sweep asked at first."""
        commands, hear = self.asked[sweep]
        for ticket, command in commands.items():
            registered = command.method == "registered"
            hear(ticket, {node: [f"{q}.task" if registered else {"name": q} for q in queues]})

    def wait_for(self, sweeps: int) -> None:
        wait_until(lambda: len(self.asked) >= sweeps, timeout=20, what=f"{sweeps} sweeps")


def options(window: float) -> ClientOptions:
    return ClientOptions(broker=BrokerUrl.parse("redis://localhost"), discovery_window=window)


@contextmanager
def fleet_of(broadcast: Any, window: float = 30.0) -> Iterator[Fleet]:
    fleet = Fleet(broadcast, lambda commands: None, options(window))
    try:
        yield fleet
    finally:
        with fleet.ending():
            """Nothing is to be closed."""


def seek(queue: str) -> Callable[[Catalog], Service | None]:
    return lambda catalog: catalog.services.get(queue)


def test_a_question_is_not_answered_no_by_a_sweep_that_began_before_it() -> None:
    panel = Panel(expected=1)
    with fleet_of(panel.broadcast) as fleet, ThreadPoolExecutor() as pool:
        early = pool.submit(fleet.find, seek("new"))
        panel.wait_for(1)
        late = pool.submit(fleet.find, seek("new"))
        panel.wait_for(2)
        panel.answer(0, "w", "old")
        assert early.result(20) is None
        assert not late.done()
        panel.answer(1, "w", "old", "new")
        service = late.result(20)
        assert service is not None
        assert service.queue == "new"


def test_a_name_that_was_just_refused_is_looked_for_again() -> None:
    panel = Panel(expected=0)
    with fleet_of(panel.broadcast) as fleet:
        for number in range(3):
            assert fleet.find(seek("new")) is None
            assert len(panel.asked) == number + 1


def test_an_answer_to_an_older_sweep_is_a_yes_all_the_same() -> None:
    panel = Panel()
    with fleet_of(panel.broadcast) as fleet, ThreadPoolExecutor() as pool:
        first = pool.submit(fleet.find, seek("a"))
        panel.wait_for(1)
        second = pool.submit(fleet.find, seek("b"))
        panel.wait_for(2)
        panel.answer(0, "w", "a", "b")
        assert first.result(20)
        assert second.result(20)


def test_names_that_nobody_knows_begin_few_sweeps() -> None:
    panel = Panel(expected=0)
    began = time.monotonic()
    with fleet_of(panel.broadcast) as fleet, ThreadPoolExecutor(20) as pool:
        found = list(pool.map(lambda _: fleet.find(seek("gone")), range(60)))
        assert found == [None] * 60
        assert len(panel.asked) <= BURST + (time.monotonic() - began)


def test_who_asks_before_a_sweep_begins_shares_it() -> None:
    panel = Panel()
    with fleet_of(panel.broadcast) as fleet:
        first = fleet._ask()
        panel.wait_for(1)
        second, third = fleet._ask(paced=True), fleet._ask()
        assert first is not second
        assert second is third


def test_a_worker_that_freezes_right_after_its_first_answer_is_missing_and_then_gone() -> None:
    panel = Panel(frozen="q")
    with fleet_of(panel.broadcast, window=0.4) as fleet:
        assert fleet.find(seek("q"))
        panel.quick.clear()
        # The first sweep goes on; what it was told counts although a newer one has begun.
        catalog = fleet.catalog(fresh=True)
        assert "q" in catalog
        assert catalog.missing == {"frozen"}
        assert catalog.complete is False
        assert "q" not in fleet.catalog(fresh=True)


def test_an_error_is_told_to_each_who_waits_and_is_of_discovery() -> None:
    for error, wanted in (TypeError("odd"), DiscoveryError), (Unavailable("no"), Unavailable):

        def broken(
            commands: Questions, hear: Hear, deadline: Deadline, error: Exception = error
        ) -> int | None:
            raise error

        with fleet_of(broken) as fleet:
            sweep = fleet._ask()
            assert sweep.thread is not None
            sweep.thread.join(20)
            told: list[Exception] = []
            for _ in range(2):
                with pytest.raises(wanted) as caught:
                    fleet._check(sweep)
                told.append(caught.value)
            assert told[0] is not told[1]
            with pytest.raises(wanted):
                fleet.find(seek("q"))


def test_an_interrupted_sweep_says_nothing_and_the_next_one_works() -> None:
    panel = Panel(expected=0)
    struck: list[int] = []

    def broadcast(commands: Questions, hear: Hear, deadline: Deadline) -> int | None:
        if not struck:
            struck.append(1)
            raise KeyboardInterrupt
        return panel.broadcast(commands, hear, deadline)

    with fleet_of(broadcast) as fleet:
        threading.excepthook, before = lambda _: None, threading.excepthook
        try:
            with pytest.raises(DiscoveryError):
                fleet.find(seek("q"))
        finally:
            threading.excepthook = before
        assert fleet.find(seek("q")) is None


def test_no_thread_outlives_the_end_and_who_waits_is_told() -> None:
    panel = Panel()
    before = set(threading.enumerate())
    with ThreadPoolExecutor() as pool:
        with fleet_of(panel.broadcast) as fleet:
            waiting = pool.submit(fleet.find, seek("q"))
            panel.wait_for(1)
            fleet._ask()
        sweeps = {each for each in threading.enumerate() if "discovery" in each.name}
        assert not sweeps - before
        with pytest.raises(ClientClosed):
            waiting.result(20)


def test_sweeps_of_a_busy_fleet_end_by_their_window() -> None:
    def talkative(commands: Questions, hear: Hear, deadline: Deadline) -> int | None:
        def talk() -> None:
            while not stop.is_set():
                for ticket in commands:
                    hear(ticket, {"w": "nonsense"})

        threading.Thread(target=talk, daemon=True).start()
        return None

    stop = threading.Event()
    try:
        with fleet_of(talkative, window=0.3) as fleet:
            assert fleet.find(seek("q")) is None
    finally:
        stop.set()


@settings(deadline=None, max_examples=60)
@given(answers=st.lists(ANSWERS, min_size=3, max_size=3), counted=st.booleans())
def test_S07_one_worker_s_odd_answers_hurt_no_other(answers: list[Any], counted: bool) -> None:
    def broadcast(commands: Questions, hear: Hear, deadline: Deadline) -> int | None:
        for ticket, command in commands.items():
            number = 2 if command.destination else command.method == "registered"
            hear(ticket, {"odd": answers[number]})
            hear(ticket, answers[number])
            if command.destination is None:
                tasks = command.method == "registered"
                hear(ticket, {"good": ["good.task"] if tasks else [{"name": "good"}]})
        return 2 if counted else None

    with fleet_of(broadcast, window=0.1) as fleet:
        catalog = fleet.catalog(fresh=True)
        assert list(catalog["good"].public) == ["good.task"]
        fleet.detailed()
