"""Who reads: a thread that waits for its value may be broken off, and owes others their replies."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.servers import FaultProxy, Gate, wait_until

Connect = Callable[..., Any]


class Interrupted(Exception):
    """What a signal handler raises, as Ctrl-C does."""


@contextmanager
def interrupted_once(condition: Callable[[], object]) -> Iterator[None]:
    """Raise Interrupted in this thread, which is the main one, a moment after this is so."""

    def interrupt(number: int, frame: Any) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGUSR1, interrupt)
    main = threading.main_thread().ident
    assert main is not None

    def watch() -> None:
        wait_until(condition)
        time.sleep(0.05)  # the call that was sent is awaited by now, or will be: either is good
        signal.pthread_kill(main, signal.SIGUSR1)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join()
        signal.signal(signal.SIGUSR1, before)


def warm(client: Any) -> None:
    """Call until calls read their own replies: discovery has ended by then."""
    wait_until(lambda: client.status()["pending"] == 0, what="no calls in flight")
    for _ in range(20):
        assert client.calc.add(1, 1) == 2


def test_a_call_that_is_broken_off_leaves_the_link_as_it_is(linked: Connect, gate: Gate) -> None:
    client = linked()
    warm(client)
    for number in (1, 2, 3):
        with pytest.raises(Interrupted), interrupted_once(lambda: gate.held == number):  # noqa: B023
            client.calc.hold(gate.path)
    gate.open()
    assert client.calc.add(1, 2) == 3
    assert client.status()["reconnects"] == 0
    assert client.status()["pending"] == 0


def test_a_reply_to_another_is_read_when_a_call_was_broken_off(linked: Connect, gate: Gate) -> None:
    client = linked()
    warm(client)
    other = client.calc.hold.delay(gate.path, 7)
    with pytest.raises(Interrupted), interrupted_once(lambda: gate.held == 2):
        client.calc.hold(gate.path)
    gate.open()
    assert other.get() == 7


def test_replies_to_others_are_read_between_calls(linked: Connect) -> None:
    client = linked()
    warm(client)
    others = [client.calc.sleep.delay(0.2 * n) for n in range(4)]
    for _ in range(50):
        assert client.calc.add(1, 1) == 2
    ended = threading.Event()
    others[-1].add_done_callback(lambda reply: ended.set())
    assert ended.wait(timeout=30)
    assert [other.get() for other in others] == [0.0, 0.2, 0.4, 0.2 * 3]


def test_a_link_cut_between_calls_is_found_by_the_next(linked: Connect, link: FaultProxy) -> None:
    client = linked()
    for _ in range(3):
        warm(client)
        link.cut()
        link.heal()
        assert client.calc.add(1, 2) == 3


def test_a_link_cut_while_a_call_reads_is_made_anew(
    linked: Connect, link: FaultProxy, gate: Gate
) -> None:
    client = linked()
    warm(client)

    def cut() -> None:
        wait_until(lambda: gate.held == 1)
        link.cut()
        gate.open()

    thread = threading.Thread(target=cut)
    thread.start()
    assert client.calc.hold(gate.path, 7) == 7
    thread.join()
    assert client.status()["reconnects"] == 1
