"""The workers that the tests start: their life, and the tasks of tests.workers.calc."""

import json
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.servers import Broker, FaultProxy, ValkeyBroker, Worker, wait_until
from tests.servers.process import ROOT
from tests.servers.worker import Pool

# A stock client, in a process of its own: it keeps connections that nothing closes.
CLIENT = """
import json, sys
from celery import Celery
url, path = sys.argv[1:]
app = Celery(broker=url, backend="rpc://")
app.conf.task_default_queue = "calc"
def call(name, *args):
    result = app.send_task(name, args)
    try:
        return result.get(timeout=60)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
app.send_task("calc.ignored", (1,))
print(json.dumps([
    call("calc.add", 1, 2),
    call("calc.mul", 3, 4),
    call("calc.total", [1, 2, 3]),
    call("calc.echo", {"a": [None, 1.5, "x"]}),
    call("calc.sleep", 0.01),
    call("calc.fail", "KeyError", "k"),
    call("calc.fail", "CalcError", "own"),
    call("calc.progress", 3),
    call("calc.retry", 2),
    call("calc.count", path),
    call("calc.count", path),
    call("tests.workers.calc.auto_named", 5),
    call("calc.unserialisable").partition("(")[0],
    call("calc.whoami"),
]))
"""


def run_client(url: str, path: Path) -> list[object]:
    done = subprocess.run(
        [sys.executable, "-c", CLIENT, url, str(path)],
        stdout=subprocess.PIPE,
        text=True,
        timeout=150,
        check=True,
    )
    answers: list[object] = json.loads(done.stdout)
    return answers


def check_calc(worker: Worker, tmp_path: Path) -> None:
    *answers, whoami = run_client(worker.broker_url, tmp_path / "executions")
    assert answers[:-1] == [
        3,
        12,
        6,
        {"a": [None, 1.5, "x"]},
        0.01,
        "KeyError: 'k'",
        "CalcError: own",
        3,
        2,
        1,
        2,
        5,
    ]
    assert "JSON serializable" in str(answers[-1]) or "EncodeError" in str(answers[-1])
    assert isinstance(whoami, dict)
    assert whoami == {"hostname": worker.hostname, "pid": worker.pid}


def test_calc_answers_a_stock_client(worker: Worker, tmp_path: Path) -> None:
    check_calc(worker, tmp_path)


def test_calc_runs_under_other_celeries(broker: Broker, other_celery: Path, tmp_path: Path) -> None:
    with Worker.start(
        "tests.workers.calc", broker.server.fresh_url(), ["calc"], pool="solo", python=other_celery
    ) as worker:
        worker.wait_ready()
        check_calc(worker, tmp_path)


@pytest.mark.parametrize(("pool", "children"), [("prefork", 2), ("threads", 0), ("solo", 0)])
def test_a_worker_freezes_and_is_killed_with_its_pool(
    valkey: ValkeyBroker, pool: Pool, children: int
) -> None:
    with Worker.start("tests.workers.calc", valkey.url, ["calc"], pool=pool) as worker:
        worker.wait_ready()
        members = worker.process.members()
        assert len(members) == 1 + children
        assert worker.child_pids == [member.pid for member in members[1:]]

        worker.freeze()
        assert {member.status() for member in members} == {psutil.STATUS_STOPPED}
        assert not worker.answers()
        worker.thaw()
        wait_until(worker.answers)

        worker.freeze()
        worker.kill()
        assert not worker.running
        assert worker.process.members() == []
        assert "ready." in worker.log


def test_stop_is_a_warm_shutdown(valkey: ValkeyBroker) -> None:
    worker = Worker.start("tests.workers.calc", valkey.url, ["calc"])
    worker.wait_ready()
    worker.stop()
    assert not worker.running
    assert worker.process.members() == []
    assert "Warm shutdown" in worker.log


def test_a_worker_that_cannot_start_is_told_with_its_log(valkey: ValkeyBroker) -> None:
    with (
        Worker.start("tests.workers.no_such_module", valkey.url, ["calc"]) as worker,
        pytest.raises(AssertionError, match="no_such_module"),
    ):
        worker.wait_ready()


def test_a_suicide_ends_one_pool_process(valkey: ValkeyBroker) -> None:
    url = valkey.fresh_url()
    with Worker.start("tests.workers.calc", url, ["calc"], concurrency=1) as worker:
        worker.wait_ready()
        (child,) = worker.child_pids
        subprocess.run(
            [sys.executable, "-m", "celery", "-b", url, "call", "calc.suicide", "--queue", "calc"],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=ROOT,
        )
        wait_until(lambda: worker.child_pids not in ([child], []), what="a new pool process")
        assert "WorkerLostError" in worker.log


def test_the_messages_that_wait_are_counted(broker: Broker) -> None:
    place = Broker.on(broker.server)
    assert place.waiting("calc") == 0
    call = [sys.executable, "-m", "celery", "-b", place.url, "call", "calc.ignored"]
    subprocess.run([*call, "--queue", "calc"], check=True, stdout=subprocess.DEVNULL, cwd=ROOT)
    wait_until(lambda: place.waiting("calc") == 1)
    with Worker.start("tests.workers.calc", place.url, ["calc"], pool="solo") as worker:
        worker.wait_ready()
        wait_until(lambda: place.waiting("calc") == 0)


def test_a_worker_comes_back_when_its_link_does(broker: Broker) -> None:
    with (
        FaultProxy.before(broker.url) as proxy,
        Worker.start(
            "tests.workers.calc", proxy.url(broker.server.fresh_url()), ["calc"], pool="threads"
        ) as worker,
    ):
        worker.wait_ready()
        proxy.refuse()
        proxy.cut()
        wait_until(lambda: "Connection to broker lost" in worker.log)
        proxy.heal()
        wait_until(worker.answers)
