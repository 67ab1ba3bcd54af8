"""The rules of parameters, on real functions before and after."""

# mypy: disable-error-code="unused-ignore"

import pytest

from celery_rpc.diff.rules import BOTH, CALLERS, NOBODY, Effects
from tests.unit.differences import Function, base, found, one, two, two_renamed


def added_required(x: int, y: int, z: int) -> int: ...  # type: ignore[empty-body]
def two_swapped(y: int, x: int) -> int: ...  # type: ignore[empty-body]
def two_and_default(x: int, y: int = 1) -> int: ...  # type: ignore[empty-body]
def default_between(x: int, new: int = 0, y: int = 0) -> int: ...  # type: ignore[empty-body]
def keyword(x: int, *, y: int) -> int: ...  # type: ignore[empty-body]
def keyword_renamed(x: int, *, why: int) -> int: ...  # type: ignore[empty-body]
def only_by_place(x: int, y: int, /) -> int: ...  # type: ignore[empty-body]
def other_by_place(x: int, z: int, /) -> int: ...  # type: ignore[empty-body]
def rest(x: int, *rest: int) -> int: ...  # type: ignore[empty-body]
def two_and_rest(x: int, y: int = 0, *rest: int) -> int: ...  # type: ignore[empty-body]
def others(x: int, **others: int) -> int: ...  # type: ignore[empty-body]
def text_others(x: int, **others: str) -> int: ...  # type: ignore[empty-body]
def bare(x, y):  # type: ignore[no-untyped-def]
    ...


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (two, added_required, {"PARAMETER_ADDED_REQUIRED": BOTH}),
        (one, two_and_default, {"PARAMETER_ADDED_OPTIONAL": NOBODY}),
        (one, rest, {"PARAMETER_ADDED_OPTIONAL": NOBODY}),
        (
            base,
            default_between,
            {"PARAMETER_ADDED_OPTIONAL": NOBODY, "PARAMETER_REORDERED": BOTH},
        ),
        (two, one, {"PARAMETER_REMOVED": BOTH}),
        (rest, one, {"PARAMETER_REMOVED": BOTH}),
        (keyword, others, {"PARAMETER_REMOVED": NOBODY, "PARAMETER_ADDED_OPTIONAL": NOBODY}),
        (keyword, text_others, {"PARAMETER_REMOVED": BOTH, "PARAMETER_ADDED_OPTIONAL": NOBODY}),
        (two, two_renamed, {"PARAMETER_RENAMED": BOTH}),
        (keyword, keyword_renamed, {"PARAMETER_RENAMED": BOTH}),
        (only_by_place, other_by_place, {"PARAMETER_RENAMED": NOBODY}),
        (two, two_swapped, {"PARAMETER_REORDERED": BOTH}),
        (
            rest,
            two_and_rest,  # y takes the first of what went to *rest
            {"PARAMETER_ADDED_OPTIONAL": NOBODY, "PARAMETER_REORDERED": BOTH},
        ),
        (two, keyword, {"PARAMETER_KIND_CHANGED": BOTH}),
        (keyword, two, {"PARAMETER_KIND_CHANGED": NOBODY}),
        (two, only_by_place, {"PARAMETER_KIND_CHANGED": BOTH}),
        (two_and_default, two, {"PARAMETER_BECAME_REQUIRED": BOTH}),
        (two, two_and_default, {"PARAMETER_BECAME_OPTIONAL": NOBODY}),
        (base, two_and_default, {"DEFAULT_CHANGED": NOBODY}),
        (two, bare, {"PARAMETER_TYPE_WIDENED": NOBODY, "RETURN_TYPE_WIDENED": CALLERS}),
        (bare, two, {"PARAMETER_TYPE_NARROWED": NOBODY, "RETURN_TYPE_NARROWED": NOBODY}),
    ],
)
def test_rules_of_parameters(old: Function, new: Function, expected: dict[str, Effects]) -> None:
    assert found(old, new) == expected
