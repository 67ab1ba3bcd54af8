"""A Celery app that exposes its signatures: every kind of task and of type that callers meet.

It runs under every Celery since 5.4, as long as celery_rpc and pydantic can be imported there.
"""

# mypy: disable-error-code="untyped-decorator,misc"
# Celery ships no types.

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, TypedDict, TypeVar
from uuid import UUID

from celery import Celery, Task
from pydantic import BaseModel, Field

from celery_rpc.worker import expose

if TYPE_CHECKING:
    from nowhere import Ghost  # type: ignore[import-not-found]

app = Celery("typed")
app.conf.broker_connection_retry_on_startup = True
app.conf.task_default_queue = "typed"
expose(app, version=os.environ.get("TYPED_VERSION", "2.1"))

T = TypeVar("T")


class Colour(StrEnum):
    """What it looks like."""

    RED = "red"
    BLUE = "blue"


class Point(BaseModel):
    """A place."""

    x: int
    y: int = 0


class Shape(BaseModel):
    """Some points, and shapes within."""

    name: Annotated[str, Field(min_length=1)]
    points: list[Point] = []
    parts: "list[Shape]" = []
    made: date | None = None


class Page(BaseModel, Generic[T]):
    """A part of a list."""

    items: list[T]
    more: bool = False


@dataclass
class Parcel:
    """What is sent."""

    weight: float
    label: str = ""


class Ticket(TypedDict):
    """What is given in return."""

    number: int
    valid: date


class TypedError(Exception):
    """Something is wrong with the type."""


class Missing(LookupError):
    """It is not there: its name."""


def logged(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


@app.task(name="typed.add")
def add(x: int, y: int = 0) -> int:
    """Add two numbers."""
    return x + y


@app.task(name="typed.ratio")
def ratio(x: float, *, digits: int = 2) -> float:
    return round(x, digits)


@app.task(name="typed.kinds")
def kinds(a: int, /, b: str, *rest: float, c: bool = True, **others: int) -> list[Any]:
    return [a, b, list(rest), c, others]


@app.task(name="typed.move", pydantic=True)
def move(point: Point, by: int = 1) -> Point:
    """Move a point; models in and out by Celery."""
    return Point(x=point.x + by, y=point.y + by)


@app.task(name="typed.plain_move")
def plain_move(point: Point, by: int = 1) -> Point:
    """Move a point that came as it was sent."""
    at: Any = point
    moved: Any = {"x": at["x"] + by, "y": at["y"] + by}
    return moved  # type: ignore[no-any-return]


@app.task(name="typed.count_points")
def count_points(shapes: list[Shape]) -> int:
    """Count the points of shapes, as the body of a chord does."""
    every: Any = shapes
    return sum(len(each["points"]) for each in every)


@app.task(name="typed.centre")
def centre(points: list[Point]) -> Point:
    """Return the middle of points, as the body of a chord does."""
    every: Any = points
    found: Any = {
        "x": sum(each["x"] for each in every) // len(every),
        "y": sum(each["y"] for each in every) // len(every),
    }
    return found  # type: ignore[no-any-return]


@app.task(name="typed.page")
def page(size: int) -> Page[Point]:
    found: Any = {"items": [{"x": n, "y": n} for n in range(size)], "more": True}
    return found  # type: ignore[no-any-return]


@app.task(name="typed.send")
def send(parcel: Parcel, colour: Colour = Colour.RED) -> Ticket:
    sent: Any = parcel
    return Ticket(number=int(sent["weight"]), valid=date(2026, 1, 2))


@app.task(name="typed.later")
def later(when: datetime, by: timedelta = timedelta(days=1)) -> datetime:
    """Return a later time; the time has to come as one."""
    return when + timedelta(days=1)


@app.task(name="typed.name_of")
def name_of(value: Any) -> str:
    """Return the name of the class of what came."""
    return type(value).__name__


@app.task(name="typed.seen")
def seen(when: datetime, day: date, price: Decimal, key: UUID, data: bytes) -> list[str]:
    """Return the classes of what came."""
    return [type(each).__name__ for each in (when, day, price, key, data)]


@app.task(name="typed.pair")
def pair(values: set[int], mode: Literal["min", "max"] = "min") -> tuple[int, str]:
    chosen = min(values) if mode == "min" else max(values)
    return chosen, mode


@app.task(name="typed.price")
def price(text: str) -> Decimal:
    return Decimal(text)


@app.task(name="typed.lies")
def lies(value: Any) -> int:
    """Return what came, whatever it is."""
    return value  # type: ignore[no-any-return]


@app.task(name="typed.fail", throws=(TypedError,), rpc_errors=(Missing,))
def fail(kind: str) -> None:
    """Raise what is declared, or a ValueError."""
    classes: dict[str, type[Exception]] = {"TypedError": TypedError, "Missing": Missing}
    raise classes.get(kind, ValueError)("as asked", 42)


@app.task(name="typed.old_add", rpc_deprecated="use typed.add")
def old_add(x: int, y: int) -> int:
    return x + y


@app.task(name="typed.bound", bind=True, max_retries=1, autoretry_for=(TypedError,))
def bound(self: Task, x: int) -> str:
    return f"{self.name} {x}"


@app.task(name="typed.logged")
@logged
def decorated(x: int, label: str = "it") -> str:
    return f"{label}={x}"


@app.task(name="typed.ghost")
def ghost(x: "int", y: "Ghost" = None) -> "str":
    return f"{x}"


class Square(Task):
    """Square a number."""

    name = "typed.square"

    def run(self, x: int, *, negative: bool = False) -> int:
        return -x * x if negative else x * x


app.register_task(Square())
