"""A refused call is sent again while a worker may take it."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, repeat

from celery_rpc import NoSuchTask
from celery_rpc.calls.call import Call
from celery_rpc.calls.pending import Outcome, Pending
from celery_rpc.catalog.address import Address
from celery_rpc.support.deadline import NEVER, NOW, Deadline
from celery_rpc.transport.again import MAX_STRANGE, Again, Known

CALL = Call("an-id", "a.task", Address("q"))
REFUSED = Outcome("FAILURE", error=NoSuchTask("refused"))


@contextmanager
def refused(known: list[Known], deadline: Deadline = NEVER) -> Iterator[tuple[Pending, list[str]]]:
    """Provide a call that is refused each time that it is sent, and a list of these times.

    Args:
        known: what is found of the refusals, one after the other; the last of them for the rest.
    """
    pending = Pending(CALL.id, CALL.task, deadline)
    pending.call = CALL
    found = chain(known, repeat(known[-1]))
    sent: list[str] = []

    def send(pending: Pending) -> None:
        sent.append(pending.id)
        again.put(pending, REFUSED)

    again = Again(lambda call, refusal, since: next(found), send)
    again.put(pending, REFUSED)
    yield pending, sent
    again.close()


def test_a_task_that_nobody_has_is_not_sent_again() -> None:
    with refused([Known.BY_NONE]) as (pending, sent):
        assert pending.wait(Deadline.after(10)) is REFUSED
        assert not sent


def test_a_call_whose_deadline_has_passed_is_not_sent_again() -> None:
    with refused([Known.BY_SOME], NOW) as (pending, sent):
        assert pending.wait(Deadline.after(10)) is REFUSED
        assert not sent


def test_refusals_that_nothing_explains_end_the_call() -> None:
    with refused([Known.BY_ALL]) as (pending, sent):
        assert pending.wait(Deadline.after(20)) is REFUSED
        assert len(sent) == MAX_STRANGE


def test_refusals_that_are_explained_do_not_count() -> None:
    strange = [Known.BY_ALL] * (MAX_STRANGE - 1)
    with refused([*strange, Known.BY_SOME, *strange, Known.BY_NONE]) as (pending, sent):
        assert pending.wait(Deadline.after(30)) is REFUSED
        assert len(sent) == 2 * len(strange) + 1
