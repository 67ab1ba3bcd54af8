"""Programs of users: both type checkers refuse the lines that say so, and no other."""

from pathlib import Path

import pytest

from tests.servers.process import ROOT
from tests.shop import genstubs
from tests.typing import checkers


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("programs")
    checkers.prepare(place)
    return place


@pytest.mark.watchdog(300)
def test_mypy_refuses_just_the_lines_that_are_wrong(folder: Path) -> None:
    assert checkers.by_mypy(folder) == checkers.wanted("mypy")


@pytest.mark.watchdog(300)
def test_pyright_refuses_just_the_lines_that_are_wrong(folder: Path) -> None:
    assert checkers.by_pyright(folder) == checkers.wanted("pyright")


def test_committed_stubs_are_those_of_the_services_source() -> None:
    done = genstubs("--check")
    assert done.returncode == 0, f"python -m tests.shop writes {ROOT / 'stubs'}:\n{done.stdout}"
