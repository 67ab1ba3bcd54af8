"""Where signatures came from: the client that sends them, which their copies keep."""

from collections.abc import Iterator
from typing import Any

from celery_rpc.canvas.graph import Graph
from celery_rpc.errors import CanvasError

#: Keywords of canvases that are signatures.
PARTS = ("tasks", "header", "body", "task")


def client_of(signature: Any, graph: Graph | None = None) -> Any:
    """Return the client that a signature came from.

    Raises:
        CanvasError: it came from none.
    """
    client = next((app.client for app in apps_of(signature) if hasattr(app, "client")), None)
    if client is None and (graph is None or len(graph.steps)):
        raise without_client(signature)
    return client


def app_of(signature: Any) -> Any:
    """Return the app that a signature came from, never the program's default one.

    Raises:
        CanvasError: it came from none.
    """
    app = next(apps_of(signature), None)
    if app is None:
        raise without_client(signature)
    return app


def apps_of(signature: Any) -> Iterator[Any]:
    """Yield the apps that a canvas and its parts came from."""
    if not isinstance(signature, dict):  # Celery's deep copies are plain ones
        return
    app = getattr(signature, "_app", None)
    if app is not None:
        yield app
    kwargs = signature.get("kwargs")
    for part in map(kwargs.get, PARTS) if isinstance(kwargs, dict) else ():
        for each in part if isinstance(part, list | tuple) else [part]:
            yield from apps_of(each)


def without_client(signature: Any) -> CanvasError:
    """Return the error of a signature that nobody can send."""
    return CanvasError(
        f"{signature!r} came from no client: begin with a signature of client.<queue>.<task>, or "
        "use client.signature(...), which also takes what was pickled or came as JSON"
    )
