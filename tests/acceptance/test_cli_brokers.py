"""The commands that ask the broker, on each kind of broker."""

import json

from tests.acceptance.cli import run
from tests.servers import Broker, Worker


def test_ls_call_and_ping(broker: Broker, worker: Worker) -> None:
    assert run("-b", broker.url, "ls").stdout.startswith("calc\t")
    assert run("-b", broker.url, "call", "calc.add", "1", "1").stdout == "2\n"
    [answer] = json.loads(run("-b", broker.url, "ping", "--json").stdout)
    assert answer["worker"] == worker.hostname
    assert answer["ms"] > 0


def test_doctor_finds_messages_that_nobody_takes(broker: Broker, worker: Worker) -> None:
    from kombu import Connection

    healthy = run("-b", broker.url, "doctor", "orphans")
    assert healthy.stdout.startswith("ok\t")
    assert "error\t" not in healthy.stdout
    with Connection(broker.url) as connection:
        connection.SimpleQueue("orphans").put("nobody reads this")
    done = run("-b", broker.url, "doctor", "orphans")
    assert done.returncode == 1
    assert "error\t1 message in queue orphans, and no worker listens" in done.stdout


def test_a_worker_that_does_not_answer_is_told(broker: Broker, worker: Worker) -> None:
    assert run("-b", broker.url, "ping").returncode == 0
    worker.freeze()
    try:
        done = run("-b", broker.url, "ping", "calc")
        # It is gone from the catalog, or known and silent.
        assert done.returncode in (1, 3, 4)
        assert "Traceback" not in done.stderr
    finally:
        worker.thaw()
