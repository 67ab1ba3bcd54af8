"""RpcApp: a Celery app whose calls go through a client; Celery's own canvases run on it."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any, Protocol

from celery import Celery
from celery.backends.base import Backend

from celery_rpc.address import Address
from celery_rpc.call import DEFAULTS, Call
from celery_rpc.errors import CanvasError
from celery_rpc.reply import Reply


class CanvasClient(Protocol):
    """What the app needs of its client."""

    def send_call(self, call: Call) -> Reply[Any]: ...
    def reply(self, task_id: str) -> Reply[Any]: ...
    def new_id(self) -> str: ...


class RpcApp(Celery):  # type: ignore[misc]
    """An app without tasks, without a connection pool, and without queues of its own."""

    def __init__(self, client: Any) -> None:
        super().__init__("celery_rpc", set_as_current=False, autofinalize=True, fixups=[])
        self.client = client
        self.conf.update(broker_url="memory://", result_backend=None, task_serializer="json")
        self.reply_backend = ReplyBackend(self)

    @property
    def backend(self) -> Any:
        return self.reply_backend

    @property
    def AsyncResult(self) -> Any:  # noqa: N802 # pyright: ignore[reportIncompatibleVariableOverride]
        client = self.client

        def reply(id: str, backend: Any = None, parent: Any = None, **compat: Any) -> Any:  # noqa: A002
            made = client.reply(id)
            made.parent = parent
            return made

        return reply

    @property
    def thread_oid(self) -> str:
        return self.client.reply_to  # type: ignore[no-any-return]

    def send_task(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        name: str,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Any:
        """Send a call, as Celery's canvases ask for it."""
        address = Address.from_options(options)
        if address is None:
            raise CanvasError(
                f"the signature of {name!r} says no queue: take it from a client "
                f"(client.<queue>.{name}.s(...)), or set queue="
            )
        for key in ("queue", "exchange", "routing_key", "exchange_type"):
            options.pop(key, None)
        expires = options.pop("expires", None)
        merged = DEFAULTS.merged(**options, expires=expires)
        call = Call(
            id=merged.task_id or self.client.new_id(),
            task=name,
            address=address,
            args=tuple(args or ()),
            kwargs=dict(kwargs or {}),
            options=merged,
        )
        return self.client.send_call(call)

    def producer_or_acquire(self, producer: Any = None) -> Any:
        return nullcontext(producer)

    def connection_or_acquire(self, connection: Any = None, *args: Any, **kwargs: Any) -> Any:
        return nullcontext(connection)


class ReplyBackend(Backend):  # type: ignore[misc]
    """What celery.result asks of a backend, answered by the client's replies."""

    supports_native_join = False
    is_async = True
    persistent = False

    def __init__(self, app: RpcApp) -> None:
        super().__init__(app)
        self.client = app.client

    def get_task_meta(self, task_id: str, cache: bool = True) -> Any:
        return self.client.reply(task_id)._get_task_meta()

    def add_pending_result(self, result: Any, weak: bool = False) -> Any:
        return result

    def remove_pending_result(self, result: Any) -> Any:
        return result

    def forget(self, task_id: str) -> None:
        self.client.forget(task_id)

    def save_group(self, group_id: str, result: Any) -> Any:
        return result

    def ensure_chords_allowed(self) -> None:
        if self.client.options.backend != "rpc://":
            return
        raise CanvasError(
            "a chord (a group followed by a task) cannot be sent: workers that answer over rpc:// "
            "cannot count its parts. Wait for the group, and call the body with its values"
        )

    def on_task_call(self, producer: Any, task_id: str) -> dict[str, Any]:
        return {}
