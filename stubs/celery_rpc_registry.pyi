# Written by celery-rpc genstubs; changes are lost. sha256:e04a7296d66351834d0cdab0649743d4ca442f8ffe86b851ad84faa9a59458a7
# mypy: disable-error-code="overload-overlap"
# pyright: reportOverlappingOverload=false
"""Services, as celery-rpc genstubs found them."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Literal, overload
from typing_extensions import NotRequired, TypeAlias, TypedDict
from celery_rpc import BaseClient, RemoteError, Reply
from celery_rpc.algebra import Flex, ImmSig, Partial, ServiceBase, Sig, TaskBase

Priority: TypeAlias = Literal['low', 'normal', 'high']

class Album(TypedDict):
    """Thumbnails in one file."""

    cover: NotRequired[Thumbnail]
    name: str
    pictures: int
    pixels: int

class Invoice(TypedDict):
    """What a customer owes for an order."""

    customer: str
    due: date
    lines: list[InvoiceLine]
    number: str
    total: Money

class InvoiceLine(TypedDict):
    """One article of an order and what it comes to."""

    quantity: int
    sku: str
    subtotal: Money

class Item(TypedDict):
    """An article of the shop."""

    sku: str
    stock: int
    tags: tuple[str, ...]
    title: str

class Money(TypedDict):
    """An amount in one currency."""

    amount: Decimal
    currency: str

class MoneyInput(TypedDict):
    """An amount in one currency."""

    amount: Decimal
    currency: NotRequired[str]

class Order(TypedDict):
    """What a customer ordered."""

    customer: str
    id: str
    lines: Sequence[OrderLine]
    note: NotRequired[str | None]
    placed: date

class OrderLine(TypedDict):
    """One article of an order."""

    price: Money | MoneyInput
    quantity: NotRequired[int]
    sku: str

class OrderReceipt(TypedDict):
    """What a customer has in hand when an order is done."""

    charge: str
    mail: str
    order: str
    paid: Money

class Receipt(TypedDict):
    """A charge or a refund that was made."""

    account: str
    amount: Money
    balance: Money
    id: str

class ReceiptInput(TypedDict):
    """A charge or a refund that was made."""

    account: str
    amount: Money | MoneyInput
    balance: Money | MoneyInput
    id: str

class Reservation(TypedDict):
    """A quantity of an article that is set aside."""

    id: str
    left: int
    quantity: int
    sku: str

class Thumbnail(TypedDict):
    """A small picture of a picture."""

    height: int
    source: str
    url: str
    width: int

class Video(TypedDict):
    """A video that was transcoded."""

    steps: int
    url: str

class _BillingAdd(TaskBase[tuple[int] | tuple[int, int], int]):
    """Add two numbers."""

    def __call__(self, x: int, y: int = 0) -> int:
        """Add two numbers."""
    async def aio(self, x: int, y: int = 0) -> int:
        """Add two numbers."""
    def delay(self, x: int, y: int = 0) -> Reply[int]:
        """Add two numbers."""
    @overload
    def s(self, *, y: int = 0) -> Partial[int, int]: ...
    @overload
    def s(self, y: int, /) -> Flex[int, int]: ...
    @overload
    def s(self, x: int, y: int = 0) -> Sig[int]: ...
    def si(self, x: int, y: int = 0) -> ImmSig[int]: ...

class _BillingBalance(TaskBase[tuple[str], Decimal]):
    """Look up what an account holds.

    Raises:
        UnknownAccount: there is no such account.
    """

    def __call__(self, account: str) -> Decimal:
        """Look up what an account holds.

        Raises:
            UnknownAccount: there is no such account.
        """
    async def aio(self, account: str) -> Decimal:
        """Look up what an account holds.

        Raises:
            UnknownAccount: there is no such account.
        """
    def delay(self, account: str) -> Reply[Decimal]:
        """Look up what an account holds.

        Raises:
            UnknownAccount: there is no such account.
        """
    @overload
    def s(self) -> Partial[str, Decimal]: ...
    @overload
    def s(self, account: str) -> Sig[Decimal]: ...
    def si(self, account: str) -> ImmSig[Decimal]: ...

class _BillingCharge(TaskBase[tuple[str, Decimal], Receipt]):
    """Charge an account.

    Raises:
        InsufficientFunds: the account holds less than the amount.
        UnknownAccount: there is no such account.
    """

    def __call__(self, account: str, amount: Decimal) -> Receipt:
        """Charge an account.

        Raises:
            InsufficientFunds: the account holds less than the amount.
            UnknownAccount: there is no such account.
        """
    async def aio(self, account: str, amount: Decimal) -> Receipt:
        """Charge an account.

        Raises:
            InsufficientFunds: the account holds less than the amount.
            UnknownAccount: there is no such account.
        """
    def delay(self, account: str, amount: Decimal) -> Reply[Receipt]:
        """Charge an account.

        Raises:
            InsufficientFunds: the account holds less than the amount.
            UnknownAccount: there is no such account.
        """
    @overload
    def s(self, amount: Decimal) -> Partial[str, Receipt]: ...
    @overload
    def s(self, account: str, amount: Decimal) -> Sig[Receipt]: ...
    def si(self, account: str, amount: Decimal) -> ImmSig[Receipt]: ...

class _BillingDivide(TaskBase[tuple[float, float], float]):
    """Divide x by y.

    Raises:
        ZeroDivisionError: y is zero. Nothing declares it, as with most errors of most tasks.
    """

    def __call__(self, x: float, y: float) -> float:
        """Divide x by y.

        Raises:
            ZeroDivisionError: y is zero. Nothing declares it, as with most errors of most tasks.
        """
    async def aio(self, x: float, y: float) -> float:
        """Divide x by y.

        Raises:
            ZeroDivisionError: y is zero. Nothing declares it, as with most errors of most tasks.
        """
    def delay(self, x: float, y: float) -> Reply[float]:
        """Divide x by y.

        Raises:
            ZeroDivisionError: y is zero. Nothing declares it, as with most errors of most tasks.
        """
    @overload
    def s(self, y: float) -> Partial[float, float]: ...
    @overload
    def s(self, x: float, y: float) -> Sig[float]: ...
    def si(self, x: float, y: float) -> ImmSig[float]: ...

class _BillingInvoice(TaskBase[tuple[Order], Invoice]):
    """Write the invoice for an order."""

    def __call__(self, order: Order) -> Invoice:
        """Write the invoice for an order."""
    async def aio(self, order: Order) -> Invoice:
        """Write the invoice for an order."""
    def delay(self, order: Order) -> Reply[Invoice]:
        """Write the invoice for an order."""
    @overload
    def s(self) -> Partial[Order, Invoice]: ...
    @overload
    def s(self, order: Order) -> Sig[Invoice]: ...
    def si(self, order: Order) -> ImmSig[Invoice]: ...

class _BillingMul(TaskBase[tuple[int, int], int]):
    """Multiply two numbers."""

    def __call__(self, x: int, y: int) -> int:
        """Multiply two numbers."""
    async def aio(self, x: int, y: int) -> int:
        """Multiply two numbers."""
    def delay(self, x: int, y: int) -> Reply[int]:
        """Multiply two numbers."""
    @overload
    def s(self, y: int) -> Partial[int, int]: ...
    @overload
    def s(self, x: int, y: int) -> Sig[int]: ...
    def si(self, x: int, y: int) -> ImmSig[int]: ...

class _BillingQuote(TaskBase[tuple[Mapping[str, Any]], dict[str, Any]]):
    """Write the invoice for an order, from a plain dict to a plain dict."""

    def __call__(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """Write the invoice for an order, from a plain dict to a plain dict."""
    async def aio(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """Write the invoice for an order, from a plain dict to a plain dict."""
    def delay(self, order: Mapping[str, Any]) -> Reply[dict[str, Any]]:
        """Write the invoice for an order, from a plain dict to a plain dict."""
    @overload
    def s(self) -> Partial[Mapping[str, Any], dict[str, Any]]: ...
    @overload
    def s(self, order: Mapping[str, Any]) -> Sig[dict[str, Any]]: ...
    def si(self, order: Mapping[str, Any]) -> ImmSig[dict[str, Any]]: ...

class _BillingReceipt(TaskBase[tuple[str, Receipt | ReceiptInput, str], OrderReceipt]):
    """Write the receipt for an order that was charged, and of which a mail was sent."""

    def __call__(self, order: str, charge: Receipt | ReceiptInput, mail: str) -> OrderReceipt:
        """Write the receipt for an order that was charged, and of which a mail was sent."""
    async def aio(self, order: str, charge: Receipt | ReceiptInput, mail: str) -> OrderReceipt:
        """Write the receipt for an order that was charged, and of which a mail was sent."""
    def delay(self, order: str, charge: Receipt | ReceiptInput, mail: str) -> Reply[OrderReceipt]:
        """Write the receipt for an order that was charged, and of which a mail was sent."""
    @overload
    def s(self, charge: Receipt | ReceiptInput, mail: str) -> Partial[str, OrderReceipt]: ...
    @overload
    def s(self, order: str, charge: Receipt | ReceiptInput, mail: str) -> Sig[OrderReceipt]: ...
    def si(self, order: str, charge: Receipt | ReceiptInput, mail: str) -> ImmSig[OrderReceipt]: ...

class _BillingRefund(TaskBase[tuple[str] | tuple[str, str | None], Receipt]):
    """Refund a charge, by the id of its receipt.

    Raises:
        UnknownReceipt: billing gave out no such receipt.
    """

    def __call__(self, receipt_id: str, reason: str | None = None) -> Receipt:
        """Refund a charge, by the id of its receipt.

        Raises:
            UnknownReceipt: billing gave out no such receipt.
        """
    async def aio(self, receipt_id: str, reason: str | None = None) -> Receipt:
        """Refund a charge, by the id of its receipt.

        Raises:
            UnknownReceipt: billing gave out no such receipt.
        """
    def delay(self, receipt_id: str, reason: str | None = None) -> Reply[Receipt]:
        """Refund a charge, by the id of its receipt.

        Raises:
            UnknownReceipt: billing gave out no such receipt.
        """
    @overload
    def s(self, *, reason: str | None = None) -> Partial[str, Receipt]: ...
    @overload
    def s(self, reason: str | None, /) -> Flex[str, Receipt]: ...
    @overload
    def s(self, receipt_id: str, reason: str | None = None) -> Sig[Receipt]: ...
    def si(self, receipt_id: str, reason: str | None = None) -> ImmSig[Receipt]: ...

class _BillingTotal(TaskBase[tuple[Sequence[int]], int]):
    """Sum up the values, as the body of a chord does."""

    def __call__(self, values: Sequence[int]) -> int:
        """Sum up the values, as the body of a chord does."""
    async def aio(self, values: Sequence[int]) -> int:
        """Sum up the values, as the body of a chord does."""
    def delay(self, values: Sequence[int]) -> Reply[int]:
        """Sum up the values, as the body of a chord does."""
    @overload
    def s(self) -> Partial[Sequence[int], int]: ...
    @overload
    def s(self, values: Sequence[int]) -> Sig[int]: ...
    def si(self, values: Sequence[int]) -> ImmSig[int]: ...

class _BillingInsufficientFunds(RemoteError):
    """The account holds less than the charge: account, balance, amount."""

class _BillingUnknownAccount(RemoteError):
    """There is no such account: its name."""

class _BillingUnknownReceipt(RemoteError):
    """Billing gave out no such receipt: its id."""

class _BillingErrors:
    """What the tasks of billing declare to raise."""

    InsufficientFunds: type[_BillingInsufficientFunds]
    UnknownAccount: type[_BillingUnknownAccount]
    UnknownReceipt: type[_BillingUnknownReceipt]

class _Billing(ServiceBase):
    """Service billing."""

    errors: _BillingErrors
    add: _BillingAdd
    balance: _BillingBalance
    charge: _BillingCharge
    divide: _BillingDivide
    invoice: _BillingInvoice
    mul: _BillingMul
    quote: _BillingQuote
    receipt: _BillingReceipt
    refund: _BillingRefund
    total: _BillingTotal

class _InventoryItem(TaskBase[tuple[str], Item]):
    """Look up an article.

    Raises:
        UnknownSku: the shop has no such article.
    """

    def __call__(self, sku: str) -> Item:
        """Look up an article.

        Raises:
            UnknownSku: the shop has no such article.
        """
    async def aio(self, sku: str) -> Item:
        """Look up an article.

        Raises:
            UnknownSku: the shop has no such article.
        """
    def delay(self, sku: str) -> Reply[Item]:
        """Look up an article.

        Raises:
            UnknownSku: the shop has no such article.
        """
    @overload
    def s(self) -> Partial[str, Item]: ...
    @overload
    def s(self, sku: str) -> Sig[Item]: ...
    def si(self, sku: str) -> ImmSig[Item]: ...

class _InventoryRelease(TaskBase[tuple[str], int]):
    """Return a reservation back; returns what is left of the article then.

    Raises:
        UnknownReservation: inventory made no such reservation.
    """

    def __call__(self, reservation_id: str) -> int:
        """Return a reservation back; returns what is left of the article then.

        Raises:
            UnknownReservation: inventory made no such reservation.
        """
    async def aio(self, reservation_id: str) -> int:
        """Return a reservation back; returns what is left of the article then.

        Raises:
            UnknownReservation: inventory made no such reservation.
        """
    def delay(self, reservation_id: str) -> Reply[int]:
        """Return a reservation back; returns what is left of the article then.

        Raises:
            UnknownReservation: inventory made no such reservation.
        """
    @overload
    def s(self) -> Partial[str, int]: ...
    @overload
    def s(self, reservation_id: str) -> Sig[int]: ...
    def si(self, reservation_id: str) -> ImmSig[int]: ...

class _InventoryReserve(TaskBase[tuple[str] | tuple[str, int], Reservation]):
    """Set some of an article aside.

    Raises:
        OutOfStock: there is less of the article than the quantity.
        UnknownSku: the shop has no such article.
    """

    def __call__(self, sku: str, quantity: int = 1) -> Reservation:
        """Set some of an article aside.

        Raises:
            OutOfStock: there is less of the article than the quantity.
            UnknownSku: the shop has no such article.
        """
    async def aio(self, sku: str, quantity: int = 1) -> Reservation:
        """Set some of an article aside.

        Raises:
            OutOfStock: there is less of the article than the quantity.
            UnknownSku: the shop has no such article.
        """
    def delay(self, sku: str, quantity: int = 1) -> Reply[Reservation]:
        """Set some of an article aside.

        Raises:
            OutOfStock: there is less of the article than the quantity.
            UnknownSku: the shop has no such article.
        """
    @overload
    def s(self, *, quantity: int = 1) -> Partial[str, Reservation]: ...
    @overload
    def s(self, quantity: int, /) -> Partial[str, Reservation]: ...
    @overload
    def s(self, sku: str, quantity: int = 1) -> Sig[Reservation]: ...
    def si(self, sku: str, quantity: int = 1) -> ImmSig[Reservation]: ...

class _InventorySearch(TaskBase[tuple[()], list[Item]]):
    """List articles in the order of their sku, those with a tag if one is given."""

    def __call__(self, *, tag: str | None = None, limit: int = 10) -> list[Item]:
        """List articles in the order of their sku, those with a tag if one is given."""
    async def aio(self, *, tag: str | None = None, limit: int = 10) -> list[Item]:
        """List articles in the order of their sku, those with a tag if one is given."""
    def delay(self, *, tag: str | None = None, limit: int = 10) -> Reply[list[Item]]:
        """List articles in the order of their sku, those with a tag if one is given."""
    def s(self, *, tag: str | None = None, limit: int = 10) -> Sig[list[Item]]: ...
    def si(self, *, tag: str | None = None, limit: int = 10) -> ImmSig[list[Item]]: ...

class _InventoryStock(TaskBase[tuple[str], int]):
    """Count what is left of an article.

    Raises:
        UnknownSku: the shop has no such article.
    """

    def __call__(self, sku: str) -> int:
        """Count what is left of an article.

        Raises:
            UnknownSku: the shop has no such article.
        """
    async def aio(self, sku: str) -> int:
        """Count what is left of an article.

        Raises:
            UnknownSku: the shop has no such article.
        """
    def delay(self, sku: str) -> Reply[int]:
        """Count what is left of an article.

        Raises:
            UnknownSku: the shop has no such article.
        """
    @overload
    def s(self) -> Partial[str, int]: ...
    @overload
    def s(self, sku: str) -> Sig[int]: ...
    def si(self, sku: str) -> ImmSig[int]: ...

class _InventoryOutOfStock(RemoteError):
    """There is less of the article than was asked for: sku, wanted, left."""

class _InventoryUnknownReservation(RemoteError, LookupError):
    """Inventory made no such reservation: its id."""

class _InventoryUnknownSku(RemoteError, LookupError):
    """The shop has no such article: its sku."""

class _InventoryErrors:
    """What the tasks of inventory declare to raise."""

    OutOfStock: type[_InventoryOutOfStock]
    UnknownReservation: type[_InventoryUnknownReservation]
    UnknownSku: type[_InventoryUnknownSku]

class _Inventory(ServiceBase):
    """Service inventory."""

    errors: _InventoryErrors
    item: _InventoryItem
    release: _InventoryRelease
    reserve: _InventoryReserve
    search: _InventorySearch
    stock: _InventoryStock

class _LegacyTasksCancel(TaskBase[tuple[Any], Any]):
    """Task legacy.tasks.cancel."""

    def __call__(self, order: Any) -> Any:
        """Task legacy.tasks.cancel."""
    async def aio(self, order: Any) -> Any:
        """Task legacy.tasks.cancel."""
    def delay(self, order: Any) -> Reply[Any]:
        """Task legacy.tasks.cancel."""
    @overload
    def s(self) -> Partial[Any, Any]: ...
    @overload
    def s(self, order: Any) -> Sig[Any]: ...
    def si(self, order: Any) -> ImmSig[Any]: ...

class _LegacyTasksConcat(TaskBase[tuple[Any, ...], Any]):
    """Task legacy.tasks.concat."""

    def __call__(self, *parts: Any) -> Any:
        """Task legacy.tasks.concat."""
    async def aio(self, *parts: Any) -> Any:
        """Task legacy.tasks.concat."""
    def delay(self, *parts: Any) -> Reply[Any]:
        """Task legacy.tasks.concat."""
    def s(self, *parts: Any) -> Flex[Any, Any]: ...
    def si(self, *parts: Any) -> ImmSig[Any]: ...

class _LegacyTasksConvert(TaskBase[tuple[Any] | tuple[Any, Any] | tuple[Any, Any, Any], Any]):
    """Task legacy.tasks.convert."""

    def __call__(self, amount: Any, rate: Any = 2, /, digits: Any = 2) -> Any:
        """Task legacy.tasks.convert."""
    async def aio(self, amount: Any, rate: Any = 2, /, digits: Any = 2) -> Any:
        """Task legacy.tasks.convert."""
    def delay(self, amount: Any, rate: Any = 2, /, digits: Any = 2) -> Reply[Any]:
        """Task legacy.tasks.convert."""
    @overload
    def s(self, *, digits: Any = 2) -> Partial[Any, Any]: ...
    @overload
    def s(self, rate: Any, /, *, digits: Any = 2) -> Flex[Any, Any]: ...
    @overload
    def s(self, rate: Any, digits: Any, /) -> Flex[Any, Any]: ...
    @overload
    def s(self, amount: Any, rate: Any = 2, /, digits: Any = 2) -> Sig[Any]: ...
    def si(self, amount: Any, rate: Any = 2, /, digits: Any = 2) -> ImmSig[Any]: ...

class _LegacyTasksPing(TaskBase[tuple[()], Any]):
    """Task legacy.tasks.ping."""

    def __call__(self) -> Any:
        """Task legacy.tasks.ping."""
    async def aio(self) -> Any:
        """Task legacy.tasks.ping."""
    def delay(self) -> Reply[Any]:
        """Task legacy.tasks.ping."""
    def s(self) -> Sig[Any]: ...
    def si(self) -> ImmSig[Any]: ...

class _LegacyTasksReport(TaskBase[tuple[Any, *tuple[Any, ...]], Any]):
    """Build the nightly report (see wiki).

    kwargs: sort, header
    """

    def __call__(self, title: Any, *args: Any, **kwargs: Any) -> Any:
        """Build the nightly report (see wiki).

        kwargs: sort, header
        """
    async def aio(self, title: Any, *args: Any, **kwargs: Any) -> Any:
        """Build the nightly report (see wiki).

        kwargs: sort, header
        """
    def delay(self, title: Any, *args: Any, **kwargs: Any) -> Reply[Any]:
        """Build the nightly report (see wiki).

        kwargs: sort, header
        """
    @overload
    def s(self, title: Any, /, *args: Any, **kwargs: Any) -> Flex[Any, Any]: ...
    @overload
    def s(self, title: Any, *args: Any, **kwargs: Any) -> Sig[Any]: ...
    @overload
    def s(self, **kwargs: Any) -> Partial[Any, Any]: ...
    def si(self, title: Any, *args: Any, **kwargs: Any) -> ImmSig[Any]: ...

class _LegacyTasksStatus(TaskBase[tuple[Any] | tuple[Any, Any], Any]):
    """Task legacy.tasks.status."""

    def __call__(self, order: Any, default: Any = None) -> Any:
        """Task legacy.tasks.status."""
    async def aio(self, order: Any, default: Any = None) -> Any:
        """Task legacy.tasks.status."""
    def delay(self, order: Any, default: Any = None) -> Reply[Any]:
        """Task legacy.tasks.status."""
    @overload
    def s(self, *, default: Any = None) -> Partial[Any, Any]: ...
    @overload
    def s(self, default: Any, /) -> Flex[Any, Any]: ...
    @overload
    def s(self, order: Any, default: Any = None) -> Sig[Any]: ...
    def si(self, order: Any, default: Any = None) -> ImmSig[Any]: ...

class _LegacyTasksWhoami(TaskBase[tuple[()], Any]):
    """Task legacy.tasks.whoami."""

    def __call__(self) -> Any:
        """Task legacy.tasks.whoami."""
    async def aio(self) -> Any:
        """Task legacy.tasks.whoami."""
    def delay(self) -> Reply[Any]:
        """Task legacy.tasks.whoami."""
    def s(self) -> Sig[Any]: ...
    def si(self) -> ImmSig[Any]: ...

class _LegacyTasks(ServiceBase):
    """Tasks of legacy."""

    cancel: _LegacyTasksCancel
    concat: _LegacyTasksConcat
    convert: _LegacyTasksConvert
    ping: _LegacyTasksPing
    report: _LegacyTasksReport
    status: _LegacyTasksStatus
    whoami: _LegacyTasksWhoami

class _Legacy(ServiceBase):
    """Service legacy."""

    tasks: _LegacyTasks

class _MailDeliver(TaskBase[tuple[str] | tuple[str, int], int]):
    """Deliver to a mailbox that is busy that many times; returns the attempts made.

    Raises:
        MailboxBusy: it still was after three retries.
    """

    def __call__(self, to: str, busy: int = 0) -> int:
        """Deliver to a mailbox that is busy that many times; returns the attempts made.

        Raises:
            MailboxBusy: it still was after three retries.
        """
    async def aio(self, to: str, busy: int = 0) -> int:
        """Deliver to a mailbox that is busy that many times; returns the attempts made.

        Raises:
            MailboxBusy: it still was after three retries.
        """
    def delay(self, to: str, busy: int = 0) -> Reply[int]:
        """Deliver to a mailbox that is busy that many times; returns the attempts made.

        Raises:
            MailboxBusy: it still was after three retries.
        """
    @overload
    def s(self, *, busy: int = 0) -> Partial[str, int]: ...
    @overload
    def s(self, busy: int, /) -> Partial[str, int]: ...
    @overload
    def s(self, to: str, busy: int = 0) -> Sig[int]: ...
    def si(self, to: str, busy: int = 0) -> ImmSig[int]: ...

class _MailDigest(TaskBase[tuple[str, list[str]] | tuple[str, list[str], Priority] | tuple[str, list[str], Priority, Literal['text', 'html']] | tuple[str, list[str], Priority, Literal['text', 'html'], str | None], str]):
    """Send one mail about several subjects; returns its message id."""

    def __call__(
        self,
        to: str,
        subjects: list[str],
        priority: Priority = ...,
        style: Literal['text', 'html'] = ...,
        reply_to: str | None = None,
    ) -> str:
        """Send one mail about several subjects; returns its message id."""
    async def aio(
        self,
        to: str,
        subjects: list[str],
        priority: Priority = ...,
        style: Literal['text', 'html'] = ...,
        reply_to: str | None = None,
    ) -> str:
        """Send one mail about several subjects; returns its message id."""
    def delay(
        self,
        to: str,
        subjects: list[str],
        priority: Priority = ...,
        style: Literal['text', 'html'] = ...,
        reply_to: str | None = None,
    ) -> Reply[str]:
        """Send one mail about several subjects; returns its message id."""
    @overload
    def s(
        self,
        subjects: list[str],
        *,
        priority: Priority = ...,
        style: Literal['text', 'html'] = ...,
        reply_to: str | None = None,
    ) -> Partial[str, str]: ...
    @overload
    def s(
        self,
        subjects: list[str],
        priority: Priority,
        /,
        *,
        style: Literal['text', 'html'] = ...,
        reply_to: str | None = None,
    ) -> Partial[str, str]: ...
    @overload
    def s(
        self,
        subjects: list[str],
        priority: Priority,
        style: Literal['text', 'html'],
        /,
        *,
        reply_to: str | None = None,
    ) -> Partial[str, str]: ...
    @overload
    def s(
        self,
        subjects: list[str],
        priority: Priority,
        style: Literal['text', 'html'],
        reply_to: str | None,
        /,
    ) -> Partial[str, str]: ...
    @overload
    def s(
        self,
        to: str,
        subjects: list[str],
        priority: Priority = ...,
        style: Literal['text', 'html'] = ...,
        reply_to: str | None = None,
    ) -> Sig[str]: ...
    def si(
        self,
        to: str,
        subjects: list[str],
        priority: Priority = ...,
        style: Literal['text', 'html'] = ...,
        reply_to: str | None = None,
    ) -> ImmSig[str]: ...

class _MailLog(TaskBase[tuple[str] | tuple[str, Literal['debug', 'info', 'warning']], None]):
    """Write a line to the log of the worker; there is no result to wait for."""

    def __call__(self, line: str, level: Literal['debug', 'info', 'warning'] = ...) -> None:
        """Write a line to the log of the worker; there is no result to wait for."""
    async def aio(self, line: str, level: Literal['debug', 'info', 'warning'] = ...) -> None:
        """Write a line to the log of the worker; there is no result to wait for."""
    def delay(self, line: str, level: Literal['debug', 'info', 'warning'] = ...) -> Reply[None]:
        """Write a line to the log of the worker; there is no result to wait for."""
    @overload
    def s(self, *, level: Literal['debug', 'info', 'warning'] = ...) -> Partial[str, None]: ...
    @overload
    def s(self, level: str | Literal['debug', 'info', 'warning'], /) -> Flex[str, None]: ...
    @overload
    def s(self, line: str, level: Literal['debug', 'info', 'warning'] = ...) -> Sig[None]: ...
    def si(self, line: str, level: Literal['debug', 'info', 'warning'] = ...) -> ImmSig[None]: ...

class _MailSend(TaskBase[tuple[str, str] | tuple[str, str, str], str]):
    """Send a mail; returns its message id."""

    def __call__(self, to: str, subject: str, body: str = '') -> str:
        """Send a mail; returns its message id."""
    async def aio(self, to: str, subject: str, body: str = '') -> str:
        """Send a mail; returns its message id."""
    def delay(self, to: str, subject: str, body: str = '') -> Reply[str]:
        """Send a mail; returns its message id."""
    @overload
    def s(self, subject: str, *, body: str = '') -> Partial[str, str]: ...
    @overload
    def s(self, subject: str, body: str, /) -> Flex[str, str]: ...
    @overload
    def s(self, to: str, subject: str, body: str = '') -> Sig[str]: ...
    def si(self, to: str, subject: str, body: str = '') -> ImmSig[str]: ...

class _MailSlow(TaskBase[tuple[float], float]):
    """Sleep for that many seconds, and return them."""

    def __call__(self, seconds: float) -> float:
        """Sleep for that many seconds, and return them."""
    async def aio(self, seconds: float) -> float:
        """Sleep for that many seconds, and return them."""
    def delay(self, seconds: float) -> Reply[float]:
        """Sleep for that many seconds, and return them."""
    @overload
    def s(self) -> Partial[float, float]: ...
    @overload
    def s(self, seconds: float) -> Sig[float]: ...
    def si(self, seconds: float) -> ImmSig[float]: ...

class _Mail(ServiceBase):
    """Service mail."""

    deliver: _MailDeliver
    digest: _MailDigest
    log: _MailLog
    send: _MailSend
    slow: _MailSlow

class _MediaPack(TaskBase[tuple[Sequence[Thumbnail]] | tuple[Sequence[Thumbnail], str], Album]):
    """Put thumbnails into one file, as the body of a chord does."""

    def __call__(self, thumbnails: Sequence[Thumbnail], name: str = 'album') -> Album:
        """Put thumbnails into one file, as the body of a chord does."""
    async def aio(self, thumbnails: Sequence[Thumbnail], name: str = 'album') -> Album:
        """Put thumbnails into one file, as the body of a chord does."""
    def delay(self, thumbnails: Sequence[Thumbnail], name: str = 'album') -> Reply[Album]:
        """Put thumbnails into one file, as the body of a chord does."""
    @overload
    def s(self, *, name: str = 'album') -> Partial[Sequence[Thumbnail], Album]: ...
    @overload
    def s(self, name: str, /) -> Partial[Sequence[Thumbnail], Album]: ...
    @overload
    def s(self, thumbnails: Sequence[Thumbnail], name: str = 'album') -> Sig[Album]: ...
    def si(self, thumbnails: Sequence[Thumbnail], name: str = 'album') -> ImmSig[Album]: ...

class _MediaProbe(TaskBase[tuple[str], tuple[int, int]]):
    """Measure a picture; returns its width and height.

    Raises:
        UnsupportedFormat: the url is not that of a picture.
    """

    def __call__(self, url: str) -> tuple[int, int]:
        """Measure a picture; returns its width and height.

        Raises:
            UnsupportedFormat: the url is not that of a picture.
        """
    async def aio(self, url: str) -> tuple[int, int]:
        """Measure a picture; returns its width and height.

        Raises:
            UnsupportedFormat: the url is not that of a picture.
        """
    def delay(self, url: str) -> Reply[tuple[int, int]]:
        """Measure a picture; returns its width and height.

        Raises:
            UnsupportedFormat: the url is not that of a picture.
        """
    @overload
    def s(self) -> Partial[str, tuple[int, int]]: ...
    @overload
    def s(self, url: str) -> Sig[tuple[int, int]]: ...
    def si(self, url: str) -> ImmSig[tuple[int, int]]: ...

class _MediaThumbnail(TaskBase[tuple[str] | tuple[str, int], Thumbnail]):
    """Shrink a picture until its longer side has that many pixels.

    Raises:
        UnsupportedFormat: the url is not that of a picture.
        ValueError: the size is not positive.
    """

    def __call__(self, url: str, size: int = 128) -> Thumbnail:
        """Shrink a picture until its longer side has that many pixels.

        Raises:
            UnsupportedFormat: the url is not that of a picture.
            ValueError: the size is not positive.
        """
    async def aio(self, url: str, size: int = 128) -> Thumbnail:
        """Shrink a picture until its longer side has that many pixels.

        Raises:
            UnsupportedFormat: the url is not that of a picture.
            ValueError: the size is not positive.
        """
    def delay(self, url: str, size: int = 128) -> Reply[Thumbnail]:
        """Shrink a picture until its longer side has that many pixels.

        Raises:
            UnsupportedFormat: the url is not that of a picture.
            ValueError: the size is not positive.
        """
    @overload
    def s(self, *, size: int = 128) -> Partial[str, Thumbnail]: ...
    @overload
    def s(self, size: int, /) -> Partial[str, Thumbnail]: ...
    @overload
    def s(self, url: str, size: int = 128) -> Sig[Thumbnail]: ...
    def si(self, url: str, size: int = 128) -> ImmSig[Thumbnail]: ...

class _MediaTranscode(TaskBase[tuple[str] | tuple[str, int] | tuple[str, int, float], Video]):
    """Transcode a video in steps of that many seconds.

    Its state is PROGRESS meanwhile, with ``{"done": ..., "total": ...}``.

    Raises:
        UnsupportedFormat: the url is not that of a video.
    """

    def __call__(self, url: str, steps: int = 5, seconds: float = 0.05) -> Video:
        """Transcode a video in steps of that many seconds.

        Its state is PROGRESS meanwhile, with ``{"done": ..., "total": ...}``.

        Raises:
            UnsupportedFormat: the url is not that of a video.
        """
    async def aio(self, url: str, steps: int = 5, seconds: float = 0.05) -> Video:
        """Transcode a video in steps of that many seconds.

        Its state is PROGRESS meanwhile, with ``{"done": ..., "total": ...}``.

        Raises:
            UnsupportedFormat: the url is not that of a video.
        """
    def delay(self, url: str, steps: int = 5, seconds: float = 0.05) -> Reply[Video]:
        """Transcode a video in steps of that many seconds.

        Its state is PROGRESS meanwhile, with ``{"done": ..., "total": ...}``.

        Raises:
            UnsupportedFormat: the url is not that of a video.
        """
    @overload
    def s(self, *, steps: int = 5, seconds: float = 0.05) -> Partial[str, Video]: ...
    @overload
    def s(self, steps: int, /, *, seconds: float = 0.05) -> Partial[str, Video]: ...
    @overload
    def s(self, steps: int, seconds: float, /) -> Partial[str, Video]: ...
    @overload
    def s(self, url: str, steps: int = 5, seconds: float = 0.05) -> Sig[Video]: ...
    def si(self, url: str, steps: int = 5, seconds: float = 0.05) -> ImmSig[Video]: ...

class _MediaUnsupportedFormat(RemoteError):
    """Media does not know the format of the file: its url."""

class _MediaErrors:
    """What the tasks of media declare to raise."""

    UnsupportedFormat: type[_MediaUnsupportedFormat]

class _Media(ServiceBase):
    """Service media."""

    errors: _MediaErrors
    pack: _MediaPack
    probe: _MediaProbe
    thumbnail: _MediaThumbnail
    transcode: _MediaTranscode

class Services(BaseClient):
    """The services."""

    billing: _Billing
    inventory: _Inventory
    legacy: _Legacy
    mail: _Mail
    media: _Media
