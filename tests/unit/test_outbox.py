"""Outbox: what is sent together shares a publish, and nothing else."""

from collections.abc import Iterator, Sequence
from queue import SimpleQueue
from threading import Event
from time import monotonic

import pytest

from celery_rpc.catalog.address import Address
from celery_rpc.errors import DeadlineExceeded, Unavailable
from celery_rpc.support.deadline import NEVER, Deadline, latest
from celery_rpc.transport.call_message import Envelope, due
from celery_rpc.transport.headers import Headers
from celery_rpc.transport.outbox import Outbox
from tests.servers import wait_until


def message(task_id: str, deadline: Deadline = NEVER) -> Envelope:
    made = Envelope(task_id, "svc.task", Address("svc"), Headers({}), {}, b"", ((), {}))
    made.deadline = deadline
    return made


class Post:
    """A broker whose publish waits for a permit, and keeps what came."""

    def __init__(self) -> None:
        self.permit = Event()
        self.error: Exception | None = None
        self.begun: SimpleQueue[Sequence[str]] = SimpleQueue()
        self.patience: list[Deadline] = []
        self.sent: list[str] = []
        self.refused: dict[str, Exception] = {}
        self.outbox = Outbox(self.publish, self.refused.__setitem__)

    def publish(self, envelopes: Sequence[Envelope], deadline: Deadline) -> None:
        self.begun.put([each.id for each in envelopes])
        self.patience.append(deadline)
        self.permit.wait(20)
        if self.error is not None:
            raise self.error
        self.sent += [each.id for each in due(envelopes, self.refused.__setitem__)]

    def occupy(self) -> None:
        """Keep the outbox's thread at work, so that what is put from now on goes together."""
        self.outbox.put(message("first"), NEVER)
        assert self.begun.get(timeout=30) == ["first"]


@pytest.fixture
def post() -> Iterator[Post]:
    made = Post()
    yield made
    made.permit.set()
    made.outbox.close()


def test_a_message_in_a_hurry_leaves_the_others_their_patience(post: Post) -> None:
    post.occupy()
    short, long = Deadline.after(5), Deadline.after(30)
    for task_id, deadline in (("short", short), ("long", long), ("shorter", Deadline.after(4))):
        post.outbox.put(message(task_id, deadline), deadline)
    post.permit.set()
    assert post.begun.get(timeout=30) == ["short", "long", "shorter"]
    wait_until(lambda: len(post.sent) == 4, what="all of them to be sent")
    assert post.patience[1] == long
    assert not post.refused


def test_what_expired_meanwhile_is_not_sent(post: Post) -> None:
    post.occupy()
    soon = Deadline.after(0.05)
    post.outbox.put(message("late", soon), soon)
    post.outbox.put(message("patient"), Deadline.after(30))
    wait_until(lambda: soon.passed, what="the deadline")
    post.permit.set()
    wait_until(lambda: len(post.sent) == 2, what="the others to be sent")
    assert post.sent == ["first", "patient"]
    error = post.refused["late"]
    assert isinstance(error, DeadlineExceeded)
    assert error.state == "UNSENT"
    assert "nothing was sent" in str(error)


def test_what_expires_while_the_broker_is_waited_for_is_not_sent(post: Post) -> None:
    soon = Deadline.after(0.5)
    post.outbox.put(message("late", soon), soon)
    assert post.begun.get(timeout=30) == ["late"]
    wait_until(lambda: soon.passed, what="the deadline")
    post.permit.set()
    wait_until(lambda: "late" in post.refused, what="it to be refused")
    assert not post.sent


def test_nothing_is_published_where_all_has_expired(post: Post) -> None:
    post.occupy()
    soon = Deadline.after(0.01)
    for number in range(3):
        post.outbox.put(message(str(number), soon), soon)
    wait_until(lambda: soon.passed, what="the deadline")
    post.permit.set()
    wait_until(lambda: len(post.refused) == 3, what="all to be refused")
    assert post.begun.empty()


def test_a_failed_publish_fails_what_it_would_have_sent(post: Post) -> None:
    post.error = Unavailable("down")
    post.occupy()
    post.outbox.put(message("second"), NEVER)
    post.permit.set()
    wait_until(lambda: len(post.refused) == 2, what="both to be refused")
    assert set(map(type, post.refused.values())) == {Unavailable}


def test_the_latest_deadline_is_never_where_one_is() -> None:
    now = monotonic()
    assert latest([Deadline(now), Deadline(now + 1), Deadline(now - 1)]) == Deadline(now + 1)
    assert latest([Deadline(now), NEVER, Deadline(now + 1)]) == NEVER
