"""Cancelling calls: what is said, and what becomes of the call."""

from pathlib import Path
from typing import Any

import pytest

from celery_rpc import Cancellation, RpcError
from tests.servers import Gate, wait_until

pytestmark = pytest.mark.usefixtures("worker")


def test_a_call_that_has_ended_is_finished(client: Any) -> None:
    reply = client.calc.add.delay(1, 1)
    reply.get(timeout=30)
    assert reply.cancel() is Cancellation.FINISHED


def test_a_call_that_waits_is_flagged_and_ends_here(client: Any, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    reply = client.calc.count.apply_async((str(mark),), countdown=30)
    assert reply.cancel() is Cancellation.FLAGGED
    with pytest.raises(RpcError, match="cancelled"):
        reply.get(timeout=30)
    assert reply.state == "REVOKED"


def test_a_running_call_is_left_running(client: Any, gate: Gate) -> None:
    reply = client.calc.hold.delay(gate.path, 5)
    # Before the worker has it, cancel() would end it.
    wait_until(lambda: gate.held, what="it to run")
    assert reply.cancel() is Cancellation.RUNNING
    gate.open()
    assert reply.get(timeout=30) == 5
