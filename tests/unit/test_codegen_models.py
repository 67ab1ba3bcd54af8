"""Definitions become TypedDicts, dataclasses or pydantic models."""

from pathlib import Path

import pytest
from pydantic import TypeAdapter

from celery_rpc.catalog.signature import Parameter
from celery_rpc.codegen.models import Kind
from celery_rpc.codegen.stubs import module_of
from tests.modules import imported
from tests.unit.generated import INT, POINT, TEXT, class_of, pointed, task, written
from tests.unit.hostile import catalog_of


def test_equal_definitions_become_one_class_and_others_another() -> None:
    other = {**POINT, "properties": {"x": TEXT}}
    stub = written(pointed("a"), pointed("b"), pointed("c", other))
    assert stub.report.models == 2
    assert "class Point(TypedDict):" in stub.text
    assert "def __call__(self, p: Point2) -> Point2:" in class_of(stub.text, "_BillingC")


def test_results_have_what_arguments_may_leave_out() -> None:
    text = written(pointed("a")).text
    assert "label: str" in class_of(text, "Point")
    assert "label: NotRequired[str]" in class_of(text, "PointInput")
    assert "def __call__(self, p: Point | PointInput) -> Point:" in text


def test_a_model_that_is_but_an_argument_is_one_class() -> None:
    reference = {"$ref": "#/$defs/Point"}
    parameter = Parameter(name="p", schema=reference)
    text = written(task("a", parameter, returns=INT, definitions={"Point": POINT})).text
    assert "label: NotRequired[str]" in class_of(text, "Point")
    assert "PointInput" not in text


def test_what_holds_such_a_model_has_two_forms_too() -> None:
    pair = {"type": "object", "properties": {"p": {"$ref": "#/$defs/Point"}}, "required": ["p"]}
    reference = {"$ref": "#/$defs/Pair"}
    spec = task(
        "a",
        Parameter(name="pair", schema=reference),
        returns=reference,
        definitions={"Pair": pair, "Point": POINT},
    )
    text = written(spec).text
    assert "p: Point" in class_of(text, "Pair").splitlines()[-1]
    assert "p: Point | PointInput" in class_of(text, "PairInput")


def test_models_may_refer_to_themselves() -> None:
    tree = {
        "type": "object",
        "properties": {"parts": {"type": "array", "items": {"$ref": "#/$defs/Point"}}},
    }
    assert "parts: NotRequired[list[Point]]" in written(pointed("a", tree)).text


def test_keys_that_are_no_identifiers_are_kept() -> None:
    odd = {"type": "object", "properties": {"from-date": TEXT, "class": INT}, "required": ["class"]}
    assert (
        "Point = TypedDict('Point', {'from-date': NotRequired[str], 'class': int})"
        in written(pointed("a", odd)).text
    )


@pytest.mark.parametrize("models", ["pydantic", "dataclass"])
def test_classes_are_given_and_accepted_beside_dicts(models: Kind) -> None:
    stub = written(pointed("a"), models=models)
    assert "def __call__(self, p: Point | PointDict) -> Point:" in stub.text


def test_a_class_is_not_made_of_what_cannot_be_one() -> None:
    absent = {**POINT, "required": []}
    stub = written(pointed("a", absent), models="pydantic")
    assert "class Point(TypedDict):" in stub.text
    assert [gap.where for gap in stub.report.gaps] == ["Point"]


@pytest.mark.parametrize("models", ["pydantic", "dataclass"])
def test_a_module_can_be_imported_and_knows_its_classes(tmp_path: Path, models: Kind) -> None:
    folder = {
        "type": "object",
        "properties": {
            "point": {"$ref": "#/$defs/Point"},
            "inner": {"type": "array", "items": {"$ref": "#/$defs/Folder"}, "default": []},
        },
        "required": ["point"],
    }
    definitions = {"Point": POINT, "Folder": folder}
    spec = task("f", returns={"$ref": "#/$defs/Folder"}, definitions=definitions)
    file = tmp_path / "acme_generated.py"
    catalog = catalog_of({"billing": [spec]})
    file.write_text(module_of(catalog, name="Acme", models=models).text)
    with imported(file) as module:
        classes = module.Acme.__rpc_models__["billing"]
        assert classes == {"Point": module.Point, "Folder": module.Folder}
        made = TypeAdapter(module.Folder).validate_python(
            {"point": {"x": 1}, "inner": [{"point": {"x": 2, "label": "there"}}]}
        )
        assert made.point == module.Point(x=1, label="here")
        assert made.inner[0].inner == []
