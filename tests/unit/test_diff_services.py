"""The rules of tasks, services and queues."""

from dataclasses import replace

from celery_rpc.catalog.model import Catalog, Service, TaskSpec
from celery_rpc.diff.catalogs import diff
from celery_rpc.diff.rules import BOTH, CALLERS, MESSAGES, NOBODY
from tests.unit.differences import base, catalog, changes, one, two, two_renamed


class Rejected(Exception):
    """It was not taken."""


class Declined(LookupError):
    """It was not taken."""


Declined.__name__ = Declined.__qualname__ = "Rejected"


def test_rules_of_tasks() -> None:
    plain = catalog(base)
    assert changes(plain, catalog(base, rpc_deprecated="use another")) == {"DEPRECATED": NOBODY}
    assert changes(plain, catalog(base, ignore_result=True)) == {"IGNORE_RESULT_CHANGED": CALLERS}
    assert changes(catalog(base, ignore_result=True), plain) == {"IGNORE_RESULT_CHANGED": NOBODY}
    assert changes(plain, catalog(base, backend="redis://")) == {"BACKEND_CHANGED": CALLERS}
    [stored, answered] = [
        Catalog({"q": replace(plain["q"], tasks={"q.task": TaskSpec("q.task", "db", answers=yes)})})
        for yes in (False, True)
    ]
    assert changes(stored, answered)["BACKEND_CHANGED"] == NOBODY
    assert changes(answered, stored)["BACKEND_CHANGED"] == CALLERS
    raising = catalog(base, throws=(Rejected,))
    assert changes(plain, raising) == {"ERROR_ADDED": NOBODY}
    assert changes(raising, plain) == {"ERROR_REMOVED": CALLERS}
    assert changes(raising, catalog(base, throws=(Declined,))) == {"ERROR_BASE_CHANGED": CALLERS}


def test_a_signature_that_is_not_told_is_not_compared() -> None:
    bare = Catalog({"q": Service("q", catalog(base)["q"].address, frozenset(), {})})
    named = Catalog({"q": replace(bare["q"], tasks={"q.task": TaskSpec("q.task", "rpc")})})
    assert changes(catalog(base), named) == {"SIGNATURE_UNKNOWN": NOBODY}
    assert changes(named, catalog(two)) == {"SIGNATURE_UNKNOWN": NOBODY}
    assert changes(named, named) == {}


def test_rules_of_services() -> None:
    here, there = catalog(base), catalog(base, queue="other")
    assert changes(Catalog(), here) == {"SERVICE_ADDED": NOBODY}
    assert changes(here, Catalog()) == {"SERVICE_REMOVED": BOTH}
    assert changes(here, there) == {
        "SERVICE_REMOVED": BOTH,
        "QUEUE_CHANGED": BOTH,
        "SERVICE_ADDED": NOBODY,
    }
    empty = Catalog({"q": replace(here["q"], tasks={})})
    assert changes(here, empty) == {"TASK_REMOVED": BOTH}
    assert changes(empty, here) == {"TASK_ADDED": NOBODY}
    assert changes(Catalog({**empty.services, **there.services}), here) == {
        "QUEUE_CHANGED": BOTH,
        "SERVICE_REMOVED": BOTH,
    }


def test_rules_of_queues() -> None:
    here = catalog(base)
    other = Catalog({"q": replace(here["q"], arguments={"x-max-priority": 9})})
    assert changes(here, other) == {"QUEUE_ARGUMENTS_CHANGED": MESSAGES}
    bound = Catalog({"q": replace(here["q"], exchange_type="topic")})
    assert changes(here, bound) == {"QUEUE_BINDING_CHANGED": NOBODY}


def test_a_task_that_moves_is_compared_all_the_same() -> None:
    moved = changes(catalog(two), catalog(one, queue="other"))
    assert moved["QUEUE_CHANGED"] == moved["PARAMETER_REMOVED"] == BOTH


def test_a_change_says_where_it_is_and_whom_it_breaks() -> None:
    [only] = diff(catalog(two), catalog(two_renamed))
    assert (only.queue, only.task, only.where, only.text) == ("q", "q.task", "why", "y -> why")
    assert only.label == "breaks callers and messages"
    assert only.breaking
