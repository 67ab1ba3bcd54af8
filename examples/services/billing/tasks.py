"""The tasks of billing."""

# Celery ships no types, which leaves its decorator untyped.
# mypy: disable-error-code="untyped-decorator"

from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from billing import app
from billing.errors import InsufficientFunds, UnknownAccount, UnknownReceipt
from billing.models import Invoice, InvoiceLine, Money, Order, OrderLine, OrderReceipt, Receipt

# Nothing is ever taken from these: a prefork worker has one copy of its memory per child,
# and the same call is to have the same answer in every one of them.
ACCOUNTS = {"alice": Decimal("100.00"), "bob": Decimal("20.00"), "carol": Decimal("0.00")}

PAYMENT_TERM = timedelta(days=30)


@app.task(name="billing.add")
def add(x: int, y: int = 0) -> int:
    """Add two numbers."""
    return x + y


@app.task(name="billing.mul")
def mul(x: int, y: int) -> int:
    """Multiply two numbers."""
    return x * y


@app.task(name="billing.total")
def total(values: list[int]) -> int:
    """Sum up the values, as the body of a chord does."""
    return sum(values)


@app.task(name="billing.divide")
def divide(x: float, y: float) -> float:
    """Divide x by y.

    Raises:
        ZeroDivisionError: y is zero. Nothing declares it, as with most errors of most tasks.
    """
    return x / y


@app.task(name="billing.invoice", pydantic=True)
def invoice(order: Order) -> Invoice:
    """Write the invoice for an order."""
    return invoice_of(order)


@app.task(name="billing.quote")
def quote(order: dict[str, Any]) -> dict[str, Any]:
    """Write the invoice for an order, from a plain dict to a plain dict."""
    return invoice_of(Order.model_validate(order)).model_dump(mode="json")


@app.task(name="billing.balance", throws=(UnknownAccount,))
def balance(account: str) -> Decimal:
    """Look up what an account holds.

    Raises:
        UnknownAccount: there is no such account.
    """
    return balance_of(account)


@app.task(name="billing.charge", pydantic=True, throws=(InsufficientFunds, UnknownAccount))
def charge(account: str, amount: Decimal) -> Receipt:
    """Charge an account.

    Raises:
        InsufficientFunds: the account holds less than the amount.
        UnknownAccount: there is no such account.
    """
    amount = Decimal(str(amount))  # callers without a decimal type send a string or a number
    held = balance_of(account)
    if amount > held:
        raise InsufficientFunds(account, str(held), str(amount))
    return receipt_of("charge", account, amount, held - amount)


@app.task(name="billing.refund", pydantic=True, throws=(UnknownReceipt,))
def refund(receipt_id: str, reason: str | None = None) -> Receipt:
    """Refund a charge, by the id of its receipt.

    Raises:
        UnknownReceipt: billing gave out no such receipt.
    """
    try:
        kind, account, amount = receipt_id.split("/")
        if kind != "charge":
            raise UnknownReceipt(receipt_id)
        return receipt_of("refund", account, Decimal(amount), balance_of(account))
    except (ValueError, InvalidOperation, UnknownAccount) as error:
        raise UnknownReceipt(receipt_id) from error


@app.task(name="billing.receipt", pydantic=True)
def receipt(order: str, charge: Receipt, mail: str) -> OrderReceipt:
    """Write the receipt for an order that was charged, and of which a mail was sent."""
    return OrderReceipt(order=order, charge=charge.id, paid=charge.amount, mail=mail)


def invoice_of(order: Order) -> Invoice:
    lines = [
        InvoiceLine(sku=line.sku, quantity=line.quantity, subtotal=subtotal(line))
        for line in order.lines
    ]
    return Invoice(
        number=f"INV-{order.id}",
        customer=order.customer,
        due=order.placed + PAYMENT_TERM,
        lines=lines,
        total=Money(
            amount=sum((line.subtotal.amount for line in lines), Decimal()),
            currency=lines[0].subtotal.currency,
        ),
    )


def subtotal(line: OrderLine) -> Money:
    return Money(amount=line.price.amount * line.quantity, currency=line.price.currency)


def balance_of(account: str) -> Decimal:
    try:
        return ACCOUNTS[account]
    except KeyError:
        raise UnknownAccount(account) from None


def receipt_of(kind: str, account: str, amount: Decimal, left: Decimal) -> Receipt:
    # The id carries the data, so that any process of any worker can read it back.
    return Receipt(
        id=f"{kind}/{account}/{amount}",
        account=account,
        amount=Money(amount=amount),
        balance=Money(amount=left),
    )
