"""Models as classes, and a client by an explicit class: what ``genstubs --module`` writes."""

from datetime import date
from decimal import Decimal
from typing import assert_type

import acme_plain
import acme_shop
from acme_shop import AcmeShop, Invoice, Money, MoneyDict, Order, OrderLine
from celery_rpc import connect
from celery_rpc.algebra import Chain

assert_type(connect("redis://localhost:6379/0", services=AcmeShop), AcmeShop)


def use(client: AcmeShop) -> None:
    price = Money(amount=Decimal(1))
    order = Order(
        id="1",
        customer="alice",
        placed=date(2026, 1, 2),
        lines=[OrderLine(sku="desk", price=price)],
    )
    assert_type(client.billing.invoice(order), Invoice)
    assert_type(client.billing.invoice(order).total.amount, Decimal)
    assert_type(client.billing.invoice.s(order) | client.billing.add.si(1), Chain[int])
    cheap: MoneyDict = {"amount": Decimal(1)}
    client.billing.invoice(
        {
            "id": "1",
            "customer": "alice",
            "placed": date(2026, 1, 2),
            "lines": [{"sku": "desk", "price": cheap}, OrderLine(sku="lamp", price=price)],
        }
    )
    client.billing.invoice(price)  # wrong: arg-type / reportArgumentType
    Money(amount=Decimal(1), currrency="EUR")  # wrong: call-arg / reportCallIssue


def use_dataclasses(client: acme_plain.AcmePlain) -> None:
    price = acme_plain.Money(amount=Decimal(1))
    assert_type(client.billing.charge("alice", Decimal(1)).amount, acme_plain.Money)
    acme_plain.Money(Decimal(1))  # wrong: call-arg / reportCallIssue
    client.billing.invoice(acme_shop.Money(amount=Decimal(1)))  # wrong: arg-type / reportArgumentType
    assert_type(price.currency, str)
