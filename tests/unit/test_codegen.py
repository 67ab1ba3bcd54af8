"""Catalogs become typed classes: names, types, models, partial signatures, files."""

import ast
import sys
from collections.abc import Mapping
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from celery_rpc.codegen.annotations import Annotator
from celery_rpc.codegen.imports import Imports
from celery_rpc.codegen.models import Kind
from celery_rpc.codegen.names import Namer, attribute_of, camel
from celery_rpc.codegen.parameters import forms_of, read_parameters
from celery_rpc.codegen.settings import missing_settings
from celery_rpc.codegen.stubs import Written, module_of, stub_of
from celery_rpc.codegen.wheel import wheel_of
from celery_rpc.codegen.writer import Folder
from celery_rpc.errors import CodegenError
from celery_rpc.model import TaskSpec
from celery_rpc.signature import Parameter, TaskSignature
from tests.unit.hostile import catalog_of

INT, TEXT = {"type": "integer"}, {"type": "string"}
POINT = {
    "type": "object",
    "title": "Point",
    "description": "A place.",
    "properties": {"x": INT, "label": {"type": "string", "default": "here"}},
    "required": ["x"],
}


def task(name: str, *parameters: Parameter, **fields: Any) -> TaskSpec:
    return TaskSpec(name=name, signature=TaskSignature(parameters=parameters, **fields))


def written(*tasks: TaskSpec, models: Kind = "typeddict", queue: str = "billing") -> Written:
    return stub_of(catalog_of({queue: list(tasks)}), models=models)


def class_of(text: str, name: str) -> str:
    """Give the lines of one class."""
    found = next(
        node
        for node in ast.parse(text).body
        if isinstance(node, ast.ClassDef) and node.name == name
    )
    return ast.unparse(found)


# ----- names


@pytest.mark.parametrize(
    ("name", "reserved", "attribute"),
    [
        ("add", (), "add"),
        ("class", (), "class_"),
        ("errors", ("errors",), "errors_"),
        ("list", (), "list"),
        ("_hidden", (), None),
        ("größe", (), None),
        ("with-dash", (), None),
        ("", (), None),
    ],
)
def test_names_become_attributes(
    name: str, reserved: tuple[str, ...], attribute: str | None
) -> None:
    assert attribute_of(name, reserved) == attribute


def test_classes_get_names_of_their_own() -> None:
    namer = Namer(["Any"])
    assert [namer.take(each) for each in ("Any", "Money", "Money", "print", "None")] == [
        "Any2",
        "Money",
        "Money2",
        "print2",
        "None2",
    ]
    assert camel("billing", "add_all-2") == "BillingAddAll2"
    assert camel("--") == "T"


def test_attributes_that_lead_to_two_tasks_are_reported() -> None:
    stub = written(TaskSpec("billing.class"), TaskSpec("billing.class_"), TaskSpec("billing.odd-1"))
    reasons = {
        gap.task: gap.reason for gap in stub.report.gaps if "name is known" not in gap.reason
    }
    assert reasons.keys() == {"billing.class_", "billing.odd-1"}
    assert "'class' has the attribute 'class_'" in reasons["billing.class_"]
    assert class_of(stub.text, "_Billing").count("class_") == 1


def test_a_task_may_have_tasks_below_its_name() -> None:
    stub = written(TaskSpec("report"), TaskSpec("report.delay"), TaskSpec("report.send"))
    lines = class_of(stub.text, "_BillingReport")
    assert "delay_: _BillingReportDelay" in lines
    assert "send: _BillingReportSend" in lines


# ----- types


@pytest.mark.parametrize(
    ("schema", "argument", "result"),
    [
        ({}, "Any", "Any"),
        (INT, "int", "int"),
        ({"type": "string", "format": "decimal"}, "Decimal", "Decimal"),
        ({"type": "string", "format": "unheard-of"}, "str", "str"),
        ({"anyOf": [{"type": "null"}, INT]}, "int | None", "int | None"),
        ({"anyOf": [INT, {}]}, "Any", "Any"),
        ({"const": "a"}, "Literal['a']", "Literal['a']"),
        ({"enum": ["a", 1, None]}, "Literal['a', 1, None]", "Literal['a', 1, None]"),
        ({"type": "array", "items": INT}, "Sequence[int]", "list[int]"),
        ({"type": "array", "items": TEXT}, "list[str]", "list[str]"),
        ({"type": "array", "format": "tuple", "items": INT}, "Sequence[int]", "tuple[int, ...]"),
        ({"type": "array", "prefixItems": [INT, TEXT]}, "tuple[int, str]", "tuple[int, str]"),
        ({"type": "array", "uniqueItems": True, "items": INT}, "Set[int]", "set[int]"),
        (
            {"type": "object", "additionalProperties": INT},
            "Mapping[str, int]",
            "dict[str, int]",
        ),
        (
            {"type": "object", "propertyNames": {"format": "integer"}},
            "Mapping[int, Any]",
            "dict[int, Any]",
        ),
    ],
)
def test_schemas_become_annotations(schema: dict[str, Any], argument: str, result: str) -> None:
    annotator = Annotator(Imports(), {}, lambda name, mode: None, pytest.fail)
    assert ast.unparse(annotator.read(schema, "argument")) == argument
    assert ast.unparse(annotator.read(schema, "result")) == result


@pytest.mark.parametrize(
    ("text", "annotation"),
    [
        ("int", "int"),
        ("list", "list[Any]"),
        ("dict[str, int] | None", "dict[str, int] | None"),
        ("tuple[int, ...]", "tuple[int, ...]"),
        ("datetime", "Any"),
        ("list[int, str]", "Any"),
        ("open('x')", "Any"),
    ],
)
def test_annotations_as_text_are_read_as_far_as_they_are_builtin(
    text: str, annotation: str
) -> None:
    gaps: list[str] = []
    annotator = Annotator(Imports(), {}, lambda name, mode: None, gaps.append)
    assert ast.unparse(annotator.read_text(text)) == annotation
    assert bool(gaps) == (annotation == "Any")


def test_names_of_types_give_way_to_attributes() -> None:
    dated = {
        "type": "object",
        "properties": {"date": {"type": "string", "format": "date"}, "list": INT},
        "required": ["date", "list"],
    }
    stub = written(
        task(
            "f",
            definitions={"Dated": dated},
            returns={"type": "array", "items": {"$ref": "#/$defs/Dated"}},
        )
    )
    assert "from datetime import date as _date" in stub.text
    assert "date: _date" in stub.text
    assert "-> _list[Dated]" in stub.text


def test_deep_and_endless_types_end_in_any() -> None:
    schema: dict[str, Any] = INT
    for _ in range(40):
        schema = {"type": "array", "items": schema}
    gaps: list[str] = []
    endless = {"Tree": {"type": "array", "items": {"$ref": "#/$defs/Tree"}}}
    annotator = Annotator(Imports(), endless, lambda name, mode: None, gaps.append)
    assert ast.unparse(annotator.read(schema, "result")) == "Any"
    assert ast.unparse(annotator.read({"$ref": "#/$defs/Tree"}, "result")) == "Any"
    assert gaps == ["the type is nested too deeply", "Tree is part of itself, and no model"]


# ----- partial signatures


def forms(*parameters: Parameter) -> list[str]:
    """Give the forms of ``s()`` as text: its arguments, what it waits for, whether it can run."""
    imports = Imports()
    annotator = Annotator(imports, {}, lambda name, mode: None, lambda reason: None)
    read = read_parameters(
        TaskSignature(parameters=parameters), {each.name: annotator for each in parameters}
    )
    assert read is not None
    return [
        " ".join(
            [
                f"({ast.unparse(form.parameters.arguments)})",
                ast.unparse(form.waits_for) if form.waits_for else "-",
                "runs" if form.complete else "",
            ]
        )
        for form in forms_of(read, imports)
    ]


def test_forms_of_a_task_with_required_parameters() -> None:
    x, y = Parameter(name="x", schema=INT), Parameter(name="y", schema=TEXT)
    assert forms(x, y) == ["(self, y: str) int ", "(self, x: int, y: str) - runs"]


def test_an_argument_of_the_right_type_for_both_places_is_both() -> None:
    x = Parameter(name="x", schema=INT)
    y = Parameter(name="y", schema=INT, default="0")
    assert forms(x, y) == [
        "(self, *, y: int=0) int ",
        "(self, y: int, /) int runs",
        "(self, x: int, y: int=0) - runs",
    ]


def test_an_argument_that_fits_one_place_is_taken_for_that() -> None:
    x = Parameter(name="x", schema=INT)
    y = Parameter(name="y", schema=TEXT, default="'a'")
    assert forms(x, y)[1:] == ["(self, y: str, /) int ", "(self, x: int, y: str='a') - runs"]


def test_forms_of_a_task_that_takes_any_number_of_arguments() -> None:
    first = Parameter(name="first", schema=TEXT)
    rest = Parameter(name="rest", kind="var_positional", schema=INT)
    assert forms(rest) == ["(self, *rest: int) int runs"]
    assert forms(first, rest) == [
        "(self) str ",
        "(self, first: Any, /, *rest: Any) str runs",
        "(self, first: str, *rest: int) - runs",
    ]


def test_the_first_parameter_is_none_of_the_other_keywords() -> None:
    x, others = Parameter(name="x", schema=INT), Parameter(name="o", kind="var_keyword", schema={})
    assert forms(x, others) == ["(self, x: int, **o: Any) - runs", "(self, **o: Any) int "]
    rest = Parameter(name="rest", kind="var_positional", schema=INT)
    assert forms(x, rest, others)[-1] == "(self, **o: Any) int "


@pytest.mark.parametrize(
    ("parameters", "tuples"),
    [
        ([], "tuple[()]"),
        ([Parameter(name="x", schema=INT)], "tuple[int]"),
        (
            [Parameter(name="x", schema=INT), Parameter(name="y", schema=TEXT, default="''")],
            "tuple[int] | tuple[int, str]",
        ),
        ([Parameter(name="rest", kind="var_positional", schema=INT)], "tuple[int, ...]"),
        (
            [
                Parameter(name="x", schema=INT),
                Parameter(name="y", schema=INT, default="0"),
                Parameter(name="rest", kind="var_positional", schema=TEXT),
            ],
            "tuple[int] | tuple[int, int, *tuple[str, ...]]",
        ),
        ([Parameter(name="tag", kind="keyword_only", schema=TEXT)], "Never"),
        ([Parameter(name="tag", kind="keyword_only", schema=TEXT, default="''")], "tuple[()]"),
    ],
)
def test_tuples_of_arguments_are_as_long_as_they_may_be(
    parameters: list[Parameter], tuples: str
) -> None:
    assert f"(TaskBase[{tuples}, Any]):" in written(task("billing.f", *parameters)).text


def test_a_task_without_positional_parameters_takes_no_value() -> None:
    only = Parameter(name="tag", kind="keyword_only", schema=TEXT)
    assert forms(only) == ["(self, *, tag: str) - runs"]


# ----- levels of knowledge


def test_a_task_of_which_only_the_name_is_known_takes_anything() -> None:
    stub = written(TaskSpec("billing.add"))
    assert "def __call__(self, *args: Any, **kwargs: Any) -> Any:" in stub.text
    assert [gap.reason for gap in stub.report.gaps] == ["only its name is known"]


def test_what_is_guessed_leaves_room_for_what_nobody_annotated() -> None:
    guessed = task(
        "billing.add",
        Parameter(name="x", annotation="int", default="..."),
        Parameter(name="when", annotation="datetime", default="..."),
        return_annotation="int",
        exact=False,
    )
    stub = written(guessed)
    whole = "(self, *args: Any, x: int = ..., when: Any = ..., **kwargs: Any)"
    assert f"def __call__{whole} -> int:" in stub.text
    assert f"def s{whole} -> Flex[Any, int]: ..." in stub.text
    assert [(gap.where, gap.reason) for gap in stub.report.gaps] == [
        ("when", "annotated as datetime")
    ]


# ----- models


def pointed(name: str, point: Mapping[str, Any] = POINT) -> TaskSpec:
    reference = {"$ref": "#/$defs/Point"}
    parameter = Parameter(name="p", schema=reference)
    return task(name, parameter, returns=reference, definitions={"Point": point})


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
    module = imported(
        tmp_path, module_of(catalog_of({"billing": [spec]}), name="Acme", models=models).text
    )
    classes = module.Acme.__rpc_models__["billing"]
    assert classes == {"Point": module.Point, "Folder": module.Folder}
    from pydantic import TypeAdapter

    made = TypeAdapter(module.Folder).validate_python(
        {"point": {"x": 1}, "inner": [{"point": {"x": 2, "label": "there"}}]}
    )
    assert made.point == module.Point(x=1, label="here")
    assert made.inner[0].inner == []


def imported(folder: Path, text: str) -> Any:
    (folder / "acme_generated.py").write_text(text)
    spec = spec_from_file_location("acme_generated", folder / "acme_generated.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for the types of fields
    spec.loader.exec_module(module)
    return module


# ----- files


FILES = {"celery_rpc_registry.pyi": "x: int\n"}
NAME = "celery_rpc_registry.pyi"


def test_equal_catalogs_give_equal_text_in_any_order() -> None:
    one, other = [pointed("a"), pointed("b")], [pointed("b"), pointed("a")]
    assert (
        stub_of(catalog_of({"q": one, "r": other})).text
        == stub_of(catalog_of({"r": one, "q": other})).text
    )


def test_lines_are_wrapped() -> None:
    names = [f"a_parameter_of_some_length_{number}" for number in range(8)]
    stub = written(task("f", *(Parameter(name=name, schema=INT) for name in names)))
    assert all(len(line) <= 100 for line in stub.text.splitlines() if "tuple[" not in line)


def test_a_file_is_written_once_and_then_left_alone(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "stubs")
    assert folder.write(FILES) == [tmp_path / "stubs" / NAME]
    assert folder.write(FILES) == []
    assert list(folder.differences(FILES)) == []
    assert any("+y: str" in line for line in folder.differences({NAME: "y: str\n"}))
    assert folder.write({NAME: "y: str\n"}) == [tmp_path / "stubs" / NAME]
    assert [path.name for path in folder.path.iterdir()] == [NAME]


def test_line_ends_of_another_system_are_no_change(tmp_path: Path) -> None:
    folder, target = Folder(tmp_path), tmp_path / NAME
    folder.write(FILES)
    target.write_bytes(target.read_bytes().replace(b"\n", b"\r\n"))
    assert folder.write(FILES) == []
    assert list(folder.differences(FILES)) == []


@pytest.mark.parametrize("change", ["mine = 1\n", None])
def test_S05_a_file_of_others_or_a_changed_one_is_not_written_over(
    tmp_path: Path, change: str | None
) -> None:
    folder, target = Folder(tmp_path), tmp_path / NAME
    if change is None:
        folder.write(FILES)
        change = target.read_text() + "# mine\n"
    target.write_text(change)
    with pytest.raises(CodegenError, match="move it away, or delete it"):
        folder.write({"other_module.pyi": "z: int\n", **FILES})
    assert target.read_text() == change
    assert not (tmp_path / "other_module.pyi").exists()


def test_wheels_of_equal_files_are_equal(tmp_path: Path) -> None:
    name, content = wheel_of("Acme.Stubs", FILES)
    assert (name, content) == wheel_of("Acme.Stubs", dict(FILES))
    assert name.startswith("acme_stubs-0+")
    (tmp_path / name).write_bytes(content)
    with ZipFile(tmp_path / name) as archive:
        assert archive.namelist()[0] == "celery_rpc_registry-stubs/__init__.pyi"
    with pytest.raises(CodegenError):
        wheel_of("../evil", FILES)


@pytest.mark.parametrize(
    ("files", "missing"),
    [
        ({}, {"mypy", "pyright"}),
        ({"pyproject.toml": '[tool.mypy]\nmypy_path = "stubs"\n'}, {"pyright"}),
        ({"pyproject.toml": '[tool.mypy]\nmypy_path = ["src", "stubs"]\n'}, {"pyright"}),
        ({"mypy.ini": "[mypy]\nmypy_path = src:./stubs\n"}, {"pyright"}),
        ({"mypy.ini": "[mypy]\n", "pyrightconfig.json": '{"stubPath": "stubs"}'}, {"mypy"}),
        ({"pyproject.toml": '[tool.pyright]\nstubPath = "stubs/"\n'}, {"mypy"}),
    ],
)
def test_lines_that_a_project_lacks_are_named(
    tmp_path: Path, files: dict[str, str], missing: set[str]
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert missing_settings(tmp_path, "stubs").keys() == missing
