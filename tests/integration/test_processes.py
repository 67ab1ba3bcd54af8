"""Processes of every kind: they end in time, silently, and forked or patched ones work."""

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.limits import GRACE, ends_within
from tests.servers import Broker, Gate, ServerProcess, free_port, wait_until
from tests.servers.process import ROOT

pytestmark = pytest.mark.usefixtures("worker")


@contextmanager
def running(program: str, broker: Broker, *args: str) -> Iterator[subprocess.Popen[str]]:
    """Run a program with every warning an error, and end it if it has not ended by itself."""
    command = [sys.executable, "-W", "error", "-c", program, broker.client_url, *args]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        try:
            yield process
        finally:
            process.kill()


EXITS = """
import sys
from celery_rpc import connect
client = connect(sys.argv[1])
client.calc.add(1, 1)
replies = client.calc.hold.batch([(sys.argv[2],)] * 3)
client.calc.add.delay(1, 1).add_done_callback(lambda reply: None)
print("the end", flush=True)
"""


def test_R29_an_interpreter_with_pending_calls_ends_within_two_seconds_silently(
    broker: Broker, gate: Gate
) -> None:
    with running(EXITS, broker, gate.path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "the end\n"
        with ends_within(2 - GRACE):
            assert process.communicate(timeout=60) == ("", "")
        assert process.returncode == 0


GEVENT = """
from gevent import monkey
monkey.patch_all()
import gevent, pathlib, sys
from celery_rpc import connect, DeadlineExceeded
with connect(sys.argv[1]) as client:
    add, sleep = client.calc.add, client.calc.sleep
    jobs = [gevent.spawn(client.calc.hold, sys.argv[2], n) for n in range(4)]
    ticks = [gevent.spawn(gevent.sleep, 0.01) for _ in range(10)]
    gevent.joinall(ticks, raise_error=True)
    assert not any(job.ready() for job in jobs), "greenlets do not run meanwhile"
    pathlib.Path(sys.argv[2]).touch()
    gevent.joinall(jobs, raise_error=True)
    assert [job.value for job in jobs] == [*range(4)]
    assert [r.get(timeout=30) for r in add.batch([(n, 1) for n in range(200)])] == [*range(1, 201)]
    jobs = [gevent.spawn(add, n, 1) for n in range(100)]
    gevent.joinall(jobs, raise_error=True)
    assert [job.value for job in jobs] == [*range(1, 101)]
    try:
        sleep.options(timeout=0.2)(1)
    except DeadlineExceeded:
        print("good")
"""


def test_R26_a_process_that_gevent_patched_works(broker: Broker, gate: Gate) -> None:
    with running(GEVENT, broker, gate.path) as process:
        assert process.communicate(timeout=150) == ("good\n", "")


WEB = """
import os
from celery_rpc import connect

client = connect(os.environ["BROKER"])
client.calc.add(1, 1)  # before the workers are forked


def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    total = sum(client.calc.add(n, 1) for n in range(20))
    return [f"{os.getpid()} {total}".encode()]
"""


def test_R25_gunicorn_with_preload_calls_from_every_worker(broker: Broker, tmp_path: Path) -> None:
    (tmp_path / "web.py").write_text(WEB)
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "web:app", "--preload", "--workers", "3"]
    environment = {**os.environ, "BROKER": broker.client_url, "PYTHONPATH": str(ROOT)}
    server = ServerProcess(
        [*command, "--bind", f"127.0.0.1:{port}", "--no-control-socket"],
        log=tmp_path / "log",
        cwd=tmp_path,
        env=environment,
    )
    try:
        server.wait_until(lambda: is_open(port), timeout=60, what="it to listen")
        seen: set[str] = set()

        def ask() -> bool:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60) as answer:
                pid, total = answer.read().decode().split()
            assert total == "210"
            seen.add(pid)
            return len(seen) >= 2

        wait_until(ask, timeout=60, what="answers of two workers")
    finally:
        server.terminate(timeout=5)


ASYNC = """
import os, threading
import psutil
from celery_rpc import connect

client = connect(os.environ["BROKER"])


def held():
    connections = psutil.Process().net_connections()
    brokers = [each.raddr.port for each in connections if each.raddr]
    names = [thread.name for thread in threading.enumerate()]
    threads = [name for name in names if not name.startswith("asyncio_")]  # the loop's own
    return threads, brokers.count(int(os.environ["PORT"]))


async def lifespan(receive, send):
    await receive()
    before = held()
    await client.discover()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    in_use = held()
    client.close()
    left = held()
    print("in use:", in_use > before, "left:", left if left != before else "nothing")
    await send({"type": "lifespan.shutdown.complete"})


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return await lifespan(receive, send)
    _, name, argument = scope["path"].split("/", 2)
    print("asked to", name, argument, flush=True)
    value = await client.calc[name].aio(argument)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(value).encode()})
"""


@pytest.mark.parametrize("lifespan", ["on", "off"])
def test_R27_uvicorn_serves_many_at_once_and_stops_with_nothing_left(
    broker: Broker, tmp_path: Path, lifespan: str, gate: Gate
) -> None:
    """With its lifespan off nobody closes the client: the interpreter's end does."""
    serving = uvicorn(broker, tmp_path, "--lifespan", lifespan)
    with serving as (server, port), ThreadPoolExecutor(64) as threads:
        slow = [threads.submit(fetch, port, f"hold/{gate.path}") for _ in range(4)]
        quick = [threads.submit(fetch, port, f"echo/{n}") for n in range(50)]
        wait_until(lambda: server.log.count("asked to") == 54, what="all to be asked at once")
        gate.open()
        assert [each.result() for each in quick] == [str(n) for n in range(50)]
        assert [each.result() for each in slow] == ["None"] * 4
        last_gate = Gate(tmp_path / "last")
        last = threads.submit(fetch, port, f"hold/{last_gate.path}")
        wait_until(lambda: last_gate.held, what="the last request")
        os.kill(server.pid, signal.SIGTERM)
        wait_until(lambda: "Shutting down" in server.log, what="it to wait for that one")
        last_gate.open()
        with ends_within(2 - GRACE):
            assert last.result() == "None"
            wait_until(lambda: not server.running, timeout=60, what="its end")
    assert "Finished server process" in server.log
    assert ("in use: True left: nothing" in server.log) is (lifespan == "on")
    assert not [word for word in ("rror", "arning", "Traceback") if word in server.log], server.log


@contextmanager
def uvicorn(broker: Broker, folder: Path, *options: str) -> Iterator[tuple[ServerProcess, int]]:
    """Serve ASYNC, with every warning an error."""
    (folder / "web.py").write_text(ASYNC)
    port = free_port()
    command = [sys.executable, "-W", "error", "-m", "uvicorn", "web:app", "--port", str(port)]
    environment = {
        **os.environ,
        "BROKER": broker.client_url,
        "PORT": str(broker.server.port),
        "PYTHONPATH": str(ROOT),
    }
    server = ServerProcess([*command, *options], log=folder / "log", cwd=folder, env=environment)
    try:
        server.wait_until(lambda: is_open(port), timeout=60, what="it to listen")
        yield server, port
    finally:
        server.terminate(timeout=5)


def fetch(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=60) as answer:
        return str(answer.read().decode())


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
