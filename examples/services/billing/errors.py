"""What billing refuses, declared with ``throws`` by the tasks that refuse it.

BillingError
├── InsufficientFunds
├── UnknownAccount
└── UnknownReceipt

Their arguments are strings, so that they pass through JSON.
"""


class BillingError(Exception):
    """Billing refused the request."""


class InsufficientFunds(BillingError):
    """The account holds less than the charge: account, balance, amount."""

    def __init__(self, account: str, balance: str, amount: str) -> None:
        super().__init__(account, balance, amount)
        self.account = account
        self.balance = balance
        self.amount = amount

    def __str__(self) -> str:
        return f"{self.account} holds {self.balance}, the charge is {self.amount}"


class UnknownAccount(BillingError):
    """There is no such account: its name."""


class UnknownReceipt(BillingError):
    """Billing gave out no such receipt: its id."""
