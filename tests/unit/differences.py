"""Catalogs of services with one task, made from real Python functions, and what differs."""

# mypy: disable-error-code="unused-ignore"

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from celery import Celery

from celery_rpc.catalog.model import Catalog
from celery_rpc.diff.catalogs import diff
from celery_rpc.diff.rules import Effects
from celery_rpc.worker import catalog_of_app

Function = Callable[..., Any]


def catalog(function: Function, *, queue: str = "q", **options: Any) -> Catalog:
    """Return the catalog of a service with one task, which is always called q.task."""
    app = Celery("unit", set_as_current=False, backend=options.pop("backend", "rpc://"))
    app.task(name="q.task", shared=False, **options)(function)
    found = catalog_of_app(app, queue=queue)
    spec = found[queue].tasks["q.task"]
    return Catalog({queue: replace(found[queue], tasks={"q.task": spec})})


def changes(old: Catalog, new: Catalog) -> dict[str, Effects]:
    """Return whom each rule that found something says to be broken."""
    return {each.rule: each.effects for each in diff(old, new)}


def found(old: Function, new: Function) -> dict[str, Effects]:
    return changes(catalog(old), catalog(new))


def taking(annotation: Any) -> Function:
    def function(x: Any) -> None: ...

    function.__annotations__ = {"x": annotation, "return": None}
    return function


def giving(annotation: Any) -> Function:
    def function() -> None: ...

    function.__annotations__ = {"return": annotation}
    return function


def base(x: int, y: int = 0) -> int:
    return x + y


def one(x: int) -> int: ...  # type: ignore[empty-body]
def two(x: int, y: int) -> int: ...  # type: ignore[empty-body]
def two_renamed(x: int, why: int) -> int: ...  # type: ignore[empty-body]
