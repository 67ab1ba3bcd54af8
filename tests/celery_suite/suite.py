"""A run of one file of Celery's integration tests: servers, a stock worker, and pytest."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.servers import RabbitBroker, ValkeyBroker, Worker
from tests.servers.process import ROOT

BROKERS = ("redis", "rabbitmq")

#: Whose chain, group and chord the tests use.
FAMILIES = ("ours", "celery")

FILES = ("test_canvas", "test_tasks", "test_inspect")

#: What the tests find in the place of Celery's own files of that name.
STAND_INS = {
    "tasks.py": "from tests.celery_suite.tasks import *\n"
    "from tests.celery_suite.tasks import __getattr__\n",
    "conftest.py": "from tests.celery_suite.names import *\n",
}

#: How pytest finds Celery's tests.
SETTINGS = "[pytest]\npython_classes = test_*\n"


def checkout() -> Path | None:
    """Return where the environment says that Celery's sources are, if it does."""
    named = os.environ.get("CELERY_CHECKOUT")
    return Path(named) if named else None


def run(
    source: Path,
    broker: str,
    family: str,
    file: str,
    arguments: Sequence[str] = (),
    *,
    skipping: bool = True,
) -> int:
    """Run one file of tests, and return pytest's exit code.

    Args:
        source: a checkout of Celery.
        arguments: more for pytest.
        skipping: leave out what cannot pass.
    """
    with staged(source, file) as stage, echo_server() as echo, broker_url(broker) as url:
        host, port = echo.removeprefix("redis://").partition("/")[0].split(":")
        env = {"REDIS_HOST": host, "REDIS_PORT": port, "SUITE_BROKER": url}
        with started(url, stage / "worker", env, 4 if file == "test_canvas" else 1) as worker:
            env |= {
                "PYTHONPATH": f"{ROOT}{os.pathsep}{stage / 'client'}",
                "SUITE_FAMILY": family,
                "SUITE_NODE": worker.hostname,
                "SUITE_WORKER_LOG": str(worker.log_path),
                "SUITE_SKIPPING": "yes" if skipping else "",
            }
            command = [sys.executable, "-m", "pytest", f"t/integration/{file}.py"]
            command += ["-p", "tests.celery_suite.plugin", "-p", "no:celery", "-p", "no:xdist"]
            command += [
                "-p",
                "no:cacheprovider",
                "-W",
                "ignore",
                "--tb=short",
                "-rfEXs",
                *arguments,
            ]
            print(f"{file} on {broker}, with the classes of {family}", flush=True)
            done = subprocess.run(command, cwd=stage / "client", env={**os.environ, **env})
            return done.returncode


@contextmanager
def staged(source: Path, file: str) -> Iterator[Path]:
    """Copy what is needed of Celery's tests to where it finds our files beside it."""
    with tempfile.TemporaryDirectory(prefix="celery-suite-") as name:
        stage = Path(name)
        for side in ("worker", "client"):
            package = stage / side / "t" / "integration"
            package.mkdir(parents=True)
            for each in (package, package.parent):
                (each / "__init__.py").touch()
        shutil.copy(source / "t/integration/tasks.py", stage / "worker/t/integration")
        shutil.copy(source / f"t/integration/{file}.py", stage / "client/t/integration")
        for stand_in, text in STAND_INS.items():
            (stage / "client/t/integration" / stand_in).write_text(text)
        (stage / "client/pytest.ini").write_text(SETTINGS)
        yield stage


@contextmanager
def echo_server() -> Iterator[str]:
    """Start the Redis to which Celery's test tasks write that they have run."""
    with ValkeyBroker() as server:
        yield server.fresh_url()


@contextmanager
def broker_url(kind: str) -> Iterator[str]:
    """Start a broker."""
    with ValkeyBroker() if kind == "redis" else RabbitBroker() as server:
        yield server.fresh_url()


@contextmanager
def started(url: str, directory: Path, env: dict[str, str], concurrency: int) -> Iterator[Worker]:
    """Start a stock worker that has Celery's test tasks."""
    with Worker.start(
        "tests.celery_suite.worker",
        url,
        ["celery"],
        concurrency=concurrency,
        env={**env, "PYTHONPATH": str(directory)},
    ) as worker:
        yield worker.wait_ready()
