"""Headers: those of one message, in two parts: what calls of a task share is encoded once."""

from collections.abc import Mapping
from typing import Any

from celery_rpc.calls.encoding import encode


class SharedHeaders:
    """Headers that do not differ between calls of one task with the same options."""

    __slots__ = ("forms", "values")

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values
        #: What a transport made of them, by its name for that; kept here for as long as they are.
        self.forms: dict[str, Any] = {}


NOTHING = SharedHeaders({})


class Headers:
    """The headers of one message: what it shares, and its own."""

    __slots__ = ("own", "shared")

    def __init__(self, own: dict[str, Any], shared: SharedHeaders = NOTHING) -> None:
        self.own = own
        self.shared = shared

    def to_dict(self) -> dict[str, Any]:
        """Return all of them."""
        return {**self.shared.values, **self.own}

    def to_json(self) -> str:
        """Return all of them as a JSON object."""
        own: str = encode(self.own)
        if not self.shared.values:
            return own
        shared = self.shared.forms.get("json")
        if shared is None:
            shared = self.shared.forms["json"] = encode(self.shared.values)[:-1]
        return f"{shared},{own[1:]}" if self.own else f"{shared}}}"
