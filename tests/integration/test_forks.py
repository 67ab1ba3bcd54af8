"""Processes that fork: a child begins anew, and its calls end as those of its parent do."""

import json
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psutil
import pytest

from tests.integration.test_refused import start
from tests.servers import Broker, wait_until
from tests.ways import WANTED, outcomes

pytestmark = [
    pytest.mark.usefixtures("worker"),
    pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning"),
]

#: Seconds that a child may live.
LIFE = 60


def in_child(act: Callable[[], Any]) -> Any:
    """Act in a forked process; return what it returned there, as JSON has it."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:  # it runs nothing of pytest's
        with suppress(BaseException):
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(LIFE)
            os.write(writing, json.dumps(act()).encode())
        os._exit(0)
    os.close(writing)
    child = psutil.Process(pid)
    wait_until(lambda: child.status() == psutil.STATUS_ZOMBIE, timeout=LIFE + 5, what="its end")
    assert os.waitpid(pid, 0) == (pid, 0)
    with os.fdopen(reading) as answer:
        return json.load(answer)


def test_R25_a_child_has_the_values_and_errors_that_its_parent_has(client: Any) -> None:
    assert outcomes(client) == WANTED
    assert in_child(lambda: outcomes(client)) == WANTED
    assert outcomes(client) == WANTED


def test_R25_a_child_sends_again_what_a_worker_refused(broker: Broker, new_client: Any) -> None:
    client = new_client()

    def products() -> list[int]:
        replies = client.calc.mul.batch([(n, 2) for n in range(20)])
        return [reply.get(timeout=20) for reply in replies]

    with start("older", broker):
        assert products() == in_child(products) == [*range(0, 40, 2)]
