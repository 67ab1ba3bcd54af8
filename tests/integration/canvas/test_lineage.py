"""Where each task is in its canvas: root_id, parent_id, group and group_index, as Celery sets them.

What is expected was observed: of Celery's own client and workers, with results in Redis.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import celery
import pytest

import celery_rpc
from celery_rpc import Graph, Retry
from tests.servers import wait_until

WAIT = 60.0

#: Root, parent, group and place; of root and parent any one of the labels; groups as they come.
Lineage = tuple[str, str, str, int | None]


def linked(signature: Any, *callbacks: Any) -> Any:
    for callback in callbacks:
        signature.link(callback)
    return signature


def long_chain() -> dict[str, Lineage]:
    names = [chr(ord("a") + number) for number in range(20)]
    return {
        name: ("a", before, "", None) for before, name in zip(["", *names], names, strict=False)
    }


Make = Callable[[Any, Any], Any]

CANVASES: dict[str, tuple[Make, dict[str, Lineage]]] = {
    "one": (lambda m, t: t("a"), {"a": ("a", "", "", None)}),
    "chain": (
        lambda m, t: m.chain(t("a"), t("b"), t("c")),
        {"a": ("a", "", "", None), "b": ("a", "a", "", None), "c": ("a", "b", "", None)},
    ),
    "long chain": (lambda m, t: m.chain(*[t(name) for name in long_chain()]), long_chain()),
    "group": (
        lambda m, t: m.group([t("a"), t("b")]),
        {"a": ("a", "", "0", 0), "b": ("b", "", "0", 1)},
    ),
    "chain that ends in a group": (
        lambda m, t: m.chain(t("a"), t("b"), m.group([t("c"), t("d")])),
        {
            "a": ("a", "", "", None),
            "b": ("a", "a", "", None),
            "c": ("a", "b", "0", 0),
            "d": ("a", "b", "0", 1),
        },
    ),
    "chord": (
        lambda m, t: m.chord([t("a"), t("b")], t("c")),
        {"a": ("a", "", "0", 0), "b": ("b", "", "0", 1), "c": ("ab", "ab", "0", None)},
    ),
    "chord in a chain": (
        lambda m, t: m.chain(t("a"), t("b"), m.chord([t("c")], t("d")), t("e")),
        {
            "a": ("a", "", "", None),
            "b": ("a", "a", "", None),
            "c": ("a", "b", "0", 0),
            "d": ("a", "c", "0", None),
            "e": ("a", "d", "", None),
        },
    ),
    "group in a chain": (
        lambda m, t: m.chain(t("a"), m.group([t("b"), t("c")]), m.chain(t("d"), t("e"))),
        {
            "a": ("a", "", "", None),
            "b": ("a", "a", "0", 0),
            "c": ("a", "a", "0", 1),
            "d": ("a", "bc", "0", None),
            "e": ("a", "d", "", None),
        },
    ),
    "group of chains": (
        lambda m, t: m.group([m.chain(t("a"), t("b")), m.chain(t("c"), t("d"))]),
        {
            "a": ("a", "", "", None),
            "b": ("a", "a", "0", 0),
            "c": ("c", "", "", None),
            "d": ("c", "c", "0", 1),
        },
    ),
    "chord of chains": (
        lambda m, t: m.chord([m.chain(t("a"), t("b")), m.chain(t("c"), t("d"))], t("e")),
        {
            "a": ("a", "", "", None),
            "b": ("a", "a", "0", 0),
            "c": ("c", "", "", None),
            "d": ("c", "c", "0", 1),
            "e": ("ac", "bd", "0", None),
        },
    ),
    "chord in a chord": (
        lambda m, t: m.chord([m.chord([t("a")], t("b"))], t("c")),
        {"a": ("a", "", "0", 0), "b": ("a", "a", "1", 0), "c": ("a", "b", "1", None)},
    ),
    "chord in a group": (
        lambda m, t: m.group([m.chord([t("a")], t("b")), t("c")]),
        {"a": ("a", "", "0", 0), "b": ("a", "a", "1", 0), "c": ("c", "", "1", 1)},
    ),
    "body that is a chain": (
        lambda m, t: m.chord([t("a")], m.chain(t("b"), t("c"))),
        {"a": ("a", "", "0", 0), "b": ("a", "a", "", None), "c": ("a", "b", "0", None)},
    ),
    "body that is a group": (
        lambda m, t: m.chord([t("a")], m.group([t("b"), t("c")])),
        {"a": ("a", "", "0", 0), "b": ("a", "a", "0", 0), "c": ("a", "a", "0", 1)},
    ),
    "body that is a chord": (
        lambda m, t: m.chord([t("a")], m.chord([t("b")], t("c"))),
        {"a": ("a", "", "0", 0), "b": ("a", "a", "1", 0), "c": ("a", "b", "0", None)},
    ),
    "two groups": (
        lambda m, t: m.chain(m.group([t("a"), t("b")]), m.group([t("c"), t("d")])),
        {
            "a": ("a", "", "0", 0),
            "b": ("b", "", "0", 1),
            "c": ("ab", "ab", "0", 0),
            "d": ("ab", "ab", "0", 1),
        },
    ),
    "chain that ends in a group, in a group": (
        lambda m, t: m.group([m.chain(t("a"), m.group([t("b"), t("c")])), t("d")]),
        {
            "a": ("a", "", "", None),
            "b": ("a", "a", "0", 0),
            "c": ("a", "a", "0", 1),
            "d": ("d", "", "0", 1),
        },
    ),
    "callbacks": (
        lambda m, t: linked(t("a"), t("b"), t("c")),
        {"a": ("a", "", "", None), "b": ("a", "a", "0", 0), "c": ("a", "a", "0", 1)},
    ),
    "chord with callbacks": (
        lambda m, t: m.chord(
            [linked(t("a"), t("w"))], linked(t("b"), t("x"), t("y"))
        ),
        {
            "a": ("a", "", "0", 0),
            "b": ("a", "a", "0", None),
            "w": ("a", "a", "", None),
            "x": ("a", "b", "1", 0),
            "y": ("a", "b", "1", 1),
        },
    ),
}  # fmt: skip


def told(path: Path, count: int) -> list[dict[str, Any]]:
    """Return what the tasks have told of themselves, by their labels, once all of them have."""
    wait_until(
        lambda: path.exists() and path.read_text().count("\n") == count,
        what="all tasks to run",
        timeout=WAIT,
    )
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return sorted(lines, key=lambda line: str(line["label"]))


@pytest.mark.parametrize("kind", CANVASES)
@pytest.mark.parametrize("module", [celery_rpc, celery], ids=["ours", "celery"])
def test_a_request_tells_where_it_is(client: Any, tmp_path: Path, module: Any, kind: str) -> None:
    make, expected = CANVASES[kind]
    path = tmp_path / "told"
    make(module, lambda label: client.calc.lineage.si(str(path), label)).delay().get(timeout=WAIT)
    lines = told(path, len(expected))
    labels = {None: "", **{line["id"]: line["label"] for line in lines}}
    groups: dict[str | None, str] = {None: ""}
    for line in lines:
        groups.setdefault(line["group"], str(len(groups) - 1))
        root, parent, group, place = expected[line["label"]]
        assert labels[line["root_id"]] in root, line
        assert labels[line["parent_id"]] in (parent or [""]), line
        assert (groups[line["group"]], line["group_index"]) == (group, place), line


@pytest.mark.parametrize("module", [celery_rpc, celery], ids=["ours", "celery"])
def test_a_request_names_the_group_by_the_id_of_its_result(
    client: Any, tmp_path: Path, module: Any
) -> None:
    path = tmp_path / "told"
    step = client.calc.lineage
    pair = module.group([step.si(str(path), "a"), step.si(str(path), "b")])
    result = pair.delay()
    assert {line["group"] for line in told(path, 2)} == {result.id}
    path.unlink()
    chord = module.chord([step.si(str(path), "a"), step.si(str(path), "b")], client.calc.echo.si(1))
    header = chord.delay().parent
    assert {line["group"] for line in told(path, 2)} == {header.id}


def test_an_attempt_is_named_by_what_it_was_called(client: Any, tmp_path: Path) -> None:
    path = tmp_path / "told"
    graph = Graph()
    tried = graph.add(client.calc.lineage.si(str(path), "a"), retry=Retry(attempts=2))
    graph.add(client.calc.lineage.si(str(path), "b"), after=tried)
    client.run(graph).get(timeout=WAIT)
    first, second = told(path, 2)
    assert (second["root_id"], second["parent_id"]) == (first["id"], first["id"])


def test_an_errback_that_the_client_calls_has_the_failed_task_as_parent(
    client: Any, tmp_path: Path
) -> None:
    path = tmp_path / "told"
    flow = celery_rpc.chain(
        client.calc.lineage.si(str(path), "a"),
        celery_rpc.group([client.calc.fail.si(), client.calc.add.si(1, 1)]),
    )
    result = flow.on_error(client.calc.lineage.si(str(path), "b")).delay()
    first, errback = told(path, 2)
    assert errback["root_id"] == first["id"]
    assert errback["parent_id"] == result.results[0].id


def test_what_the_caller_says_of_a_lineage_is_sent(client: Any, tmp_path: Path) -> None:
    path = tmp_path / "told"
    said = {"root_id": "r", "parent_id": "p", "group_id": "g", "group_index": 3}
    client.calc.lineage.si(str(path), "a").set(**said).delay().get(timeout=WAIT)
    (line,) = told(path, 1)
    assert {**said, "group": "g"} | line == {**said, **line}
    assert (line["root_id"], line["parent_id"], line["group"]) == ("r", "p", "g")
