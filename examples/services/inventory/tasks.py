"""The tasks of inventory."""

# Celery ships no types, which leaves its decorator untyped.
# mypy: disable-error-code="untyped-decorator"

from inventory import app
from inventory.models import Item, OutOfStock, Reservation, UnknownReservation, UnknownSku

# A reservation takes nothing from this table: what one child of a prefork worker writes to
# its memory is lost on the others, so a shop without a database keeps no state at all.
ITEMS = {
    item.sku: item
    for item in (
        Item("chair", "Chair", 12, ("wood", "indoor")),
        Item("desk", "Desk", 3, ("wood", "indoor")),
        Item("lamp", "Lamp", 40, ("indoor",)),
        Item("parasol", "Parasol", 0, ("outdoor",)),
    )
}


@app.task(name="inventory.stock", throws=(UnknownSku,))
def stock(sku: str) -> int:
    """Count what is left of an article.

    Raises:
        UnknownSku: the shop has no such article.
    """
    return item_of(sku).stock


@app.task(name="inventory.item", throws=(UnknownSku,))
def item(sku: str) -> Item:
    """Look up an article.

    Raises:
        UnknownSku: the shop has no such article.
    """
    return item_of(sku)


@app.task(name="inventory.search")
def search(*, tag: str | None = None, limit: int = 10) -> list[Item]:
    """List articles in the order of their sku, those with a tag if one is given."""
    found = [item for _, item in sorted(ITEMS.items()) if tag is None or tag in item.tags]
    return found[:limit]


@app.task(name="inventory.reserve", throws=(OutOfStock, UnknownSku))
def reserve(sku: str, quantity: int = 1) -> Reservation:
    """Set some of an article aside.

    Raises:
        OutOfStock: there is less of the article than the quantity.
        UnknownSku: the shop has no such article.
    """
    left = item_of(sku).stock
    if quantity > left:
        raise OutOfStock(sku, quantity, left)
    # The id carries the data, so that any process of any worker can release it.
    return Reservation(id=f"{sku}*{quantity}", sku=sku, quantity=quantity, left=left - quantity)


@app.task(name="inventory.release", throws=(UnknownReservation,))
def release(reservation_id: str) -> int:
    """Return a reservation back; returns what is left of the article then.

    Raises:
        UnknownReservation: inventory made no such reservation.
    """
    sku, _, quantity = reservation_id.partition("*")
    if sku not in ITEMS or not quantity.isdecimal():
        raise UnknownReservation(reservation_id)
    return ITEMS[sku].stock


def item_of(sku: str) -> Item:
    try:
        return ITEMS[sku]
    except KeyError:
        raise UnknownSku(sku) from None
