"""Chains, groups and chords across the example services."""

from collections.abc import Sequence
from typing import assert_type

from celery_rpc import Reply, chain, chord, connect, group
from celery_rpc.algebra import Chain, Flex, FlexChain, Group, ImmSig, Partial, Sig
from celery_rpc.canvas import GroupReply

client = connect("redis://localhost:6379/0")
billing, inventory, mail, media = client.billing, client.inventory, client.mail, client.media

# A signature is complete, or waits for a value, or is both.
assert_type(billing.mul.s(1, 2), Sig[int])
assert_type(billing.mul.s(2), Partial[int, int])
assert_type(billing.add.s(), Partial[int, int])
assert_type(billing.add.s(5), Flex[int, int])
assert_type(billing.add.s(1, 2), Sig[int])
assert_type(billing.add.s(x=1), Sig[int])
assert_type(billing.add.s(y=1), Partial[int, int])
assert_type(billing.mul.si(1, 2), ImmSig[int])
billing.mul.s("one")  # wrong: call-overload / reportArgumentType
billing.mul.s(1, 2, 3)  # wrong: call-overload / reportCallIssue
billing.mul.si(1)  # wrong: call-arg / reportCallIssue

# A complete one runs.
assert_type(billing.mul.s(1, 2)(), int)
assert_type(billing.mul.s(1, 2).delay(), Reply[int])
assert_type(billing.mul.s(1, 2).apply_async(countdown=1).get(), int)
assert_type(billing.mul.s(1, 2).set(priority=3), Sig[int])
assert_type(billing.mul.s(2).set(priority=3), Partial[int, int])
billing.mul.s(2)()  # wrong: operator / reportCallIssue
billing.mul.s(2).delay()  # wrong: call-arg / reportCallIssue
assert_type(billing.mul.s(2).delay(5), Reply[int])
assert_type(billing.add.s(2).delay(5), Reply[int])
billing.mul.s(2).delay("five")  # wrong: arg-type / reportArgumentType

# Links fit.
flow = billing.add.s(1, 1) | billing.mul.s(10)
assert_type(flow, Chain[int])
assert_type(flow(), Reply[int])
assert_type(flow.delay().get(), int)
assert_type(billing.mul.s(2) | billing.mul.s(3), Partial[int, int])
assert_type(billing.add.s(1) | billing.mul.s(3) | billing.divide.s(2), FlexChain[int, float])
assert_type(billing.mul.s(1, 2).link(billing.divide.s(2)), Partial[int, float])
assert_type(inventory.stock.s("desk") | billing.mul.si(1, 2), Chain[int])
assert_type(chain(billing.add.s(1, 1), billing.mul.s(2), billing.divide.s(2)), Chain[float])
assert_type(chain(billing.mul.s(2), billing.divide.s(2)), Partial[int, float])
billing.add.s(1, 1) | inventory.stock.s()  # wrong: operator / reportOperatorIssue reportUnusedExpression
billing.divide.s(1, 2) | billing.mul.s(2)  # wrong: operator / reportOperatorIssue reportUnusedExpression
billing.add.s(1, 1) | billing.mul.s(2, 3)  # wrong: operator / reportOperatorIssue reportUnusedExpression
chain(billing.add.s(1, 1), inventory.stock.s())  # wrong: misc / reportArgumentType reportCallIssue
billing.add.s(1, 1).link(inventory.stock.s())  # wrong: arg-type / reportArgumentType

# A group of equal types is a list, one of different types a tuple.
same = group(billing.add.s(1, 1), billing.mul.s(2, 2))
assert_type(same, Group[list[int]])
assert_type(same.delay(), GroupReply[list[int]])
assert_type(same.delay().get(), list[int])
assert_type(group(billing.mul.s(n, n) for n in range(3)), Group[list[int]])
assert_type(group([billing.mul.s(n, n) for n in range(3)]), Group[list[int]])
apart = group(inventory.stock.s("desk"), mail.send.s("a@shop.example", "news"))
assert_type(apart, Group[tuple[int, str]])
count, message = apart.delay().get()
assert_type(count, int)
assert_type(message, str)

# A chord's body takes all of its values.
assert_type(same | billing.total.s(), Chain[int])
assert_type(chord(same, billing.total.s()), Chain[int])
assert_type(chord([billing.mul.s(2, 2)])(billing.total.s()), Reply[int])
urls: Sequence[str] = ("a.png", "b.png")
pictures = group(media.thumbnail.s(url) for url in urls)
album = pictures | media.pack.s("summer")
assert_type(album.delay().get()["pictures"], int)
assert_type(billing.add.s(1, 1) | group(billing.mul.s(2), billing.mul.s(3)), Group[list[int]])
pictures | billing.total.s()  # wrong: operator / reportOperatorIssue reportUnusedExpression
same | media.pack.s()  # wrong: operator / reportOperatorIssue reportUnusedExpression
same | billing.mul.s(2)  # wrong: operator / reportOperatorIssue reportUnusedExpression
chord(same, media.pack.s())  # wrong: misc / reportArgumentType reportCallIssue

# The same task for many arguments.
assert_type(billing.total.map([[1], [2]]), Sig[list[int]])
