"""Address: where a call goes. The queue is the address."""

from dataclasses import dataclass
from typing import Any


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

    @classmethod
    def from_options(cls, options: dict[str, Any]) -> "Address | None":
        """Read the address back from a signature's options; None where they hold none."""
        if options.get("exchange") == "" and options.get("routing_key"):
            return cls(options["routing_key"])
        queue = options.get("queue")
        if queue is None:
            return None
        return cls(queue if isinstance(queue, str) else queue.name)
