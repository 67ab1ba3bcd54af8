"""Reader: its own thread reads, or one that awaits its reply does; nothing is left unread."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from queue import Empty, SimpleQueue
from threading import Event

import pytest

from celery_rpc.calls.pending import Outcome, Pending
from celery_rpc.support.deadline import Deadline
from celery_rpc.transport.clock_skew import Skew
from celery_rpc.transport.link import LinkDown
from celery_rpc.transport.reader import Reader
from celery_rpc.transport.reply_table import ReplyTable
from tests.limits import ends_within
from tests.servers import wait_until
from tests.unit.interruptions import broken_off

DONE = Outcome("SUCCESS", 1)


class Letters:
    """A source to which a test posts ids."""

    any_thread = True
    busy = False

    def __init__(self) -> None:
        self.post: SimpleQueue[str] = SimpleQueue()
        self.down = False
        self.connected = 0
        #: What the next receive() raises.
        self.fault: BaseException | None = None
        self._taken: list[str] = []

    def connect(self, timeout: float) -> bool:
        self.connected += 1
        self.down = False
        return True

    def wait(self, timeout: float) -> bool:
        if self.down:
            raise LinkDown("cut")
        try:
            self._taken.append(self.post.get(timeout=timeout) if timeout else self.post.get(False))
        except Empty:
            return False
        return True

    def receive(self, *, may_block: bool) -> Sequence[str]:
        fault, self.fault = self.fault, None
        if fault is not None:
            raise fault
        taken, self._taken = self._taken, []
        return [each for each in taken if each]

    def interrupt(self) -> None:
        self.post.put("")


class Desk:
    """A reader of letters, and the threads that delivered them."""

    def __init__(self) -> None:
        self.letters = Letters()
        self.table = ReplyTable({}, 100, 1 << 20, Skew())
        self.read_by: list[str] = []
        self.reader = Reader(
            self.letters, self.deliver, str, lambda: None, self.table.spare, 1.0, "letters",
            "the post",
        )  # fmt: skip
        self.reader.require(Deadline.after(30))

    def deliver(self, task_id: str) -> None:
        self.read_by.append(threading.current_thread().name)
        self.table.register(task_id).resolve(DONE)

    def call(self, task_id: str, seconds: float = 5.0) -> Pending:
        """Do what a blocking call does; the answer is posted at once."""
        pending = self.table.register(task_id)
        self.reader.catch_up()
        self.letters.post.put(task_id)
        self.reader.read_for(pending, Deadline.after(seconds))
        pending.wait(Deadline.after(seconds))
        return pending


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    desk.reader.stop()


OWN, READER = "MainThread", "celery-rpc-letters"


def call_until(desk: Desk, condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    for number in range(1_000_000):
        if condition() or time.monotonic() > end:
            break
        assert desk.call(f"warm-{number}").done
    assert condition()


def test_calls_that_follow_one_another_are_read_by_their_own_thread(desk: Desk) -> None:
    call_until(desk, lambda: desk.read_by[-3:] == [OWN] * 3)
    assert desk.read_by[0] == READER


def test_calls_are_read_by_their_own_thread_while_answers_of_workers_come_too(desk: Desk) -> None:
    desk.table.expect({"ticket": None}, lambda ticket, body: None)
    call_until(desk, lambda: desk.read_by[-3:] == [OWN] * 3)
    # Nobody calls any more: the reader looks for answers again.
    desk.letters.post.put("answer")
    wait_until(lambda: desk.read_by[-1] == READER, what="the reader to be back")


def test_what_else_is_awaited_is_read_by_the_reader(desk: Desk) -> None:
    call_until(desk, lambda: desk.read_by[-3:] == [OWN] * 3)
    other = desk.table.register("other")
    desk.reader.want()
    desk.letters.post.put("other")
    assert other.wait(Deadline.after(30)) is DONE
    assert desk.read_by[-1] == READER


def test_what_came_to_be_awaited_during_a_call_is_read_after_it(desk: Desk) -> None:
    call_until(desk, lambda: desk.read_by[-3:] == [OWN] * 3)
    other = desk.table.register("other")
    assert desk.call("mine").done
    desk.letters.post.put("other")
    assert other.wait(Deadline.after(30)) is DONE


def test_many_threads_each_have_their_reply(desk: Desk) -> None:
    failed: list[str] = []

    def run(name: str) -> None:
        ids = [f"{name}-{number}" for number in range(200)]
        failed.extend(each for each in ids if not desk.call(each).done)

    threads = [threading.Thread(target=run, args=(f"t{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert not failed
    assert len(desk.read_by) == 8 * 200


def test_a_call_ends_with_its_deadline_while_it_reads(desk: Desk) -> None:
    call_until(desk, lambda: desk.read_by[-3:] == [OWN] * 3)
    pending = desk.table.register("never")
    began = time.monotonic()
    with ends_within(0.2):
        desk.reader.read_for(pending, Deadline.after(0.2))
    assert time.monotonic() - began > 0.15
    assert not pending.done


def test_a_link_that_went_down_at_rest_is_found_by_the_next_call(desk: Desk) -> None:
    call_until(desk, lambda: desk.read_by[-3:] == [OWN] * 3)
    desk.letters.down = True
    desk.reader.catch_up()
    desk.reader.require(Deadline.after(30))
    assert desk.letters.connected == 2
    assert desk.call("after").done


def test_what_is_not_its_own_a_calling_thread_leaves_to_the_reader(desk: Desk) -> None:
    call_until(desk, lambda: desk.read_by[-3:] == [OWN] * 3)
    desk.table.expect({"ticket": None}, lambda ticket, body: None)
    mine = desk.table.register("mine")
    desk.letters.post.put("answer")  # it comes first
    desk.letters.post.put("mine")
    desk.reader.read_for(mine, Deadline.after(5))
    assert mine.wait(Deadline.after(5)) is DONE
    assert desk.read_by[-2:] == [READER] * 2


def test_what_may_block_a_calling_thread_leaves_to_the_reader(desk: Desk) -> None:
    call_until(desk, lambda: desk.read_by[-3:] == [OWN] * 3)
    desk.letters.busy = True
    mine = desk.table.register("mine")
    desk.reader.read_for(mine, Deadline.after(5))
    assert not mine.done
    desk.letters.post.put("mine")
    assert mine.wait(Deadline.after(5)) is DONE
    assert desk.read_by[-1] == READER


def test_an_exception_amid_delivery_leaves_the_link_as_it_is(desk: Desk) -> None:
    call_until(desk, lambda: desk.read_by[-3:] == [OWN] * 3)
    pending = desk.table.register("mine")

    def interrupted() -> None:
        raise KeyboardInterrupt

    pending.on_done(interrupted)
    desk.letters.post.put("mine")
    with pytest.raises(KeyboardInterrupt):
        desk.reader.read_for(pending, Deadline.after(30))
    assert desk.call("after").done
    assert desk.letters.connected == 1


def test_an_exception_amid_reading_makes_the_reader_connect_again(desk: Desk) -> None:
    call_until(desk, lambda: desk.read_by[-3:] == [OWN] * 3)
    pending = desk.table.register("mine")
    desk.letters.fault = KeyboardInterrupt()
    desk.letters.post.put("mine")
    with pytest.raises(KeyboardInterrupt):
        desk.reader.read_for(pending, Deadline.after(30))
    desk.table.register("awaited")
    desk.reader.want()
    wait_until(lambda: desk.letters.connected == 2, what="a new connection")
    assert desk.call("after").done


def test_a_reader_goes_on_whatever_a_callback_raises(desk: Desk) -> None:
    def exit_program() -> None:
        raise SystemExit

    for number in range(3):
        pending = desk.table.register(f"theirs-{number}")
        pending.on_done(exit_program)
        pending.on_done(Event().set)
        desk.reader.want()
        desk.letters.post.put(pending.id)
        assert pending.wait(Deadline.after(5)) is DONE
    assert desk.call("after").done
    assert desk.letters.connected == 1


@pytest.mark.watchdog(60)
def test_others_have_their_replies_wherever_a_calling_thread_is_struck(desk: Desk) -> None:
    call_until(desk, lambda: desk.read_by[-3:] == [OWN] * 3)
    numbers = count()
    steps = 0
    with ThreadPoolExecutor(1) as other:
        for steps in broken_off(lambda: desk.call(f"struck-{next(numbers)}")):
            assert other.submit(desk.call, f"other-{steps}").result(timeout=20).done
    assert steps > 100


def test_stopping_ends_a_thread_that_reads_for_itself(desk: Desk) -> None:
    call_until(desk, lambda: desk.read_by[-3:] == [OWN] * 3)
    pending = desk.table.register("never")
    timer = threading.Timer(0.1, desk.reader.stop)
    timer.start()
    with ends_within(0.1):
        desk.reader.read_for(pending, Deadline.after(30))
    timer.join(timeout=30)
