"""Canvas: the signatures that a Celery canvas is made of."""

from collections.abc import Iterator, Mapping
from typing import Any

#: Kinds of signatures that are made of others -> where they keep them.
COMPOUND = {"chain": ("tasks",), "group": ("tasks",), "chord": ("header", "body")}


def parts_of(canvas: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the plain tasks of a canvas, at any depth; a plain task itself."""
    places = COMPOUND.get(canvas.get("subtask_type") or "")
    if places is None:
        yield canvas
        return
    for place in places:
        found = (canvas.get("kwargs") or {}).get(place) or ()
        for each in (found,) if isinstance(found, Mapping) else found:
            yield from parts_of(each)
