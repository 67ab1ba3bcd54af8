"""Apps: a Celery app -> Catalog, without a broker."""

from collections.abc import Mapping
from typing import Any

from celery_rpc.catalog.address import Address
from celery_rpc.catalog.model import BUILTIN_PREFIX, Catalog, Service, TaskSpec
from celery_rpc.catalog.signature import TaskSignature
from celery_rpc.catalog.signature_json import digest
from celery_rpc.worker.describe import describe

#: How a backend's URL begins -> what TaskSpec.backend calls it.
BACKENDS = {"rpc": "rpc", "disabled": "disabled",
            **dict.fromkeys(("redis", "rediss", "sentinel", "valkey"), "redis")}  # fmt: skip


def describe_app(app: Any) -> dict[str, TaskSignature]:
    """Describe the tasks of an app, after loading the modules that it includes."""
    app.loader.import_default_modules()
    app.finalize()
    version = version_of(app)
    return {
        name: describe(task, version)
        for name, task in sorted(app.tasks.items())
        if not name.startswith(BUILTIN_PREFIX)
    }


def catalog_of_app(app: Any, *, queue: str | None = None) -> Catalog:
    """Return the catalog that one worker of an app would give.

    Args:
        app: a Celery app.
        queue: where all its tasks are; left out, where its own settings send each of them.
    """
    specs: dict[str, dict[str, TaskSpec]] = {}
    addresses: dict[str, Address] = {}
    for name, signature in describe_app(app).items():
        task = app.tasks[name]
        address = Address(queue, queue, queue) if queue else address_of(app, task)
        addresses[address.queue] = address
        specs.setdefault(address.queue, {})[name] = TaskSpec(
            name=name,
            backend=backend_of(app),
            ignore_result=bool(task.ignore_result),
            digest=digest(signature),
            signature=signature,
            answers=bool(getattr(app, "rpc_answers", False)),
        )
    services = {
        queue: Service(queue, addresses[queue], frozenset(), tasks)
        for queue, tasks in sorted(specs.items())
    }
    return Catalog(services=services, complete=True)


def version_of(app: Any) -> str:
    """Return the version of a service, as ``expose()`` was told it."""
    return str(getattr(app, "rpc_version", None) or "")


def address_of(app: Any, task: Any) -> Address:
    """Return the address to which the app's own settings send a task."""
    options = {"queue": task.queue} if getattr(task, "queue", None) else {}
    try:
        routed: Mapping[str, Any] = app.amqp.router.route(options, task.name, args=(), kwargs={})
        found = routed.get("queue")
    except Exception:  # a route that is a function of the service may do anything
        found = None
    found = found or app.amqp.default_queue
    if isinstance(found, str):
        return Address(found, found, found)
    exchange = found.exchange.name if found.exchange else ""
    return Address(str(found.name), str(exchange or ""), str(found.routing_key or found.name))


def backend_of(app: Any) -> str | None:
    """Return the kind of result backend that the app's settings name.

    None: another than ours, or they name none, as where $CELERY_RESULT_BACKEND does.
    """
    return BACKENDS.get(str(app.conf.result_backend or "").partition(":")[0])
