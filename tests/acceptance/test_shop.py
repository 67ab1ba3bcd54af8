"""The example services: whatever ends them, no worker is left behind."""

import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.servers import ValkeyBroker
from tests.servers.process import ROOT

Process = subprocess.Popen[bytes]


class InterruptedEntries(dict[str, Process]):
    """Takes in a process only after a request to end has come."""

    def __init__(self) -> None:
        self.begun: list[Process] = []

    def __setitem__(self, service: str, process: Process) -> None:
        self.begun.append(process)
        signal.raise_signal(signal.SIGTERM)
        super().__setitem__(service, process)


@contextmanager
def ended_by_signal() -> Generator[None]:
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_request_to_end_amid_the_start_leaves_no_worker(valkey: ValkeyBroker) -> None:
    folder = str(ROOT / "examples" / "services")
    sys.path.insert(0, folder)
    try:
        from shop import Shop  # type: ignore[import-not-found, unused-ignore]
    finally:
        sys.path.remove(folder)
    shop: Any = Shop(valkey.fresh_url(), services=["billing", "legacy"], pool="solo")
    entries = shop.processes = InterruptedEntries()
    with ended_by_signal(), pytest.raises(KeyboardInterrupt), shop:
        pass
    assert len(entries.begun) == 1
    assert all(process.poll() is not None for process in entries.begun)
