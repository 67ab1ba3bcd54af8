"""What holds for any two catalogs, and what is documented of the rules."""

import re
from collections.abc import Mapping
from time import process_time

from hypothesis import given

from celery_rpc.address import Address
from celery_rpc.discovery.diff import diff
from celery_rpc.discovery.rules import RULES, Change, Effects
from celery_rpc.model import Catalog, Service, TaskSpec
from celery_rpc.signature import Parameter, Schema, TaskSignature
from celery_rpc.worker import catalog_of_app
from tests.servers.process import ROOT
from tests.unit.test_saved import catalogs
from tests.workers import typed


@given(catalogs)
def test_nothing_differs_from_itself(catalog: Catalog) -> None:
    assert diff(catalog, catalog) == []


def test_a_real_service_does_not_differ_from_itself() -> None:
    assert diff(catalog_of_app(typed.app), catalog_of_app(typed.app)) == []


@given(catalogs, catalogs)
def test_any_two_catalogs_can_be_compared(old: Catalog, new: Catalog) -> None:
    for each in diff(old, new):
        assert isinstance(each, Change)
        assert each.rule in RULES


def test_what_a_model_has_changed_is_told_once_for_all_tasks_that_use_it() -> None:
    def shop(fields: Schema, parameter: Schema, *names: str) -> Catalog:
        order = {"type": "object", "title": "Order", "properties": fields}
        taken = (
            Parameter(name="order", schema={"$ref": "#/$defs/Order"}),
            Parameter(name="x", schema=parameter),
        )
        signature = TaskSignature(parameters=taken, definitions={"Order": order})
        specs = {name: TaskSpec(name, signature=signature) for name in names}
        return Catalog(services={"shop": Service("shop", Address("shop"), frozenset(), specs)})

    text, number = {"type": "string"}, {"type": "integer"}
    names = [f"shop.task_{each:02}" for each in range(12)]
    found = diff(shop({"sku": text}, text, *names), shop({"sku": number}, number, *names))
    models = [each for each in found if each.where == "Order.sku"]
    assert [(each.rule, each.task) for each in models] == [("MODEL_FIELD_TYPE_CHANGED", "")]
    assert models[0].text.endswith(f"(for {', '.join(names[:10])} and 2 more)")
    others = [each for each in found if each.where == "x"]
    assert [each.task for each in others] == names
    assert len(found) == 13
    [alone] = diff(shop({"sku": text}, text, "one"), shop({"sku": number}, text, "one"))
    assert (alone.task, alone.where) == ("one", "Order.sku")


def documented() -> Mapping[str, str]:
    """Read the tables of docs/catalog.md: rule -> whom it breaks."""
    text = (ROOT / "docs" / "catalog.md").read_text()
    rows = re.findall(r"^\| `([A-Z_]+)` \| (.+?) \| (.+?) \| (.+?) \|$", text, re.MULTILINE)
    return {name: broken for name, broken, _, _ in rows}


def test_every_rule_is_documented_with_whom_it_breaks() -> None:
    def words(effects: Effects) -> str:
        return ", ".join(sorted(effects)) or "nobody"

    told = {
        name: words(each.taken)
        if each.taken == each.given
        else f"taken: {words(each.taken)}; given: {words(each.given)}"
        for name, each in RULES.items()
    }
    assert documented() == told
    assert list(documented()) == list(RULES)


def test_types_that_never_end_cost_a_bounded_time() -> None:
    def maze(*more: dict[str, str]) -> Catalog:
        names = [f"N{number}" for number in range(30)]
        definitions = {
            name: {
                "type": "object",
                "properties": {
                    f"p{other}": {
                        "anyOf": [
                            {"$ref": f"#/$defs/{other}"},
                            {"type": "array", "items": {"$ref": f"#/$defs/{other}"}},
                            *more,
                        ]
                    }
                    for other in names
                },
            }
            for name in names
        }
        entry = Parameter(name="x", schema={"$ref": "#/$defs/N0"})
        signature = TaskSignature(parameters=(entry,), definitions=definitions)
        spec = TaskSpec("q.task", signature=signature)
        return Catalog({"q": Service("q", Address("q"), frozenset(), {"q.task": spec})})

    started = process_time()
    found = diff(maze(), maze({"type": "null"}))
    assert {each.rule for each in found} <= {"MODEL_FIELD_TYPE_WIDENED", "MODEL_FIELD_TYPE_CHANGED"}
    assert process_time() - started < 10.0
