"""A registry of many modules types connect() as one of a single module does."""

import json
from pathlib import Path

import pytest

from benchmarks.stubs import large_catalog
from celery_rpc.catalog import saved
from tests.servers.process import ROOT
from tests.shop import celery_rpc
from tests.typing import checkers

PROGRAM = """\
from celery_rpc import connect
from celery_rpc_registry import Address

home: Address = connect().service_00.task_0040(1)
connect().service_39.task_0039("one")
"""

STUBS = "celery_rpc_registry"


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("catalog") / "large.json"
    saved.save(large_catalog(), file)
    return str(file)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, catalog: str) -> Path:
    place = tmp_path_factory.mktemp("large")
    done = celery_rpc("genstubs", "--from-catalog", catalog, "--no-probe", cwd=place)
    assert done.returncode == 0, done.stderr
    (place / "program.py").write_text(PROGRAM)
    settings = {**checkers.SETTINGS, "stubPath": "stubs", "include": ["program.py"]}
    (place / "pyrightconfig.json").write_text(json.dumps(settings))
    return place


@pytest.mark.watchdog(300)
def test_mypy_types_calls_through_a_split_registry(folder: Path) -> None:
    path = f"{folder / 'stubs'}:{ROOT}"
    command = ("mypy", "--strict", "--config-file", "/dev/null", "program.py")
    output = checkers.run(*command, folder=folder, MYPYPATH=path)
    assert 'program.py:5: error: Argument 1 to "__call__"' in output
    assert "Found 1 error" in output


@pytest.mark.watchdog(300)
def test_pyright_types_calls_through_a_split_registry(folder: Path) -> None:
    found = checkers.by_pyright(folder)
    assert found == {("program.py", 5): {"reportArgumentType"}}


@pytest.mark.watchdog(300)
def test_mypy_of_a_user_reads_no_library_that_the_public_names_do_not_need(folder: Path) -> None:
    options = ("--strict", "--config-file", "/dev/null", "--no-sqlite-cache", "--cache-dir", "read")
    checkers.run("mypy", *options, "program.py", folder=folder, MYPYPATH=str(folder / "stubs"))
    read = {path.name.split(".")[0] for path in (folder / "read").glob("*/*")}
    assert {"celery_rpc", STUBS} <= read
    assert not {"amqp", "click", "pydantic", "redis", "rich"} & read


def test_check_finds_modules_that_are_stale_missing_or_left_over(
    folder: Path, catalog: str
) -> None:
    check = ("genstubs", "--from-catalog", catalog, "--check")
    assert celery_rpc(*check, cwd=folder).returncode == 0
    part = folder / "stubs" / f"{STUBS}_service_07.pyi"
    text = part.read_text()
    other = part.with_name(f"{STUBS}_service_99.pyi")
    other.write_text(text)
    assert "service_99.pyi as it is" in celery_rpc(*check, cwd=folder).stdout
    other.unlink()
    part.write_text(text.replace("task_0007", "task_7"))
    assert "+    task_0007:" in celery_rpc(*check, cwd=folder).stdout
    part.unlink()
    assert celery_rpc(*check, cwd=folder).returncode == 1
    part.write_text(text)


def test_a_registry_that_has_become_small_is_one_file_again(tmp_path: Path, catalog: str) -> None:
    every = ("genstubs", "--from-catalog", catalog, "--no-probe")
    celery_rpc(*every, cwd=tmp_path)
    done = celery_rpc(*every, "-Q", "service_07", cwd=tmp_path)
    assert "1 file written, 41 files removed" in done.stderr
    assert [path.name for path in (tmp_path / "stubs").iterdir()] == [f"{STUBS}.pyi"]
    celery_rpc(*every, cwd=tmp_path)
    assert len(list((tmp_path / "stubs").iterdir())) == 42
