"""How long a worker is known: over sweeps that follow one another, or overlap."""

from celery_rpc.catalog.model import WorkerReport
from celery_rpc.discovery.roll import Roll

OLD, NEW = WorkerReport("w", [], {}), WorkerReport("w", [], {})


def nodes(roll: Roll) -> list[str]:
    return [each.node for each in roll.reports]


def test_a_worker_is_missing_after_one_silence_and_gone_after_two() -> None:
    roll = Roll()
    roll.note(OLD, asked_at=1)
    roll.end(asked_at=1, ended_at=2)
    assert (nodes(roll), roll.missing) == (["w"], frozenset())
    roll.end(asked_at=3, ended_at=4)
    assert (nodes(roll), roll.missing) == (["w"], frozenset({"w"}))
    roll.end(asked_at=5, ended_at=6)
    assert (nodes(roll), roll.missing) == ([], frozenset())


def test_silence_in_sweeps_that_overlap_is_one_silence() -> None:
    roll = Roll()
    roll.note(OLD, asked_at=0)
    for asked_at in (1.0, 1.5, 1.9):
        roll.end(asked_at, ended_at=asked_at + 2)
    assert roll.missing == {"w"}
    roll.end(asked_at=3.0, ended_at=4.0)
    assert nodes(roll) == []


def test_an_answer_to_an_older_sweep_ends_a_silence() -> None:
    roll = Roll()
    roll.note(OLD, asked_at=0)
    roll.end(asked_at=2, ended_at=3)
    roll.note(NEW, asked_at=1)
    assert roll.missing == frozenset()
    assert roll.reports[0] is NEW


def test_an_answer_to_a_newer_sweep_stays() -> None:
    roll = Roll()
    roll.note(NEW, asked_at=2)
    roll.note(OLD, asked_at=1)
    assert roll.reports[0] is NEW
    roll.end(asked_at=1, ended_at=3)
    assert roll.missing == frozenset(), "the older sweep says nothing of who answered a newer one"
