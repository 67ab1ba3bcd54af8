"""Address: where a call goes. The queue is the address."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: How the names of clients' reply queues begin.
REPLIES = "celery-rpc.reply."


@dataclass(frozen=True, slots=True)
class Address:
    """A queue, with the exchange and routing key by which its workers bound it."""

    queue: str
    exchange: str = ""
    routing_key: str = ""

    @property
    def options(self) -> dict[str, Any]:
        """The delivery options that make any Celery worker forward to exactly this queue.

        A queue's name always is a routing key of the default exchange (AMQP 0-9-1, 3.1.3.1), on
        every broker. Celery itself would replace an empty exchange by its own default queue,
        unless the exchange's type is given and is not direct (celery/app/amqp.py,
        send_task_message); hence the third option, which reaches no broker.
        """
        return {"exchange": "", "routing_key": self.queue, "exchange_type": "topic"}

    @property
    def label(self) -> str:
        """The address as people would say it."""
        return self.queue or f"exchange {self.exchange!r} by {self.routing_key!r}"

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> "Address | None":
        """Read an address from the options of a signature or a call; None where they hold none.

        ``queue`` wins over the rest, as signatures carry an exchange and a routing key already. A
        routing key without an exchange is that of the default exchange, so a queue's name. By
        another exchange only its workers' bindings say which queue is meant: its name is empty.
        """
        queue = name_of(options.get("queue"))
        exchange, routing_key = name_of(options.get("exchange")), options.get("routing_key")
        if queue:
            return cls(queue)
        if not routing_key:
            return None
        return cls("", exchange, routing_key) if exchange else cls(routing_key)


#: The options that make an address.
ADDRESSING = frozenset({"queue", "exchange", "routing_key"})


def overriding(inner: Mapping[str, Any], outer: Mapping[str, Any]) -> dict[str, Any]:
    """Return options with some replaced; an address replaces the address."""
    if outer.get("routing_key") and not outer.get("queue"):
        inner = {name: value for name, value in inner.items() if name != "queue"}
    return {**inner, **outer}


def name_of(given: Any) -> str:
    """Return the name of a queue or an exchange, which may be kombu's object."""
    return str(getattr(given, "name", given) or "")
