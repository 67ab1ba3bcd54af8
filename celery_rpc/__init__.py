"""celery-rpc: call services over Celery as if they were local, typed Python."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from celery_rpc.algebra import chain, chord, group
    from celery_rpc.calls.pending import Update
    from celery_rpc.calls.reply import Cancellation, Reply
    from celery_rpc.calls.retry import Retry
    from celery_rpc.canvas import Graph, GroupReply, Plan, Run, RunStatus, Step, StepState
    from celery_rpc.catalog.model import Catalog, Service, TaskSpec
    from celery_rpc.client.client import BaseClient, Client, connect
    from celery_rpc.client.proxies import Namespace, TaskProxy
    from celery_rpc.errors import (
        AmbiguousTask,
        ArgumentsError,
        BackendMismatch,
        CallCancelled,
        CanvasError,
        ClientClosed,
        CodegenError,
        ConfigurationError,
        DeadlineExceeded,
        DiscoveryError,
        EncodeError,
        NoConsumers,
        NoSuchService,
        NoSuchTask,
        OutcomeUnknown,
        Overloaded,
        PayloadTooLarge,
        PermissionRefused,
        RemoteError,
        ReplyLost,
        ResultError,
        RpcError,
        Unavailable,
        WorkerLost,
        WorkflowError,
    )
    from celery_rpc.settings.client_options import UNSET, ClientOptions

__version__ = "0.1.0"

__all__ = [
    # Clients
    "connect",
    "Client",
    "BaseClient",
    "ClientOptions",
    "UNSET",
    "Retry",
    # The tree
    "Namespace",
    "TaskProxy",
    # Replies
    "Reply",
    "Update",
    "Cancellation",
    # Canvases
    "chain",
    "group",
    "chord",
    "GroupReply",
    "Graph",
    "Step",
    "Run",
    "RunStatus",
    "StepState",
    "Plan",
    # What is known of the fleet
    "Catalog",
    "Service",
    "TaskSpec",
    # Errors, grouped as in celery_rpc.errors
    "RpcError",
    "ConfigurationError",
    "DiscoveryError",
    "NoSuchService",
    "NoSuchTask",
    "AmbiguousTask",
    "BackendMismatch",
    "ArgumentsError",
    "EncodeError",
    "PayloadTooLarge",
    "Unavailable",
    "NoConsumers",
    "PermissionRefused",
    "Overloaded",
    "OutcomeUnknown",
    "DeadlineExceeded",
    "ReplyLost",
    "CallCancelled",
    "WorkerLost",
    "RemoteError",
    "ResultError",
    "CanvasError",
    "CodegenError",
    "WorkflowError",
    "ClientClosed",
]

#: Where a public name lives, when that is not celery_rpc.errors. Loaded at the first use: whoever
#: only wants an error class, or --help, need not wait for celery.
_HOMES = {
    **dict.fromkeys(("connect", "Client", "BaseClient"), "client.client"),
    **dict.fromkeys(("ClientOptions", "UNSET"), "settings.client_options"),
    **dict.fromkeys(("Namespace", "TaskProxy"), "client.proxies"),
    **dict.fromkeys(("Reply", "Cancellation"), "calls.reply"),
    **dict.fromkeys(("chain", "group", "chord", "GroupReply"), "canvas"),
    **dict.fromkeys(("Graph", "Step", "Run", "RunStatus", "StepState", "Plan"), "canvas"),
    **dict.fromkeys(("Catalog", "Service", "TaskSpec"), "catalog.model"),
    "Update": "calls.pending",
    "Retry": "calls.retry",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES.get(name, 'errors')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
