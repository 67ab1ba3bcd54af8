"""Celery's own canvas: its classes, untyped, because Celery ships no types."""

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
to_signature: Any = canvas.maybe_signature


def listed(callbacks: Any) -> list[Any]:
    """Give as a list what an option such as ``link`` has: nothing, one signature, or several."""
    if callbacks is None:
        return []
    return list(callbacks) if isinstance(callbacks, list | tuple) else [callbacks]
