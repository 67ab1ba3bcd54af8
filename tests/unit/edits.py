"""JSON values that are nearly what they were: a few edits at any place."""

import json
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

Path = tuple[Any, ...]

#: What else may stand somewhere.
others: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, False, 0, 1, -1, 33, 0.5, 1e300, 10**30, "", "x", "integer", "object", "a b",
     "#/$defs/Node", "#/$defs/nowhere", "\x1b[31m", "\ud800", [], {}, ["x"], [{}], {"x": {}},
     {"type": "string"}, [[]]]
)  # fmt: skip


def paths_of(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the path of each value within a value, and of the value itself."""
    yield path
    if isinstance(value, dict):
        for name, each in value.items():
            yield from paths_of(each, (*path, name))
    elif isinstance(value, list):
        for place, each in enumerate(value):
            yield from paths_of(each, (*path, place))


def at(value: Any, path: Path) -> Any:
    for key in path:
        value = value[key]
    return value


@st.composite
def edited(draw: st.DrawFn, values: st.SearchStrategy[Any], *, most: int = 3) -> Any:
    """Draw a value and edit it at 1 to ``most`` places."""
    value = json.loads(json.dumps(draw(values)))
    for _ in range(draw(st.integers(1, most))):
        paths = list(paths_of(value))
        path = paths[draw(st.integers(0, len(paths) - 1))]
        if not path:
            continue
        new = st.one_of(others, st.sampled_from(paths).map(lambda other: at(value, other)))
        edit(draw, at(value, path[:-1]), path[-1], json.loads(json.dumps(draw(new))))
    return value


def edit(draw: st.DrawFn, inside: Any, key: Any, new: Any) -> None:
    """Replace, remove, repeat or rename one item of a list or an object."""
    how = draw(st.sampled_from(["replace", "remove", "add", "swap", "nudge"]))
    if how == "replace":
        inside[key] = new
    elif how == "remove":
        del inside[key]
    elif how == "nudge":
        inside[key] = nudged(inside[key], draw(st.sampled_from([1, -1])))
    elif isinstance(inside, list):
        if how == "add":
            inside.insert(key, new)
        else:
            inside.append(inside.pop(key))
    else:
        name = draw(st.sampled_from([key + "x", key[:-1], "x", *inside]))
        if how == "add":
            inside[name] = new
        else:
            inside[name] = inside.pop(key)


def nudged(value: Any, by: int) -> Any:
    """Return a value of the same kind that is nearly the same."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + by
    if isinstance(value, str):
        return value + "x" if by > 0 else value[:-1]
    return value
