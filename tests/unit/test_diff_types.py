"""The rules of types and models: a parameter's and a result's have opposite effects."""

from typing import Annotated, Any, Literal, Optional, TypedDict

import pytest
from pydantic import BaseModel, ConfigDict, Field

from celery_rpc.diff.catalogs import diff
from celery_rpc.diff.rules import BOTH, CALLERS, NOBODY, Effects
from tests.unit.differences import catalog, found, giving, taking


def model(**fields: Any) -> Any:
    """Make a model that is called Point, whatever it has."""
    closed = fields.pop("closed", False)
    namespace = {
        "__annotations__": {
            name: each[0] if isinstance(each, tuple) else each for name, each in fields.items()
        },
        "__module__": __name__,
        "model_config": ConfigDict(extra="forbid" if closed else "ignore"),
        **{name: each[1] for name, each in fields.items() if isinstance(each, tuple)},
    }
    return type("Point", (BaseModel,), namespace)


def listed(kind: Any) -> Any:
    return list[kind]


@pytest.mark.parametrize(
    ("old", "new", "rule", "taken", "given"),
    [
        (int | None, int, "TYPE_NARROWED", BOTH, NOBODY),
        (int, float, "TYPE_WIDENED", NOBODY, CALLERS),
        (int, str, "TYPE_CHANGED", BOTH, CALLERS),
        (list[int], list[str], "TYPE_CHANGED", BOTH, CALLERS),
    ],
)
def test_rules_of_types_depend_on_the_direction(
    old: Any, new: Any, rule: str, taken: Effects, given: Effects
) -> None:
    assert found(taking(old), taking(new)) == {f"PARAMETER_{rule}": taken}
    assert found(giving(old), giving(new)) == {f"RETURN_{rule}": given}


@pytest.mark.parametrize(
    ("old", "new", "taken", "given"),
    [
        (
            Literal["a", "b"],
            Literal["a", "c"],
            {"ENUM_VALUE_REMOVED": BOTH, "ENUM_VALUE_ADDED": NOBODY},
            {"ENUM_VALUE_REMOVED": NOBODY, "ENUM_VALUE_ADDED": CALLERS},
        ),
        (
            Optional[Literal["a"]],  # noqa: UP045
            Optional[Literal["a", "b"]],  # noqa: UP045
            {"ENUM_VALUE_ADDED": NOBODY},
            {"ENUM_VALUE_ADDED": CALLERS},
        ),
    ],
)
def test_rules_of_literals(
    old: Any, new: Any, taken: dict[str, Effects], given: dict[str, Effects]
) -> None:
    assert found(taking(old), taking(new)) == taken
    assert found(giving(old), giving(new)) == given


x, x_default, x_y = model(x=int), model(x=(int, 0)), model(x=int, y=int)
closed_x, closed_x_y = model(x=int, closed=True), model(x=int, y=int, closed=True)
closed_x_y_default = model(x=int, y=(int, 0), closed=True)


@pytest.mark.parametrize(
    ("old", "new", "rule", "taken", "given"),
    [
        (x, x_y, "MODEL_FIELD_ADDED_REQUIRED", BOTH, NOBODY),
        (listed(x), listed(x_y), "MODEL_FIELD_ADDED_REQUIRED", BOTH, NOBODY),
        (x, model(x=int, y=(int, 0)), "MODEL_FIELD_ADDED_OPTIONAL", NOBODY, NOBODY),
        (closed_x, closed_x_y_default, "MODEL_FIELD_ADDED_OPTIONAL", NOBODY, CALLERS),
        (x_y, x, "MODEL_FIELD_REMOVED", NOBODY, CALLERS),
        (closed_x_y, closed_x, "MODEL_FIELD_REMOVED", BOTH, CALLERS),
        (x, closed_x, "MODEL_CLOSED", BOTH, NOBODY),
        (listed(closed_x), listed(x), "MODEL_OPENED", NOBODY, CALLERS),
        (x_default, x, "MODEL_FIELD_BECAME_REQUIRED", BOTH, NOBODY),
        # What a model gives has all its fields.
        (x, x_default, "MODEL_FIELD_BECAME_OPTIONAL", NOBODY, NOBODY),
        (x_default, model(x=(int, 1)), "DEFAULT_CHANGED", NOBODY, NOBODY),
        (model(x=float), x, "MODEL_FIELD_TYPE_NARROWED", BOTH, NOBODY),
        (x, model(x=float), "MODEL_FIELD_TYPE_WIDENED", NOBODY, CALLERS),
        (x, model(x=bytes), "MODEL_FIELD_TYPE_CHANGED", BOTH, CALLERS),
    ],
)
def test_rules_of_models_depend_on_the_direction(
    old: Any, new: Any, rule: str, taken: Effects, given: Effects
) -> None:
    assert found(taking(old), taking(new)) == {rule: taken}
    assert found(giving(old), giving(new)) == {rule: given}


class Full(TypedDict):
    number: int


class Partial(TypedDict, total=False):
    number: int


def test_what_may_be_absent_from_a_result_breaks_its_readers() -> None:
    assert found(giving(Full), giving(Partial)) == {"MODEL_FIELD_BECAME_OPTIONAL": CALLERS}
    assert found(giving(Partial), giving(Full)) == {"MODEL_FIELD_BECAME_REQUIRED": NOBODY}


class Tree(BaseModel):
    value: int
    children: "list[Tree]" = Field(default_factory=list)


NewTree: Any = type(
    "Tree",
    (BaseModel,),
    {"__annotations__": {"value": str, "children": "list[Tree]"}, "__module__": "elsewhere"},
)


def test_a_model_that_holds_itself_is_compared_once() -> None:
    NewTree.model_rebuild(_types_namespace={"Tree": NewTree})
    [only] = [
        each
        for each in diff(catalog(taking(Tree)), catalog(taking(list[Tree] | NewTree)))
        if each.rule.startswith("PARAMETER")
    ]
    assert only.rule in ("PARAMETER_TYPE_CHANGED", "PARAMETER_TYPE_WIDENED")
    rules = [each.rule for each in diff(catalog(taking(Tree)), catalog(taking(NewTree)))]
    assert sorted(rules) == ["MODEL_FIELD_BECAME_REQUIRED", "MODEL_FIELD_TYPE_CHANGED"]


def test_what_cannot_be_decided_is_said() -> None:
    old, new = (taking(Annotated[str, Field(pattern=each)]) for each in ("a+", "b+"))
    [change] = diff(catalog(old), catalog(new))
    assert change.rule == "PARAMETER_TYPE_CHANGED"
    assert "it cannot be decided" in change.text
    [decided] = diff(catalog(taking(int)), catalog(taking(str)))
    assert "decided" not in decided.text
