"""genstubs as people and CI run it."""

import json
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from celery_rpc.catalog import saved
from celery_rpc.codegen.checkers import probe
from tests.servers.process import ROOT
from tests.shop import celery_rpc, shop_catalog

STUB = Path("stubs", "celery_rpc_registry.pyi")


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("catalog") / "shop.json"
    saved.save(shop_catalog(), file)
    return str(file)


def test_stubs_are_written_checked_and_probed(tmp_path: Path, catalog: str) -> None:
    first = celery_rpc("genstubs", "--from-catalog", catalog, cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    assert "models in stubs: 1 file written" in first.stderr
    assert 'mypy_path = "stubs"' in first.stderr
    assert "legacy\tlegacy.tasks.cancel\torder\tnot annotated" in first.stdout
    same = celery_rpc("genstubs", "--from-catalog", catalog, "--check", cwd=tmp_path)
    assert (same.returncode, same.stdout) == (0, "")


def test_stale_stubs_are_shown_as_a_diff(tmp_path: Path, catalog: str) -> None:
    celery_rpc("genstubs", "--from-catalog", catalog, "--no-probe", "-Q", "mail", cwd=tmp_path)
    text = (tmp_path / STUB).read_text()
    stale = celery_rpc("genstubs", "--from-catalog", catalog, "--check", cwd=tmp_path)
    assert stale.returncode == 1
    assert "+    billing: _Billing" in stale.stdout
    assert (tmp_path / STUB).read_text() == text


def test_a_file_of_somebody_else_is_left_alone(tmp_path: Path, catalog: str) -> None:
    (tmp_path / "stubs").mkdir()
    (tmp_path / STUB).write_text("mine: int\n")
    done = celery_rpc("genstubs", "--from-catalog", catalog, cwd=tmp_path)
    assert done.returncode == 6
    assert "is not ours: move it away, or delete it" in done.stderr
    assert (tmp_path / STUB).read_text() == "mine: int\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--models", "pydantic"], "say --module NAME"),
        (["--module", "../evil"], "no name for a module"),
        (["--module", "celery_rpc"], "no name for a module"),
        (["--module", "class"], "no name for a module"),
        (["--module", "json"], "no name for a module"),
        (["--module", "pydantic"], "no name for a module"),
        (["--check", "--wheel", "acme-types"], "leave out one"),
        (["--wheel", "../evil"], "no name of a distribution"),
        (["-Q", "shipping"], "there is no service 'shipping'"),
    ],
)
def test_what_cannot_be_is_refused(
    tmp_path: Path, catalog: str, arguments: list[str], said: str
) -> None:
    done = celery_rpc("genstubs", "--from-catalog", catalog, *arguments, cwd=tmp_path)
    assert done.returncode != 0
    assert said in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_stubs_that_type_checkers_cannot_read_fail(tmp_path: Path, catalog: str) -> None:
    """A folder that type checkers do not look into, because its name is that of a package."""
    (tmp_path / "stubs").mkdir()
    hiding = tmp_path / "stubs" / "celery_rpc_registry"
    hiding.mkdir()
    (hiding / "__init__.pyi").write_text("Services: int\n")
    done = celery_rpc("genstubs", "--from-catalog", catalog, cwd=tmp_path)
    assert done.returncode == 6
    assert "connect() gives" in done.stderr


def test_the_report_is_json_for_scripts(tmp_path: Path, catalog: str) -> None:
    done = celery_rpc("genstubs", "--from-catalog", catalog, "--no-probe", "--json", cwd=tmp_path)
    report = json.loads(done.stdout)
    assert report["services"] == 5
    assert {"queue", "task", "where", "reason"} == report["gaps"][0].keys()


@pytest.mark.watchdog(300)
def test_an_installed_wheel_types_connect_without_any_setting(tmp_path: Path, catalog: str) -> None:
    made = celery_rpc("genstubs", "--from-catalog", catalog, "--wheel", "shop-stubs", cwd=tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    assert made.stdout.splitlines()[0] == wheel.name
    place = tmp_path / "venv"
    venv.create(place, with_pip=False)
    python = place / "bin" / "python"
    packages = Path(
        sysconfig.get_path("purelib", vars={"base": str(place), "platbase": str(place)})
    )
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"),
            *("--no-deps", "--no-index", str(wheel)),
        ],
        check=True,
        timeout=170,
    )
    # What celery-rpc needs is installed where the tests run.
    (packages / "tests.pth").write_text(f"{ROOT}\n{sysconfig.get_path('purelib')}\n")
    program = tmp_path / "program.py"
    program.write_text("from celery_rpc import connect\n\nx: str = connect().billing.add(1, 1)\n")
    for command, said in (
        (("mypy", "--strict", "--python-executable", str(python)), 'type "int"'),
        (("pyright", "--pythonpath", str(python)), '"int" is not assignable to "str"'),
    ):
        done = subprocess.run(
            [sys.executable, "-m", *command, str(program)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert said in done.stdout, done.stdout + done.stderr


def test_every_kind_of_type_gives_stubs_without_errors(tmp_path: Path) -> None:
    output = ("-o", str(tmp_path))
    done = celery_rpc("genstubs", "--app", "tests.workers.typed:app", *output)
    assert done.returncode == 0, done.stderr
    assert "typed\ttyped.ghost\t\ty: name 'Ghost' is not defined" in done.stdout


def test_the_probe_tells_errors_in_stubs(tmp_path: Path) -> None:
    stub = "from celery_rpc import BaseClient\n\nclass Services(BaseClient):\n    x: nonsense\n"
    (tmp_path / STUB.name).write_text(stub)
    verdicts = probe(tmp_path, "celery_rpc_registry", "Services")
    assert [verdict.checker for verdict in verdicts] == ["mypy", "pyright"]
    assert all("finds errors in the stubs" in verdict.problem for verdict in verdicts)
