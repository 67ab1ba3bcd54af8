"""What many threads share: it is looked through while others change it."""

from collections.abc import Mapping
from itertools import count
from typing import Any

import pytest

from celery_rpc.calls.pending import Outcome, Pending, Update
from celery_rpc.calls.updates import Updates
from celery_rpc.catalog.model import Catalog, WorkerReport
from celery_rpc.discovery.fleet import Fleet
from celery_rpc.errors import Overloaded, ReplyLost
from celery_rpc.settings.broker_url import BrokerUrl
from celery_rpc.settings.client_options import ClientOptions
from celery_rpc.support.deadline import NEVER, Deadline
from celery_rpc.transport.amqp.confirms import Confirms
from celery_rpc.transport.clock_skew import Skew
from celery_rpc.transport.control import Command
from celery_rpc.transport.link import Receipt
from celery_rpc.transport.reply_table import ReplyTable
from celery_rpc.transport.whereabouts import Probe, Question
from tests.unit.interleaving import between_steps


def test_confirms_are_settled_while_others_publish() -> None:
    confirms = Confirms(lambda task_id, error: None)
    first, later = Receipt(["a", "b", "c"]), Receipt([str(number) for number in range(100_000)])
    for task_id in "abc":
        confirms.expect(first, [task_id])
    numbers = count()
    with between_steps(lambda: confirms.expect(later, [str(next(numbers))])):
        confirms.settle(None, 2, True)
    assert first.open == ["c"]
    assert len(later.open) == 100_000
    assert len(confirms.open) == 1 + next(numbers)


def test_confirms_fail_while_others_publish() -> None:
    confirms = Confirms(lambda task_id, error: None)
    first, later = Receipt(["a", "b"]), Receipt([str(number) for number in range(100_000)])
    for task_id in "ab":
        confirms.expect(first, [task_id])
    numbers = count()
    with between_steps(lambda: confirms.expect(later, [str(next(numbers))])):
        confirms.fail(Overloaded())
        confirms.lose()
    sent = next(numbers)
    assert first.open == []
    assert set(first.refused) == {"a", "b"}
    # What was published meanwhile is open, or refused, or lost: nothing is forgotten.
    assert later.lost
    assert len(later.refused) + len(later.open) == 100_000
    assert sent > len(confirms.open)


class Traffic:
    """Calls that come and go."""

    def __init__(self, table: ReplyTable) -> None:
        self.table = table
        self.kept: dict[str, Pending] = {}
        self.numbers = count()

    def go_on(self) -> None:
        """Send two calls, and forget one; where this thread is about to do that, leave it."""
        if self.table._registering.mine:
            return
        for _ in range(2):
            task_id = str(next(self.numbers))
            self.kept[task_id] = self.table.register(task_id)
        gone = next(iter(self.kept))
        self.table.forget(gone)
        del self.kept[gone]


@pytest.fixture
def table() -> ReplyTable:
    return ReplyTable({}, 1_000_000, 1 << 20, Skew())


@pytest.mark.parametrize("known", [0, 1, 5])
def test_calls_are_counted_while_others_come_and_go(table: ReplyTable, known: int) -> None:
    traffic = Traffic(table)
    kept = [table.register(f"kept-{number}") for number in range(known)]
    with between_steps(traffic.go_on):
        spare = table.spare()
        found = len(table)
    assert found >= known
    assert not (spare and known)
    assert not any(each.done for each in kept)


def test_all_calls_fail_while_others_come_and_go(table: ReplyTable) -> None:
    traffic = Traffic(table)
    kept = [table.register(f"kept-{number}") for number in range(5)]
    with between_steps(traffic.go_on):
        table.fail_all(lambda pending: ReplyLost(task_id=pending.id))
    assert all(each.outcome and isinstance(each.outcome.error, ReplyLost) for each in kept)


def test_refusals_are_read_while_more_come() -> None:
    receipt = Receipt([str(number) for number in range(100_000)])
    numbers = count()

    with between_steps(lambda: receipt.settle(str(next(numbers)), Overloaded())):
        seen = [task_id for task_id, _ in receipt.refused.items()]
    assert set(seen) <= set(receipt.refused)


def test_a_finding_is_told_while_workers_answer() -> None:
    nodes = frozenset(f"node-{number}" for number in range(10_000))
    probe = Probe("id", "calc.add", nodes, NEVER)
    probe.question = question = Question([probe])
    question.sent = True
    [ticket] = question.commands
    numbers = count()
    with between_steps(lambda: question.hear(ticket, {f"node-{next(numbers)}": {}})):
        finding = probe.finding
    assert "did not answer when asked" in finding


def shared_at(moment: int) -> tuple[list[Any], int]:
    """Follow a call, of which somebody else takes all updates at one step; give both's, and the
    number of steps.
    """
    pending = Pending("id")
    pending.update(Update("PROGRESS", 1))
    pending.update(Update("PROGRESS", 2))
    pending.resolve(Outcome("SUCCESS"))
    updates, steps = Updates(pending), count()
    others: list[Any] = []

    def follow_too() -> None:
        if next(steps) == moment:
            while pending.updates:
                others.append(pending.updates.popleft().meta)

    with between_steps(follow_too):
        mine = [each.meta for each in updates]
    return [*others, *mine], next(steps)


def test_updates_are_shared_by_those_who_follow_one_call() -> None:
    _, steps = shared_at(-1)
    for moment in range(steps):
        seen, _ = shared_at(moment)
        assert sorted(seen) == [1, 2]


def no_answers(commands: Mapping[str, Command], answer: Any, deadline: Deadline) -> int | None:
    return 0


def test_what_workers_said_is_read_while_others_answer() -> None:
    options = ClientOptions(broker=BrokerUrl.parse("redis://localhost"), discovery_window=0.05)
    fleet = Fleet(no_answers, lambda commands: None, options, Catalog())
    numbers = count()

    def answer() -> None:
        fleet._roll.note(WorkerReport(f"node-{next(numbers)}", [], {}), 0.0)

    answer()
    with between_steps(answer):
        fleet.detailed()
    assert len(fleet._roll.reports) == next(numbers)
