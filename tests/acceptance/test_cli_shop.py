"""demo and up: the example services for a moment, or until Ctrl-C."""

import os
import re
import signal
import uuid

import pytest

from tests.acceptance.cli import SECONDS, children, marked, run, running, started
from tests.servers import ValkeyBroker, wait_until


def test_the_demo_ends_well_and_leaves_no_process() -> None:
    mark = uuid.uuid4().hex
    done = run("demo", CELERY_RPC_TEST_MARK=mark)
    assert done.returncode == 0, done.stdout + done.stderr
    assert marked(mark) == []
    assert "ZeroDivisionError: division by zero" in done.stdout
    assert "did you mean 'add'?" in done.stdout
    assert re.search(r"All \d+ as expected", done.stdout)
    assert done.stderr == ""
    assert not [line for line in done.stdout.splitlines() if line != line.rstrip()]
    [broker] = set(re.findall(r"redis://127\.0\.0\.1:\d+/0", done.stdout))
    assert run("-b", broker, "ls").returncode == 4


@pytest.mark.parametrize("descendants", [1, 2, 4, 6])
def test_an_interrupt_ends_the_demo_and_leaves_no_process(descendants: int) -> None:
    mark = uuid.uuid4().hex
    with started("demo", mark=mark) as process:
        wait_until(lambda: len(children(process.pid)) >= descendants, what="its children")
        family = children(process.pid)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=SECONDS)
        assert process.returncode == 130
        assert running(family) == []
        assert marked(mark) == []


@pytest.mark.parametrize("whole_group", [False, True], ids=["kill", "ctrl-c"])
def test_up_serves_until_sigint_and_leaves_no_process(whole_group: bool) -> None:
    mark = uuid.uuid4().hex
    with started("up", mark=mark) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert run("-b", url, "call", "billing.add", "1", "1").stdout == "2\n"
        family = children(process.pid)
        assert len(family) > 6
        if whole_group:  # as a terminal does, to the workers too
            os.killpg(process.pid, signal.SIGINT)
        else:
            process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=SECONDS)
        assert (process.returncode, errors) == (0, "")
        assert running(family) == []
        assert marked(mark) == []


def test_a_port_that_is_taken_is_4(valkey: ValkeyBroker) -> None:
    done = run("up", "--port", str(valkey.port))
    assert done.returncode == 4
    assert "already in use" in done.stderr
