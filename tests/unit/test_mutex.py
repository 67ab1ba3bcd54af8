"""Mutex, Bell and Daemon stay of use wherever an exception strikes a thread that uses them."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from celery_rpc.support.bell import Bell
from celery_rpc.support.daemon import Daemon
from celery_rpc.support.deadline import NOW, Deadline
from celery_rpc.support.mutex import Busy, Mutex
from tests.servers import wait_until
from tests.unit.interruptions import broken_off

pytestmark = pytest.mark.watchdog(30)


@pytest.fixture
def other() -> Iterator[ThreadPoolExecutor]:
    """Another thread."""
    with ThreadPoolExecutor(1) as pool:
        yield pool


def nothing() -> None:
    """Do nothing."""


def test_a_mutex_is_free_again_wherever_its_thread_is_struck(other: ThreadPoolExecutor) -> None:
    mutex = Mutex()
    for step in broken_off(lambda: mutex.run(nothing)):
        assert not mutex.mine, step
        other.submit(mutex.run_by, Deadline.after(30), nothing).result(timeout=30)


def test_a_mutex_is_waited_for_until_the_deadline(other: ThreadPoolExecutor) -> None:
    mutex = Mutex()

    def try_it() -> None:
        for deadline in (NOW, Deadline.after(0.05)):
            with pytest.raises(Busy):
                mutex.run_by(deadline, nothing)

    mutex.run(lambda: other.submit(try_it).result(timeout=30))
    mutex.run_by(NOW, nothing)


def test_a_thread_that_has_the_mutex_does_not_enter_it_again(other: ThreadPoolExecutor) -> None:
    mutex = Mutex()

    def again() -> None:
        with pytest.raises(Busy):
            mutex.run(nothing)
        assert mutex.mine

    mutex.run(again)


def test_a_bell_wakes_all_who_wait() -> None:
    bell, rung = Bell(), threading.Event()
    with ThreadPoolExecutor(4) as pool:
        waits = [pool.submit(bell.wait_for, rung.is_set, Deadline.after(30)) for _ in range(4)]
        wait_until(lambda: len(bell._gates) == 4, what="all to wait")
        bell.ring()  # nothing has changed
        rung.set()
        bell.ring()
        assert [wait.result(timeout=30) for wait in waits] == [True] * 4
    assert not bell._gates


def test_a_bell_is_waited_for_until_the_deadline() -> None:
    assert not Bell().wait_for(lambda: False, Deadline.after(0.05))


def test_a_bell_wakes_others_wherever_one_was_struck(other: ThreadPoolExecutor) -> None:
    bell = Bell()
    for act in (bell.ring, lambda: bell.wait_for(lambda: False, Deadline.after(0.001))):
        for _ in broken_off(act):
            rung = threading.Event()
            wait = other.submit(bell.wait_for, rung.is_set, Deadline.after(30))
            rung.set()
            bell.ring()
            assert wait.result(timeout=30)


def test_a_daemon_runs_once_wherever_its_start_is_struck() -> None:
    running: list[threading.Thread] = []
    stop = threading.Event()

    def run() -> None:
        running.append(threading.current_thread())
        stop.wait(60)

    daemons: list[Daemon] = []

    def start() -> None:
        daemons.append(Daemon(run, "test"))
        daemons[-1].ensure()

    for _ in broken_off(start):
        if daemons:
            daemons[-1].ensure()
            wait_until(lambda: len(running) == len(daemons), what="each to run")
            assert all(daemon.alive for daemon in daemons)
    assert len(daemons) > 10
    stop.set()
    for daemon in daemons:
        daemon.join(30)
    assert len(running) == len(daemons)


def test_a_daemon_that_ended_starts_again() -> None:
    runs: list[bool] = []
    daemon = Daemon(lambda: runs.append(daemon.current), "test")
    for number in range(1, 4):
        daemon.ensure()
        daemon.join(30)
        wait_until(lambda: not daemon.alive, what="its end")
        assert runs == [True] * number
