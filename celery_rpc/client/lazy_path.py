"""Unresolved: a path of the tree that no worker has named yet, met inside an event loop.

Attribute access cannot await; asking the workers there would block the loop. So the path is kept,
and looked up when the call is awaited.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

Resolve = Callable[[], Any]


class Unresolved:
    """A path to be looked up: ``await path.aio(...)`` does it without blocking the loop.

    Everything else looks it up at once.
    """

    def __init__(self, path: str, resolve: Resolve) -> None:
        self._path = path
        self._resolve = resolve

    def aio(self, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
        """Return a coroutine that looks the task up, calls it, and awaits its value."""
        from celery_rpc.calls.encoding import owned_arguments

        return self._aio(*owned_arguments(args, kwargs))

    async def _aio(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        task = await asyncio.to_thread(self._resolve)
        return await task.aio(*args, **kwargs)

    def options(self, **options: Any) -> "Unresolved":
        """Return this task with options for its calls."""
        return Unresolved(self._path, lambda: self._resolve().options(**options))

    def __getitem__(self, name: str) -> "Unresolved":
        return Unresolved(f"{self._path}[{name!r}]", lambda: self._resolve()[name])

    def __getattr__(self, attribute: str) -> Any:
        if attribute in RESOLVING or attribute.startswith("_"):
            return getattr(self._resolve(), attribute)
        path = f"{self._path}.{attribute}"
        return Unresolved(path, lambda: getattr(self._resolve(), attribute))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._resolve()(*args, **kwargs)

    def __dir__(self) -> list[str]:
        return dir(self._resolve())

    def __repr__(self) -> str:
        return f"<Unresolved {self._path}>"


#: What a task has and a namespace has not: who asks for it knows that it is a task.
RESOLVING = frozenset(
    {
        "delay",
        "apply_async",
        "batch",
        "s",
        "si",
        "signature",
        "subtask",
        "spec",
        "address",
        "errors",
    }
)
