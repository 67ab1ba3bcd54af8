"""Fixtures and rules for all tests."""

import faulthandler
import os
import signal
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import profiles
from tests.servers import Broker, Gate, RabbitBroker, ValkeyBroker, Worker, celery_python

profiles.load()

WATCHDOG_SECONDS = 300.0 if profiles.PROFILE == "quick" else 7200.0

stderr_key = pytest.StashKey[int]()


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers, and keep the real stderr: later, pytest captures descriptor 2."""
    config.addinivalue_line(
        "markers",
        f"watchdog(seconds): the longest that the test's setup, call or teardown may take "
        f"({WATCHDOG_SECONDS:.0f} by default); then its name and all stacks are printed, and the "
        f"process ends",
    )
    config.stash[stderr_key] = os.dup(2)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A shell that ran this in the background made it, and all that it starts, ignore Ctrl-C.
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Close what pytest_configure opened."""
    unwatch()
    os.close(config.stash[stderr_key])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep on testing when a process dies."""
    from tests.scheduling import FileScheduling

    return FileScheduling(config, log) if config.getvalue("dist") == "loadfile" else None


def _watched(item: pytest.Item, phase: str) -> Generator[None, object, object]:
    marker = item.get_closest_marker("watchdog")
    seconds = float(marker.args[0]) if marker else WATCHDOG_SECONDS
    stderr = item.config.stash[stderr_key]

    def tell(*_: object) -> None:
        os.write(stderr, f"\n{item.nodeid}: the {phase} takes too long\n".encode())

    # The name comes from the main thread, if it still runs Python; the stacks come in any case.
    signal.signal(signal.SIGALRM, tell)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    faulthandler.dump_traceback_later(seconds + 0.5, exit=True, file=stderr)
    try:
        return (yield)
    finally:
        unwatch()


def unwatch() -> None:
    """Disarm the watchdog."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    faulthandler.cancel_dump_traceback_later()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    """Arm the watchdog for the fixtures' beginning."""
    return (yield from _watched(item, "setup"))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Arm the watchdog for the test."""
    return (yield from _watched(item, "call"))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    """Arm the watchdog for the fixtures' end."""
    return (yield from _watched(item, "teardown"))


def pytest_enter_pdb() -> None:
    """Let a person think for as long as it takes."""
    unwatch()


@pytest.fixture(scope="session")
def valkey() -> Iterator[ValkeyBroker]:
    """One Valkey server for the session; fresh_url() for a database of one's own."""
    with ValkeyBroker() as server:
        yield server


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[RabbitBroker]:
    """One RabbitMQ node for the session; vhost() for a virtual host of one's own."""
    with RabbitBroker() as server:
        yield server


@pytest.fixture(scope="module", params=["redis", "rabbitmq"])
def broker(request: pytest.FixtureRequest) -> Broker:
    """Each kind of broker in turn, empty for this module."""
    names = {"redis": "valkey", "rabbitmq": "rabbitmq"}
    return Broker.on(request.getfixturevalue(names[request.param]))


@pytest.fixture(scope="module")
def worker(broker: Broker) -> Iterator[Worker]:
    """A worker of tests.workers.calc on queue "calc", one a module and broker."""
    with Worker.start(
        "tests.workers.calc", broker.url, ["calc"], pool="threads", concurrency=4
    ) as started:
        yield started.wait_ready()


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    """Holds tasks until the test opens it, or has ended."""
    made = Gate(tmp_path / "gate")
    yield made
    made.open()


@pytest.fixture(scope="session", params=["5.4", "5.5", "5.6"])
def other_celery(request: pytest.FixtureRequest) -> Path:
    """Each other Celery that services may run, as the path of its interpreter."""
    unwatch()  # the first use installs it
    return celery_python(request.param)
