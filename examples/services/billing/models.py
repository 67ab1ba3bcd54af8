"""What billing takes and returns."""

from datetime import date
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, Field


class Money(BaseModel):
    """An amount in one currency."""

    amount: Decimal
    currency: str = "EUR"


class OrderLine(BaseModel):
    """One article of an order."""

    sku: str
    quantity: Annotated[int, Field(gt=0)] = 1
    price: Money


class Order(BaseModel):
    """What a customer ordered."""

    id: str
    customer: str
    placed: date
    lines: Annotated[list[OrderLine], Field(min_length=1)]
    note: str | None = None


class InvoiceLine(BaseModel):
    """One article of an order and what it comes to."""

    sku: str
    quantity: int
    subtotal: Money


class Invoice(BaseModel):
    """What a customer owes for an order."""

    number: str
    customer: str
    due: date
    lines: list[InvoiceLine]
    total: Money


class Receipt(BaseModel):
    """A charge or a refund that was made."""

    id: str
    account: str
    amount: Money
    balance: Money


class OrderReceipt(BaseModel):
    """What a customer has in hand when an order is done."""

    order: str
    #: The id of the charge.
    charge: str
    paid: Money
    #: The message id of the mail that told so.
    mail: str
