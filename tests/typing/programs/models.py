"""Models in and models out: TypedDicts of the registry."""

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, assert_type

from celery_rpc import connect

if TYPE_CHECKING:  # it has no run-time half
    from celery_rpc_registry import Invoice, Money, Order, Receipt

client = connect("redis://localhost:6379/0")

order: "Order" = {
    "id": "1",
    "customer": "alice",
    "placed": date(2026, 1, 2),
    "lines": [{"sku": "desk", "price": {"amount": Decimal(1)}}],
}
invoice = client.billing.invoice(order)
assert_type(invoice, "Invoice")
assert_type(invoice["total"], "Money")
assert_type(invoice["total"]["amount"], Decimal)
assert_type(invoice["total"]["currency"], str)  # it has a default: results have it
assert_type(client.billing.charge("alice", Decimal(5)), "Receipt")
client.billing.invoice({**order, "note": "soon"})
client.billing.quote({"id": "1"})

invoice["sum"]  # wrong: typeddict-item / reportGeneralTypeIssues
client.billing.invoice({"id": "1"})  # wrong: typeddict-item / reportArgumentType
client.billing.charge("alice", 5)  # wrong: arg-type / reportArgumentType
client.mail.digest("a@shop.example", ["news"], priority="urgent")  # wrong: arg-type / reportArgumentType
client.mail.digest("a@shop.example", "news")  # wrong: arg-type / reportArgumentType
