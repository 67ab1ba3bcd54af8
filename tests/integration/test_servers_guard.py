"""What the rules of the test run do: the watchdog, the guard, and a server that is missing."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.servers import wait_until
from tests.servers.process import ROOT

HANGING = """
import time
import pytest
from tests.servers import Worker
from tests.servers.guard import GUARD

@pytest.mark.watchdog(3)
@pytest.mark.parametrize("broker", ["some"])
def test_hang(broker, valkey, tmp_path):
    worker = Worker.start("tests.workers.calc", valkey.url, ["calc"]).wait_ready()
    worker.freeze()
    with open({left!r}, "w") as left:
        print(*(member.pid for member in worker.process.members()), valkey.pid, file=left)
        print(GUARD.directory("some").parent, file=left)
    time.sleep(60)
"""

SLOW = """
import faulthandler, time
import pytest

@pytest.fixture
def slow_fixture():
    time.sleep(1.0)
    yield
    time.sleep(1.0)

@pytest.mark.watchdog(1.5)
def test_slow(slow_fixture):
    time.sleep(1.0)
"""

#: One test ends its process, each other one has to run all the same: also those of a file that
#: the same process had run before.
DEADLY = {
    "test_before.py": "def test_before(): pass",
    "test_deadly.py": """
import os
import pytest

@pytest.mark.parametrize("how", ["calm", "deadly"])
def test_die(how):
    if how == "deadly":
        os._exit(3)

def test_after():
    assert False
""",
    "test_last.py": "def test_last(): pass",
}

NEEDY = """
from tests.servers import RabbitBroker, RedisBroker

def test_redis():
    RedisBroker()
"""


def run_pytest(test: Path, *more: str, **env: str) -> "subprocess.CompletedProcess[str]":
    """Run one file of tests under the rules of tests/conftest.py."""
    kept = {name: value for name, value in os.environ.items() if name not in ("CI", *env)}
    options = "-p tests.conftest --noconftest -p no:cacheprovider -ra"
    options += f" -c {os.devnull} --rootdir {test if test.is_dir() else test.parent}"
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options.split(), *more, str(test)],
        env={**kept, "PYTHONPATH": str(ROOT), **env},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )


def test_the_watchdog_shows_the_stacks_and_leaves_no_process(tmp_path: Path) -> None:
    test, left = tmp_path / "test_hanging.py", tmp_path / "left"
    test.write_text(HANGING.format(left=str(left)))
    done = run_pytest(test)
    assert done.returncode == 1
    assert "test_hanging.py::test_hang[some]: the call takes too long" in done.stderr
    assert "in test_hang" in done.stderr
    *pids, directory = left.read_text().split()
    assert len(pids) == 4
    wait_until(lambda: not any(_is_alive(int(pid)) for pid in pids), what="the processes' end")
    wait_until(lambda: not Path(directory).exists(), what="the end of their directory")


@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_process_that_dies_costs_one_test_which_is_named(tmp_path: Path, processes: str) -> None:
    for name, text in DEADLY.items():
        (tmp_path / name).write_text(text)
    done = run_pytest(tmp_path, "--numprocesses", processes, "--dist", "loadfile")
    assert "crashed while running 'test_deadly.py::test_die[deadly]'" in done.stdout
    assert "test_deadly.py::test_after" in done.stdout
    assert "2 failed, 3 passed" in done.stdout


def test_the_watchdog_gives_each_phase_its_time(tmp_path: Path) -> None:
    test = tmp_path / "test_slow.py"
    test.write_text(SLOW)
    done = run_pytest(test)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("env", "outcome", "code"), [({}, "1 skipped", 0), ({"CI": "true"}, "1 failed", 1)]
)
def test_a_missing_server_skips_locally_and_fails_under_ci(
    tmp_path: Path, env: dict[str, str], outcome: str, code: int
) -> None:
    test = tmp_path / "test_needy.py"
    test.write_text(NEEDY)
    done = run_pytest(test, PATH="", **env)
    assert outcome in done.stdout
    assert "redis-server is not installed" in done.stdout
    assert done.returncode == code


def _is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
