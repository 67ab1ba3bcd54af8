"""What mixtures of faults found: after each, the client is as it was before."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from celery_rpc import RpcError
from tests.servers import FaultProxy

Connect = Callable[..., Any]


def test_R02_a_broker_that_is_back_is_found_by_the_next_call(
    linked: Connect, link: FaultProxy
) -> None:
    client = linked(connect_timeout=0.8)
    link.refuse()
    link.cut()
    time.sleep(4.0)  # the fault lasts so long: by now the reader tries every two seconds
    link.heal()
    assert client.calc.add(1, 1) == 2


def test_R22_a_call_that_failed_is_not_pending_while_its_error_is_kept(
    linked: Connect, link: FaultProxy
) -> None:
    client = linked()
    link.refuse()
    link.cut()
    add = client.calc.add.options(timeout=1)
    kept: list[RpcError] = []
    calls: list[Callable[[], Any]] = [
        lambda: add(1, 1), lambda: add.delay(1, 1), lambda: add.batch([(1, 1)] * 3)
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(RpcError) as caught:
            call()
        kept.append(caught.value)
    assert client.status()["pending"] == 0, kept
