"""A service changes its contract in ten ways; the command line names each, and whom it breaks."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery

from tests.acceptance import cli
from tests.servers import Broker, Worker

HEAD = """
from typing import Literal
from celery import Celery
from celery_rpc.worker import expose
from pydantic import BaseModel

app = Celery("shop", backend="rpc://")
app.conf.task_default_queue = "shop"
app.conf.broker_connection_retry_on_startup = True
expose(app)

class Empty(Exception):
    pass
"""

OLD = f"""{HEAD}
class Order(BaseModel):
    sku: str
    amount: int = 1

@app.task(name="shop.gone")
def gone(x: int) -> int: ...
@app.task(name="shop.needs")
def needs(x: int) -> int: ...
@app.task(name="shop.renames")
def renames(x: int, y: int) -> int: ...
@app.task(name="shop.narrows")
def narrows(x: int | None) -> int: ...
@app.task(name="shop.returns")
def returns(x: int) -> int: ...
@app.task(name="shop.defaults")
def defaults(x: int = 0) -> int: ...
@app.task(name="shop.moves")
def moves(x: int) -> int: ...
@app.task(name="shop.raises", throws=(Empty,))
def raises(x: int) -> int: ...
@app.task(name="shop.orders")
def orders(order: Order) -> int: ...
@app.task(name="shop.chooses")
def chooses(x: int) -> Literal["a"]: ...
"""

NEW = f"""{HEAD}
app.conf.task_routes = {{"shop.moves": "depot"}}

class Order(BaseModel):
    sku: str
    amount: int = 1
    currency: str

@app.task(name="shop.needs")
def needs(x: int, y: int) -> int: ...
@app.task(name="shop.renames")
def renames(x: int, z: int) -> int: ...
@app.task(name="shop.narrows")
def narrows(x: int) -> int: ...
@app.task(name="shop.returns")
def returns(x: int) -> str: ...
@app.task(name="shop.defaults")
def defaults(x: int = 1) -> int: ...
@app.task(name="shop.moves")
def moves(x: int) -> int: ...
@app.task(name="shop.raises", throws=())
def raises(x: int) -> int: ...
@app.task(name="shop.orders")
def orders(order: Order) -> int: ...
@app.task(name="shop.chooses")
def chooses(x: int) -> Literal["a", "b"]: ...
"""

EVERYONE = ["callers", "messages"]
EXPECTED = {
    ("shop.gone", "TASK_REMOVED"): EVERYONE,
    ("shop.needs", "PARAMETER_ADDED_REQUIRED"): EVERYONE,
    ("shop.renames", "PARAMETER_RENAMED"): EVERYONE,
    ("shop.narrows", "PARAMETER_TYPE_NARROWED"): EVERYONE,
    ("shop.returns", "RETURN_TYPE_CHANGED"): ["callers"],
    ("shop.defaults", "DEFAULT_CHANGED"): [],
    ("shop.moves", "QUEUE_CHANGED"): EVERYONE,
    ("shop.raises", "ERROR_REMOVED"): ["callers"],
    ("shop.orders", "MODEL_FIELD_ADDED_REQUIRED"): EVERYONE,
    ("shop.chooses", "ENUM_VALUE_ADDED"): ["callers"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A service's repository: the old contract is committed, the new one is in its source."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "shop_old.py").write_text(OLD)
    (folder / "shop_new.py").write_text(NEW)
    done = run(folder, "catalog", "save", "services.json", "--app", "shop_old:app")
    assert done.returncode == 0, done.stderr
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "The contract"]):
        subprocess.run([*git, *command], cwd=folder, check=True, timeout=cli.SECONDS)
    return folder


def run(folder: Path, *args: str) -> "subprocess.CompletedProcess[str]":
    return cli.run(*args, cwd=str(folder))


@pytest.mark.parametrize("old", ["services.json", "HEAD:services.json", "shop_old:app"])
def test_ten_changes_are_ten_rules_each_with_whom_it_breaks(folder: Path, old: str) -> None:
    done = run(folder, "diff", old, "shop_new:app", "--format", "json")
    assert done.returncode == 1, done.stderr
    found = {(each["task"], each["rule"]): each["effects"] for each in json.loads(done.stdout)}
    del found["", "SERVICE_ADDED"]  # the queue to which one task has moved
    assert found == EXPECTED


def test_what_breaks_nobody_is_0(folder: Path) -> None:
    breaking = {rule for (_, rule), effects in EXPECTED.items() if effects}
    ignored = [word for rule in sorted(breaking) for word in ("--ignore", rule)]
    done = run(folder, "diff", "services.json", "shop_new:app", *ignored)
    assert done.returncode == 0
    assert done.stdout == (
        "compatible\tSERVICE_ADDED\tdepot\twith shop.moves\n"
        "compatible\tDEFAULT_CHANGED\tshop:shop.defaults x\t0 -> 1\n"
    )
    assert done.stderr == "note: 2 changes, 0 breaking\n"


@pytest.mark.parametrize(("form", "out"), [("text", ""), ("json", "[]\n"), ("github", "")])
def test_that_nothing_differs_is_said(folder: Path, form: str, out: str) -> None:
    same = run(folder, "diff", "services.json", "shop_old:app", "--format", form)
    assert (same.returncode, same.stdout) == (0, out)
    assert same.stderr == "note: nothing that was compared differs\n"


def test_annotations_for_github(folder: Path) -> None:
    lines = run(folder, "diff", "services.json", "shop_new:app", "--format", "github").stdout
    assert (
        "::error title=PARAMETER_RENAMED breaks callers and messages::"
        "shop:shop.renames z: y -> z\n" in lines
    )
    assert "::notice title=DEFAULT_CHANGED compatible::shop:shop.defaults x: 0 -> 1\n" in lines


@pytest.mark.parametrize(
    ("old", "said"),
    [
        ("nowhere.json", "nowhere.json cannot be read: No such file"),
        ("HEAD:nowhere.json", "git cannot give HEAD:nowhere.json: path 'nowhere.json' does not"),
        ("--upload-pack=x:y.json", "No such option"),
        ("shop_old:nothing", "module shop_old has no app 'nothing'"),
        ("shop_old:OLD", "has no app"),
        ("no_such_module:app", "ModuleNotFoundError"),
        ("what is this", "names no catalog: give a file, REVISION:FILE.json, MODULE:APP"),
        ("shop_new.py", "shop_new.py is no JSON"),
        ("gopher://x", "gopher"),
    ],
)
def test_what_cannot_be_read_is_2(folder: Path, old: str, said: str) -> None:
    done = run(folder, "diff", old, "services.json")
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_rule_is_2_and_the_near_one_is_named(folder: Path) -> None:
    done = run(folder, "diff", "services.json", "services.json", "--ignore", "task_removd")
    assert done.returncode == 2
    assert "there is no rule 'task_removd'; did you mean 'TASK_REMOVED'?" in done.stderr


def test_commands_read_an_app_or_a_file_in_place_of_a_broker(folder: Path) -> None:
    assert run(folder, "ls", "--app", "shop_new:app").stdout.splitlines() == [
        "depot\t1\t0\trpc\t",
        "shop\t8\t0\trpc\t",
    ]
    for source in (["--app", "shop_old:app@shop"], ["--from-catalog", "services.json"]):
        shown = run(folder, "describe", "shop.needs", *source).stdout
        assert "python\tclient.shop.needs(...)\n" in shown
        wrong = run(folder, "describe", "shop.need", *source)
        assert wrong.returncode == 3
        assert "did you mean 'needs'" in wrong.stderr
    done = run(folder, "ls", "--app", "shop_old:app", "--from-catalog", "services.json")
    assert done.returncode == 2
    assert "say one" in done.stderr


def test_show_writes_signatures_as_python_does(folder: Path) -> None:
    shown = run(folder, "catalog", "show", "services.json", "-Q", "shop").stdout
    assert "shop\tshop.renames\t(x: int, y: int) -> int\tschema\n" in shown
    text = run(folder, "catalog", "show", "services.json", "--json").stdout
    assert text == (folder / "services.json").read_text()


@pytest.fixture(scope="module")
def services(broker: Broker, folder: Path) -> Iterator[str]:
    """The old contract, live."""
    with Worker.start(
        "shop_old", broker.url, ["shop"], pool="solo", env={"PYTHONPATH": str(folder)}
    ) as worker:
        worker.wait_ready()
        yield broker.url


def test_a_file_is_checked_against_the_live_services(folder: Path, services: str) -> None:
    same = run(folder, "catalog", "check", "services.json", "-b", services)
    assert (same.returncode, same.stdout) == (0, ""), same.stderr
    assert same.stderr == "note: nothing that was compared differs\n"
    saved = run(folder, "catalog", "save", "live.json", "-b", services, "-Q", "shop")
    assert saved.returncode == 0
    assert (folder / "live.json").read_text() == (folder / "services.json").read_text()
    run(folder, "catalog", "save", "new.json", "--app", "shop_new:app")
    other = run(folder, "catalog", "check", "new.json", "-b", services)
    assert other.returncode == 1
    assert "PARAMETER_REMOVED\tshop:shop.needs y\tit is gone" in other.stdout


def test_messages_that_wait_are_held_against_the_new_signatures(
    folder: Path, broker: Broker
) -> None:
    with Celery("sender", broker=broker.url, set_as_current=False) as app:
        app.send_task("shop.needs", (1,), queue="till", task_id="old-1")
        app.send_task("shop.needs", (1, 2), queue="till", task_id="new-1")
    sides = ["shop_old:app@till", "shop_new:app@till"]
    for _ in range(2):
        done = run(folder, "diff", *sides, "-b", broker.url, "--format", "json")
        assert done.returncode == 1, done.stderr
        [found] = [each for each in json.loads(done.stdout) if each["rule"] == "MESSAGE_REFUSED"]
        assert (found["task"], found["where"]) == ("shop.needs", "message old-1")
        assert "missing a required argument: 'y'" in found["text"]
        assert found["effects"] == ["messages"]


def test_an_unknown_queue_is_3_and_writes_nothing(folder: Path) -> None:
    done = run(folder, "catalog", "save", "x.json", "--app", "shop_new:app", "-Q", "shopp")
    assert done.returncode == 3
    assert "there is no service 'shopp' (there are: depot, shop)" in done.stderr
    assert not (folder / "x.json").exists()
