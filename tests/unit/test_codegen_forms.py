"""The forms of a partial signature, and the tuples that a batch takes."""

import ast

import pytest

from celery_rpc.catalog.signature import Parameter, TaskSignature
from celery_rpc.codegen.annotations import Annotator
from celery_rpc.codegen.arguments import forms_of, read_parameters
from celery_rpc.codegen.imports import Imports
from tests.unit.generated import INT, TEXT, task, written


def forms(*parameters: Parameter) -> list[str]:
    """Return the forms of ``s()`` as text: its arguments, what it waits for, whether it can run."""
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
