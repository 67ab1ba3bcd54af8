"""Errors that tasks declare, caught by their names."""

from decimal import Decimal
from typing import assert_type

from celery_rpc import RemoteError, connect

client = connect("redis://localhost:6379/0")

try:
    client.billing.charge("carol", Decimal(5))
except client.billing.errors.InsufficientFunds as error:
    assert_type(error.message, str)
    remote: RemoteError = error
except client.inventory.errors.UnknownSku as error:
    lookup: LookupError = error

client.billing.errors.OutOfStock  # wrong: attr-defined / reportAttributeAccessIssue reportUnknownMemberType
client.legacy.errors  # wrong: attr-defined / reportAttributeAccessIssue reportUnknownMemberType
