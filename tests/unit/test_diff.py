"""What holds for any two catalogs, and what is documented of the rules."""

import json
import re
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from time import thread_time

from hypothesis import given, settings
from hypothesis import strategies as st

from celery_rpc.catalog import saved
from celery_rpc.catalog.address import Address
from celery_rpc.catalog.model import Catalog, Service, TaskSpec
from celery_rpc.catalog.signature import Parameter, Schema, TaskSignature
from celery_rpc.diff.catalogs import diff
from celery_rpc.diff.rules import RULES, Change, Effects
from celery_rpc.errors import ConfigurationError
from celery_rpc.worker import catalog_of_app
from tests.profiles import examples
from tests.servers.process import ROOT
from tests.unit.edits import edited
from tests.unit.evolution import BESIDE, EVOLUTIONS
from tests.unit.signatures import signatures
from tests.unit.test_saved import catalogs, has_signatures
from tests.workers import typed


@given(catalogs)
def test_nothing_differs_from_itself(catalog: Catalog) -> None:
    assert diff(catalog, catalog) == []


def test_a_real_service_does_not_differ_from_itself() -> None:
    assert diff(catalog_of_app(typed.app), catalog_of_app(typed.app)) == []


def catalog_of(services: list[Service]) -> Catalog:
    return Catalog({each.queue: each for each in sorted(services, key=lambda each: each.queue)})


@given(catalogs, signatures(), st.lists(st.sampled_from(sorted(EVOLUTIONS)), max_size=4))
def test_what_has_changed_is_found_and_nothing_else(
    others: Catalog, signature: TaskSignature, rules: list[str]
) -> None:
    told = replace(signature, exact=True, deprecated="")
    old, new, expected = list(others.services.values()), list(others.services.values()), []
    for number, name in enumerate(rules):
        queue = f"changed {number}"
        spec = TaskSpec(f"{queue}.task", signature=told)
        versions = EVOLUTIONS[name](Service(queue, Address(queue), frozenset(), {spec.name: spec}))
        old, new = [*old, *versions[0]], [*new, *versions[1]]
        expected += [name, *BESIDE.get(name, ())]
    found = diff(catalog_of(old), catalog_of(new))
    assert Counter(each.rule for each in found) == Counter(expected)


def test_there_is_an_evolution_for_each_rule_of_two_catalogs() -> None:
    assert {*EVOLUTIONS, "MESSAGE_REFUSED"} == RULES.keys()


@st.composite
def near_versions(draw: st.DrawFn) -> tuple[Catalog, Catalog]:
    """Draw a catalog, and one that was made from it by a few edits of any kind."""
    old = new = draw(catalogs.filter(has_signatures))
    for _ in range(6):
        value = draw(edited(st.just(json.loads(saved.to_json(new))), most=2))
        with suppress(ConfigurationError):
            new = saved.from_json(json.dumps(value))
    return old, new


@given(near_versions())
def test_any_two_versions_can_be_compared(versions: tuple[Catalog, Catalog]) -> None:
    for old, new in (versions, versions[::-1]):
        for each in diff(old, new):
            assert isinstance(each, Change)
            assert each.rule in RULES


def test_near_versions_differ_often_and_by_many_rules() -> None:
    """The property above touches its subject: it is measured how often."""
    met, rules = Counter[bool](), set[str]()

    @settings(max_examples=examples(250))
    @given(near_versions())
    def measure(versions: tuple[Catalog, Catalog]) -> None:
        found = diff(*versions)
        met[bool(found)] += 1
        rules.update(each.rule for each in found)

    measure()
    assert met[True] > met.total() / 3, met
    assert len(rules) > len(RULES) / 2, rules


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

    started = thread_time()
    found = diff(maze(), maze({"type": "null"}))
    assert {each.rule for each in found} <= {"MODEL_FIELD_TYPE_WIDENED", "MODEL_FIELD_TYPE_CHANGED"}
    assert thread_time() - started < 10.0
