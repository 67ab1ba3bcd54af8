"""The stub of the algebra says what there is at run time."""

import ast
from pathlib import Path

from celery_rpc import algebra
from celery_rpc.calls.call import IGNORED, KNOWN

CLASSES = {
    node.name: node
    for node in ast.parse(Path(algebra.__file__).with_suffix(".pyi").read_text()).body
    if isinstance(node, ast.ClassDef)
}

#: What exists for type checkers alone.
TYPED_ALONE = {"Settings", "_Linked", "_Either"}


def test_options_that_are_typed_are_those_that_are_taken() -> None:
    fields = [node.target for node in CLASSES["Settings"].body if isinstance(node, ast.AnnAssign)]
    assert {field.id for field in fields if isinstance(field, ast.Name)} == KNOWN | IGNORED


def test_classes_of_the_stub_can_be_used_in_annotations() -> None:
    for name in CLASSES.keys() - TYPED_ALONE:
        assert isinstance(getattr(algebra, name), type)
    for name in ("TaskBase", "Partial", "Flex", "FlexChain", "FlexGroup", "PartialGroup"):
        assert getattr(algebra, name)[int, str]
