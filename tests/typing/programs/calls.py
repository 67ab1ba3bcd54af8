"""Calls of the example services, as a user writes them, without a type in sight."""

from decimal import Decimal
from typing import Any, assert_type

from celery_rpc import Reply, connect

client = connect("redis://localhost:6379/0")
billing = client.billing

assert_type(billing.add(1, 1), int)
assert_type(billing.add(x=1, y=1), int)
assert_type(billing.add(1), int)
assert_type(billing.add.delay(1, 1), Reply[int])
assert_type(billing.add.delay(1, 1).get(timeout=5), int)
assert_type(billing.balance("alice"), Decimal)
assert_type(client.media.probe("a.png"), tuple[int, int])
assert_type(client.mail.log("line", level="debug"), None)
client.inventory.search(tag="wood", limit=3)

billing.add("one")  # wrong: arg-type / reportArgumentType
billing.add()  # wrong: call-arg / reportCallIssue
billing.add(1, z=2)  # wrong: call-arg / reportCallIssue
billing.add(1, 2, 3)  # wrong: call-arg / reportCallIssue
billing.add.delay(None)  # wrong: arg-type / reportArgumentType
billing.balance(account=5)  # wrong: arg-type / reportArgumentType
client.inventory.search("wood")  # wrong: call-arg / reportCallIssue
client.mail.log("line", level="loud")  # wrong: arg-type / reportArgumentType
client.legacy.tasks.convert(amount=1)  # wrong: call-arg / reportCallIssue
wrong: str = billing.add(1, 1)  # wrong: assignment / reportAssignmentType

billing.subtract(1, 1)  # wrong: attr-defined / reportAttributeAccessIssue reportUnknownMemberType
client.shipping  # wrong: attr-defined / reportAttributeAccessIssue reportUnknownMemberType
client.legacy.ping()  # wrong: attr-defined / reportAttributeAccessIssue reportUnknownMemberType

# What is no attribute is reached by item, and is unknown.
odd: Any = client["odd-queue"]["name.with.dots"](1)
odd = client.task("any name", queue="billing")(1)

# What nobody annotated takes anything; names and kinds are checked all the same.
untyped: Any = client.legacy.tasks.report("title", 1, 2, sort=True)
client.legacy.tasks.ping(1)  # wrong: call-arg / reportCallIssue

# Options never share the task's keywords, and leave its types as they are.
assert_type(billing.add.options(timeout=2, priority=9)(1, 1), int)
assert_type(billing.add.options(timeout=2).delay(1, 1), Reply[int])
billing.add.options(timout=2)  # wrong: call-arg / reportCallIssue
billing.add.options(priority="high")  # wrong: arg-type / reportArgumentType
billing.add.options(timeout=2)("one")  # wrong: arg-type / reportArgumentType

# Many calls by one publish.
assert_type(billing.add.batch([(1, 1), (2,), {"x": 3}]), list[Reply[int]])
billing.add.batch([("one",)])  # wrong: list-item / reportArgumentType
billing.add.batch([(1, 2, 3)])  # wrong: list-item / reportArgumentType

# Celery's own signature, unchanged.
assert_type(billing.add.apply_async((1, 1), countdown=3), Reply[int])
assert_type(billing.add.apply_async(kwargs={"x": 1}), Reply[int])
assert_type(billing.add.apply_async([1, 1]), Reply[int])
assert_type(billing.mul.apply_async((1,), {"y": 2}), Reply[int])
billing.add.apply_async((1, 1), countdwn=3)  # wrong: call-overload / reportCallIssue
billing.add.apply_async(("one", 1))  # wrong: arg-type / reportArgumentType

with connect() as inner:
    assert_type(inner.billing.mul(2, 3), int)
