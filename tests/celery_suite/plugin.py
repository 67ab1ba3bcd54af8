"""The pytest plugin that gives Celery's tests our client in the place of their app."""

import inspect
import os
import signal
import time
from collections.abc import Callable, Generator, Iterator
from types import SimpleNamespace
from typing import Any

import celery
import pytest

import celery_rpc
from tests.celery_suite.received import heard
from tests.celery_suite.skips import reason
from tests.celery_suite.tasks import client, get_redis_connection

BROKER, FAMILY = os.environ["SUITE_BROKER"], os.environ["SUITE_FAMILY"]

#: Seconds for a test, which is what Celery gives its own.
LIMIT = 300

#: For what belongs to no client: asking workers, and a producer of raw messages.
plain = celery.Celery("plain", broker=BROKER, backend="rpc://")
plain.conf.update(task_create_missing_queues=False)


class Conf:
    """The client's settings; most tests that want a Redis backend only need a Redis to write to."""

    def __init__(self, conf: Any) -> None:
        self.__dict__["_conf"] = conf

    def __getattr__(self, name: str) -> Any:
        pretended = {"result_backend": "redis://", "broker_url": BROKER}
        return pretended[name] if name in pretended else getattr(self._conf, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._conf, name, value)


class App:
    """The client's app, with the control commands of an ordinary one."""

    def __init__(self) -> None:
        self.conf = Conf(client.app.conf)
        self.control = plain.control
        self.producer_pool = plain.producer_pool

    def __getattr__(self, name: str) -> Any:
        return getattr(client.app, name)

    def register_task(self, task: Any) -> Any:
        """Leave it: the worker has it."""
        return task


class RevokedStamps:
    """What the worker remembers of revoked stamps."""

    def clear(self) -> None:
        """Let the worker forget them."""
        plain.control.broadcast("forget_revoked_stamps", reply=True)


class Manager:
    """What the tests ask of Celery's test manager."""

    def __init__(self) -> None:
        self.app = App()

    def inspect(self, timeout: float = 3.0) -> Any:
        """Ask the workers."""
        return plain.control.inspect(timeout=timeout)

    def join(self, result: Any, **how: Any) -> Any:
        """Wait for all members of a group."""
        return result.join(**how)

    def wait_until_idle(self) -> None:
        """Wait until the worker has nothing to do."""
        end = time.monotonic() + 30
        while time.monotonic() < end:
            workers = self.inspect(0.5)
            if not any([*(workers.active() or {}).values(), *(workers.reserved() or {}).values()]):
                return


@pytest.fixture
def manager(request: pytest.FixtureRequest) -> Iterator[Manager]:
    """The manager; where a test has left tasks that sleep, the next one waits for them."""
    made = Manager()
    yield made
    client.app.conf.task_allow_error_cb_on_chord_header = False
    if "sleeping" in source_of(request.function):
        made.wait_until_idle()


@pytest.fixture
def celery_session_app(manager: Manager) -> App:
    return manager.app


@pytest.fixture
def celery_session_worker() -> None:
    """The worker is there already."""


@pytest.fixture(autouse=True)
def hearing(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let tests hear what the worker receives, where they listen."""
    if "task_received" not in source_of(request.function):
        yield
        return
    with heard(get_redis_connection):
        yield


def source_of(test: Callable[..., Any]) -> str:
    """Return the source text of a test."""
    return inspect.getsource(test)


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers of plugins that are not needed here."""
    config.addinivalue_line("markers", "timeout(seconds): as of pytest-timeout; not heeded")
    config.addinivalue_line("markers", "flaky(...): as of pytest-rerunfailures; not heeded")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let everything count, but for what cannot pass."""
    for item in items:
        # Celery's expectations are of its own client: here, what it expects to fail must pass.
        item.own_markers[:] = [mark for mark in item.own_markers if not is_celerys(mark)]
        why = reason(item.nodeid.rpartition("/")[2], FAMILY) if os.environ["SUITE_SKIPPING"] else ""
        if why:
            item.add_marker(pytest.mark.skip(reason=why))


def is_celerys(mark: pytest.Mark) -> bool:
    """Whether a mark says what to expect of Celery's own client."""
    return mark.name == "xfail" or (mark.name == "skip" and "Broken" in str(mark.kwargs))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Put the client's names in the place of Celery's."""
    for module in {item.module for item in session.items if isinstance(item, pytest.Function)}:
        names: dict[str, Any] = {
            "NODENAME": os.environ["SUITE_NODE"],
            "signature": signature,
            "worker_state": SimpleNamespace(revoked_stamps=RevokedStamps()),
        }
        if FAMILY == "ours":
            names |= {name: getattr(celery_rpc, name) for name in ("chain", "group", "chord")}
        for name in names.keys() & vars(module).keys():
            setattr(module, name, names[name])


def signature(*args: Any, **kwargs: Any) -> Any:
    """Return a signature by name: it has to say its queue, and is told of the client."""
    return client.signature(celery.signature(*args, queue="celery", **kwargs))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """End a test that takes too long."""

    def end(*_: object) -> None:
        raise AssertionError(f"the test has not ended within {LIMIT} s")

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(LIMIT)
    try:
        return (yield)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
