"""Editors complete names and show signatures from the generated registry."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.typing.checkers import SETTINGS
from tests.typing.language_server import LanguageServer

HEAD = 'from celery_rpc import connect\n\nclient = connect("redis://localhost:6379/0")\n'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LanguageServer]:
    folder = tmp_path_factory.mktemp("project")
    (folder / "pyrightconfig.json").write_text(json.dumps(SETTINGS))
    with LanguageServer(folder) as started:
        yield started


def labels(answer: Any) -> set[str]:
    return {item["label"] for item in answer["items"]}


def test_services_are_completed(server: LanguageServer) -> None:
    found = labels(server.ask("completion", f"{HEAD}client.|"))
    assert {"billing", "inventory", "legacy", "mail", "media", "close", "catalog"} <= found


def test_tasks_are_completed(server: LanguageServer) -> None:
    found = labels(server.ask("completion", f"{HEAD}client.billing.|"))
    assert {"add", "charge", "invoice", "errors"} <= found
    assert "stock" not in found


def test_keys_of_a_result_are_completed(server: LanguageServer) -> None:
    program = f'{HEAD}reservation = client.inventory.reserve("desk")\nreservation["|"]'
    assert {'"left"', '"quantity"'} <= labels(server.ask("completion", program))


@pytest.mark.parametrize("call", ["add", "add.delay", "add.si"])
def test_signatures_are_shown(server: LanguageServer, call: str) -> None:
    answer = server.ask("signatureHelp", f"{HEAD}client.billing.{call}(1, |)")
    (signature,) = answer["signatures"]
    assert signature["label"].startswith("(x: int, y: int = 0)")
    assert answer["activeParameter"] == 1


def test_docstrings_are_shown(server: LanguageServer) -> None:
    answer = server.ask("signatureHelp", f"{HEAD}client.billing.add(|)")
    assert "Add two numbers." in json.dumps(answer)
