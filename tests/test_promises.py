"""docs/promises.md and the tests name the same promises."""

import re
from collections import defaultdict
from pathlib import Path

import pytest

from tests.servers.process import ROOT

PAGE = ROOT / "docs" / "promises.md"

_NAMED = re.compile(r"^\s*(?:async )?def (test_((?:[RS]\d\d_)+)\w+)\(", re.MULTILINE)
_ROW = re.compile(r"^\| ([RS]\d\d) \| (.+) \| (.+) \|$", re.MULTILINE)


def promised() -> dict[str, set[str]]:
    """Return the tests that the page names, by the ids of the promises."""
    return {
        found[1]: set(re.findall(r"`(\w+)`", found[3])) for found in _ROW.finditer(PAGE.read_text())
    }


def held() -> dict[str, set[str]]:
    """Return the tests that have promises in their names, by the ids."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in Path(ROOT, "tests").rglob("test_*.py"):
        for name, ids in _NAMED.findall(path.read_text()):
            for each in ids.strip("_").split("_"):
                found[each].add(name)
    return found


@pytest.mark.parametrize("each", sorted({*promised(), *held()}))
def test_promise_is_on_the_page_with_the_tests_that_hold_it(each: str) -> None:
    assert promised().get(each, set()) == held().get(each, set())


def test_no_promise_is_made_twice() -> None:
    ids = [found[1] for found in _ROW.finditer(PAGE.read_text())]
    assert len(ids) == len(set(ids))
    assert len(ids) > 50
