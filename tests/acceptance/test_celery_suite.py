"""Celery's own integration tests pass through our client, where somebody has them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.celery_suite.skips import OURS, SKIPS
from tests.celery_suite.suite import BROKERS, FAMILIES, FILES, checkout
from tests.servers.process import ROOT


@pytest.fixture
def source() -> Path:
    found = checkout()
    if found is None:
        pytest.skip("CELERY_CHECKOUT does not name a checkout of Celery")
    return found


@pytest.mark.watchdog(3600)
@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("broker", BROKERS)
def test_celerys_own_tests_pass(source: Path, broker: str, family: str, file: str) -> None:
    command = [sys.executable, "-m", "tests.celery_suite", str(source)]
    command += ["--broker", broker, "--family", family, "--file", file]
    env = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "test", [test for table in (SKIPS, OURS) for test in sum(table.values(), ())]
)
def test_what_is_left_out_is_there(source: Path, test: str) -> None:
    file, group, name = test.split("::")
    text = (source / "t/integration" / file).read_text()
    assert f"class {group}" in text
    assert name == "*" or f"def {name.partition('[')[0]}(" in text
