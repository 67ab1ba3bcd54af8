"""Threads, and processes that fork: every call ends once, with its own value."""

import gc
import multiprocessing
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil
import pytest

from celery_rpc import ClientClosed
from tests.servers import Gate, wait_until

pytestmark = pytest.mark.usefixtures("worker")

CALLS = 10_000
THREADS = 16


def test_R26_R38_ten_thousand_calls_from_sixteen_threads(new_client: Any) -> None:
    before = len(threading.enumerate())
    client = new_client()
    add = client.calc.add
    descriptors = psutil.Process().num_fds()
    share = CALLS // THREADS

    def work(number: int) -> bool:
        first = number * share
        replies = add.batch([(n, 1) for n in range(first, first + share // 2)])
        late = [add.delay(n, 1) for n in range(first + share // 2, first + share)]
        values = [reply.get(timeout=120) for reply in [*replies, *late]]
        return values == [n + 1 for n in range(first, first + share)]

    with ThreadPoolExecutor(THREADS) as pool:
        assert all(pool.map(work, range(THREADS)))
    gc.collect()
    status = client.status()
    assert status["replies"] == CALLS
    assert (status["pending"], status["duplicate"], status["malformed"]) == (0, 0, 0)
    assert psutil.Process().num_fds() <= descriptors
    client.close()
    wait_until(lambda: len(threading.enumerate()) <= before, what="threads to end")


def test_R26_any_thread_may_wait_for_any_reply(client: Any) -> None:
    replies = [client.calc.add.delay(n, n) for n in range(100)]
    with ThreadPoolExecutor(8) as pool:
        twice = list(pool.map(lambda reply: reply.get(timeout=30), [*replies, *replies]))
    assert twice == [*range(0, 200, 2)] * 2


def in_child(client: Any, replies: Any, queue: Any) -> None:
    try:
        queue.put([client.calc.add(n, 100) for n in range(50)])
    except Exception as error:
        queue.put(repr(error))
    try:
        replies[0].get(timeout=30)
    except ClientClosed as error:
        queue.put(str(error))


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_R25_parent_and_child_both_call_after_multiprocessing_forked(client: Any) -> None:
    pending = client.calc.sleep.delay(1.0)
    context = multiprocessing.get_context("fork")
    queue: Any = context.Queue()
    child = context.Process(target=in_child, args=(client, [pending], queue))
    child.start()
    assert [client.calc.add(n, 1) for n in range(50)] == [n + 1 for n in range(50)]
    assert queue.get(timeout=30) == [n + 100 for n in range(50)]
    assert "forked" in queue.get(timeout=30)
    child.join(timeout=30)
    assert child.exitcode == 0
    assert pending.get(timeout=30) == 1.0


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_R25_parent_and_child_both_call_after_os_fork(client: Any) -> None:
    client.calc.add(1, 1)
    pid = os.fork()
    if pid == 0:  # the child answers by its exit status, and runs nothing of pytest's
        status = 1
        try:
            good = all(client.calc.add(n, n) == 2 * n for n in range(100))
            status = 0 if good else 2
        finally:
            os._exit(status)
    assert all(client.calc.add(n, n) == 2 * n for n in range(100))
    child = psutil.Process(pid)
    wait_until(lambda: child.status() == psutil.STATUS_ZOMBIE, timeout=30, what="the child's end")
    assert os.waitpid(pid, 0) == (pid, 0)


def test_a_closed_client_fails_its_calls_and_leaves_no_thread(new_client: Any, gate: Gate) -> None:
    before = len(threading.enumerate())
    client = new_client()
    reply = client.calc.hold.delay(gate.path)
    client.close()
    client.close()
    with pytest.raises(ClientClosed):
        reply.get(timeout=30)
    with pytest.raises(ClientClosed):
        client.calc.add(1, 1)
    wait_until(lambda: len(threading.enumerate()) <= before, what="threads to end")
