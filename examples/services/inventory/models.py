"""What inventory takes, returns and refuses."""

from dataclasses import asdict, dataclass
from typing import Any, TypedDict


@dataclass(frozen=True, slots=True)
class Item:
    """An article of the shop."""

    sku: str
    title: str
    stock: int
    tags: tuple[str, ...] = ()

    def __json__(self) -> dict[str, Any]:
        """Return, for Celery, how a result of this class is sent."""
        return asdict(self)


class Reservation(TypedDict):
    """A quantity of an article that is set aside."""

    id: str
    sku: str
    quantity: int
    left: int


class OutOfStock(Exception):
    """There is less of the article than was asked for: sku, wanted, left."""

    def __init__(self, sku: str, wanted: int, left: int) -> None:
        super().__init__(sku, wanted, left)
        self.sku = sku
        self.wanted = wanted
        self.left = left

    def __str__(self) -> str:
        return f"{self.wanted} of {self.sku} wanted, {self.left} left"


class UnknownSku(LookupError):
    """The shop has no such article: its sku."""


class UnknownReservation(LookupError):
    """Inventory made no such reservation: its id."""
