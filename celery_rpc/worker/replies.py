"""Replies: a task's states as messages to its caller's reply queue."""

from typing import Any

from celery import states
from celery.app.task import Context
from celery.backends.base import Backend
from celery.exceptions import SoftTimeLimitExceeded
from celery.utils.log import get_logger
from kombu.exceptions import EncodeError
from kombu.serialization import dumps

from celery_rpc.catalog.address import REPLIES

log = get_logger(__name__)

#: Seconds for which a reply list on Redis is kept where the app's results never expire.
KEPT = 24 * 60 * 60.0

#: How often an update is tried: others follow it, and the task goes on only after it.
BRIEFLY = {"max_retries": 1}

#: Where an app keeps its ReplyWriter.
WRITER = "_rpc_reply_writer"


class ReplyWriter(Backend):  # type: ignore[misc]  # Celery has no types
    """A result backend that stores nothing: it publishes what ``rpc://`` would, always in JSON.

    One serves a whole app: it keeps nothing of a thread's own.
    """

    supports_failure_expires = True  # or else result_failure_expires would be warned of

    def __init__(self, app: Any) -> None:
        super().__init__(app, serializer="json")

    def prepare_compression(self, compression: Any) -> None:
        """Compress nothing: clients read JSON."""

    def tell(
        self, task_id: str, result: Any, state: str, traceback: Any = None, request: Any = None
    ) -> None:
        """Send a state to a task's caller, if that is a client of ours.

        Errors are logged, and do not change the state of the task.
        """
        if not address_of(request):
            return
        final = state in states.READY_STATES
        try:
            self.publish(task_id, result, state, traceback, request)
        except SoftTimeLimitExceeded:
            if not final:
                raise  # the task's own code waits for it
            self.tell(task_id, result, state, traceback, request)
        except MemoryError:
            raise
        except Exception as error:
            log.exception("%s of %s may not have reached its caller", state, task_id)
            if state == states.SUCCESS and isinstance(error, EncodeError):
                self.tell(task_id, error, states.FAILURE, None, request)
        if final and isinstance(request, Context):
            vars(request)["rpc_ended"] = True

    def publish(self, task_id: str, result: Any, state: str, traceback: Any, request: Any) -> None:
        """Send a state.

        Raises:
            EncodeError: the result is no JSON.
            Exception: whatever the broker's library raises.
        """
        reply_to = address_of(request)
        # Here, since kombu gives up a connection over which anything was raised.
        content_type, encoding, body = dumps(
            self.message(task_id, result, state, traceback, request), serializer="json"
        )
        with self.app.amqp.producer_pool.acquire(block=True) as producer:
            producer.publish(
                body,
                exchange="",
                routing_key=reply_to,
                correlation_id=getattr(request, "correlation_id", None) or task_id,
                content_type=content_type,
                content_encoding=encoding,
                retry=True,
                retry_policy=self.retry_policy if state in states.READY_STATES else BRIEFLY,
                delivery_mode=1,
            )
            self.set_expiry(producer.channel, reply_to)

    def message(
        self, task_id: str, result: Any, state: str, traceback: Any, request: Any
    ) -> dict[str, Any]:
        """Return the body of a reply, in the format of Celery's own."""
        meta: dict[str, Any] = self._get_result_meta(
            result=self.encode_result(result, state),
            state=state,
            traceback=traceback,
            request=request,
        )
        for name in ("args", "kwargs"):  # result_extended: its caller knows them
            meta.pop(name, None)
        return {**meta, "task_id": task_id, "worker": getattr(request, "hostname", None)}

    def set_expiry(self, channel: Any, reply_to: str) -> None:
        """Let a list on Redis expire, since its client may be gone; other brokers' queues do."""
        if hasattr(channel, "conn_or_acquire") and hasattr(channel, "global_keyprefix"):
            with channel.conn_or_acquire() as redis:
                # kombu puts its prefix before the keys of some commands; EXPIRE is none of them.
                redis.expire(f"{channel.global_keyprefix}{reply_to}", int(self.expires or KEPT))


def writer_of(app: Any) -> ReplyWriter | None:
    """Return the writer of an app's answers; None where callers are not answered."""
    writer: ReplyWriter | None = vars(app).get(WRITER)
    return writer


def address_of(request: Any) -> str:
    """Return the reply queue of a request by a client of ours; of any other, an empty text."""
    reply_to = getattr(request, "reply_to", None)
    return reply_to if isinstance(reply_to, str) and reply_to.startswith(REPLIES) else ""
