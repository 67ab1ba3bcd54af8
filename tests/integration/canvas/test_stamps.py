"""Calls that are revoked by their stamps, alone and in canvases."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import celery
import pytest

import celery_rpc
from celery_rpc import CallCancelled, ConfigurationError, connect
from tests.servers import Broker, Gate, Worker, wait_until

WAIT = 20


@pytest.fixture
def stamp() -> dict[str, str]:
    """A stamp that no other test has revoked."""
    return {"order": uuid4().hex}


@pytest.fixture
def control(client: Any) -> Any:
    return client.app.control


def revoke(control: Any, worker: Worker, stamps: Any, **options: Any) -> str:
    """Revoke by stamps, and return what the worker answers."""
    [answer] = control.revoke_by_stamped_headers(
        stamps, destination=[worker.hostname], reply=True, timeout=WAIT, **options
    )
    return str(answer[worker.hostname]["ok"])


#: Canvases whose tasks all append a line.
CANVASES: dict[str, Callable[[Any, Any], Any]] = {
    "task": lambda m, count: count(),
    "chain": lambda m, count: m.chain(count(), count()),
    "group": lambda m, count: m.group(count(), count()),
    "chord": lambda m, count: m.chord([count(), count()], count()),
    "nested": lambda m, count: m.chain(m.group(count(), count()), count(), m.group(count())),
}


@pytest.mark.parametrize("module", [celery_rpc, celery], ids=lambda module: module.__name__)
@pytest.mark.parametrize("shape", CANVASES)
def test_stamped_canvases_are_dropped_and_others_run(
    client: Any,
    control: Any,
    service: Worker,
    stamp: dict[str, str],
    module: Any,
    shape: str,
    tmp_path: Path,
) -> None:
    revoke(control, service, stamp)
    log = tmp_path / "log"
    for other in ({}, {"order": "another"}, {"customer": stamp["order"]}):
        spared = CANVASES[shape](module, lambda: client.calc.count.si(str(log)))
        if other:
            spared.stamp(**other)
        spared.apply_async().get(timeout=WAIT)
    lines = log.read_text()
    revoked = CANVASES[shape](module, lambda: client.calc.count.si(str(log)))
    revoked.stamp(**stamp)
    with pytest.raises(CallCancelled):
        revoked.apply_async().get(timeout=WAIT)
    assert log.read_text() == lines


def test_one_of_several_values_is_enough(
    client: Any, control: Any, service: Worker, stamp: dict[str, str]
) -> None:
    revoke(control, service, {"order": (stamp["order"], "none"), "tenant": ["none"]})
    made = client.calc.add.s(1, 1)
    made.stamp(order=[stamp["order"], "another"])
    with pytest.raises(CallCancelled):
        made.delay().get(timeout=WAIT)


def test_a_reply_revokes_by_stamps_as_celerys_does(client: Any, stamp: dict[str, str]) -> None:
    made = client.calc.add.s(1, 1)
    made.stamp(**stamp)
    reply = made.freeze()
    reply.revoke_by_stamped_headers(stamp, wait=True, timeout=5.0)
    made.apply_async()
    with pytest.raises(CallCancelled):
        reply.get(timeout=WAIT)
    assert reply.state == "REVOKED"


def test_workers_answer_where_that_is_wanted(
    control: Any, service: Worker, stamp: dict[str, str]
) -> None:
    assert "flagged as revoked" in revoke(control, service, stamp)
    assert control.revoke_by_stamped_headers(stamp) is None
    assert control.revoke_by_stamped_headers(stamp, ["nobody@x"], reply=True, timeout=0.2) == []


@pytest.mark.parametrize("stamps", [None, {}, "order", ["order=1"], {1: "x"}, {"order": {}}])
def test_what_is_no_stamp_is_refused(control: Any, stamps: Any) -> None:
    with pytest.raises(ConfigurationError, match="must be a dict of stamps"):
        control.revoke_by_stamped_headers(stamps)


def test_a_running_task_is_stopped_by_its_stamp(
    broker: Broker, stamp: dict[str, str], gate: Gate
) -> None:
    with (
        Worker.start("tests.workers.calc", broker.url, ["stopped"], pool="prefork") as worker,
        connect(worker.wait_ready().broker_url) as client,
    ):
        made = client.stopped["calc.hold"].s(str(gate.path))
        made.stamp(**stamp)
        reply = made.delay()
        wait_until(lambda: gate.held == 1, timeout=WAIT, what="the task to run")
        revoke(client.app.control, worker, stamp, terminate=True)
        with pytest.raises(CallCancelled):
            reply.get(timeout=WAIT)
