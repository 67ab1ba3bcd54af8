"""Celery's own canvas: its classes, untyped, because Celery ships no types."""

from collections.abc import Mapping
from typing import Any

from celery import canvas, result

Signature: Any = canvas.Signature
#: The class of every chain ...
Chain: Any = canvas._chain  # pyright: ignore[reportPrivateUsage]
#: ... and ``celery.chain``, a subclass that folds what it is given.
FoldingChain: Any = canvas.chain
Group: Any = canvas.group
Chord: Any = canvas.chord
Map: Any = canvas.xmap
StarMap: Any = canvas.xstarmap
Chunks: Any = canvas.chunks
GroupResult: Any = result.GroupResult
AsyncResult: Any = result.AsyncResult

#: Classes that neither JSON nor Celery's clones have, by the tasks that they call.
UNTOLD: Mapping[str, Any] = {"celery.map": Map, "celery.starmap": StarMap, "celery.chunks": Chunks}


def to_signature(value: Any, app: Any = None) -> Any:
    """Return a signature as it is, one made of JSON, or that of a bare task."""
    if is_task(value):
        return value.s()
    found: Any = canvas.maybe_signature(value, app=app)
    untold = UNTOLD.get(found.get("task")) if isinstance(found, Signature) else None
    if untold and not isinstance(found, untold) and "it" in found.get("kwargs", ()):
        found = restored(untold, found, found._app)
    task: Any = getattr(found, "_type", None)
    if is_task(task):  # Celery's chord makes signatures of bare tasks, without their options
        found = found.clone()
        found.options = {**task.s().options, **found.options}
    return found


def restored(kind: Any, contents: Mapping[str, Any], app: Any = None) -> Any:
    """Return a signature of a class with these contents.

    This is what a pickle names: it has no client until ``client.signature()`` gives it one.
    """
    made = kind.__new__(kind)
    dict.__init__(made, contents)
    made._app = app
    made._use_link = made._frozen = None
    return made


def is_task(value: Any) -> bool:
    """Whether a value is a task, and no signature yet."""
    return hasattr(type(value), "s")


def is_canvas(signature: Any) -> bool:
    """Whether a signature in JSON is no plain task."""
    return signature["subtask_type"] is not None


def listed(callbacks: Any) -> list[Any]:
    """Return as a list what an option such as ``link`` has: nothing, one signature, or several."""
    if callbacks is None:
        return []
    return list(callbacks) if isinstance(callbacks, list | tuple) else [callbacks]
