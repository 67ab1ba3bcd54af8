"""Every exception of celery-rpc, grouped by who must act.

The tree::

    RpcError
      ConfigurationError      (ValueError)         URL, option or file: fix the code or the settings
      DiscoveryError                               the fleet could not be asked
        NoSuchService         (AttributeError)     no worker listens on that queue
        NoSuchTask            (AttributeError)     the service is there, the task is not
        AmbiguousTask         (AttributeError)     two tasks want the same attribute
        BackendMismatch                            workers answer where nobody listens
      ArgumentsError          (TypeError)          cannot be the arguments of this task
      EncodeError             (TypeError)          cannot be serialised
      PayloadTooLarge         (ValueError)         larger than the limit
      Unavailable             (ConnectionError)    certainly not sent: safe to try again
        NoConsumers                                the queue is there, nobody listens
        PermissionRefused                          the broker said no
        Overloaded                                 a local limit, or a broker that blocks publishers
      OutcomeUnknown                               may have run or may still run
        DeadlineExceeded      (TimeoutError, celery.exceptions.TimeoutError)
        ReplyLost                                  the reply queue was lost meanwhile
      CallCancelled           (celery.exceptions.TaskRevokedError) revoked, by us or by others
      WorkerLost                                   the worker process died with the task
      RemoteError                                  the task raised
      ResultError             (ValueError)         the reply is malformed or does not fit the type
      CanvasError                                  the canvas cannot run as it is
      CodegenError                                 stubs could not be written
      WorkflowError                                the workflow cannot run as it is
      ClientClosed            (RuntimeError)       closed, or forked away from

The first paragraph of a class's docstring is its default message. All of them survive pickle.
"""

import builtins
import inspect
from collections.abc import Sequence
from typing import Any

from celery.exceptions import TaskRevokedError
from celery.exceptions import TimeoutError as CeleryTimeoutError

__all__ = [
    "AmbiguousTask",
    "ArgumentsError",
    "BackendMismatch",
    "CallCancelled",
    "CanvasError",
    "ClientClosed",
    "CodegenError",
    "ConfigurationError",
    "DeadlineExceeded",
    "DiscoveryError",
    "EncodeError",
    "NoConsumers",
    "NoSuchService",
    "NoSuchTask",
    "OutcomeUnknown",
    "Overloaded",
    "PayloadTooLarge",
    "PermissionRefused",
    "RemoteError",
    "ReplyLost",
    "ResultError",
    "RpcError",
    "Unavailable",
    "WorkerLost",
    "WorkflowError",
]


class RpcError(Exception):
    """A remote call failed. Catch this to catch everything that celery-rpc raises.

    Keyword arguments become attributes, so that a handler need not parse the message.
    """

    def __init__(self, message: str = "", /, **details: Any) -> None:
        # No super().__init__(): beside RpcError there may be a base with any constructor at all.
        self.args = (message or default_message(type(self)),)
        self.__dict__.update(details)

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args), dict(self.__dict__)


def default_message(cls: type[BaseException]) -> str:
    """Return the first paragraph of a class's docstring, on one line."""
    paragraph = inspect.cleandoc(cls.__doc__ or cls.__name__).split("\n\n", 1)[0]
    return " ".join(paragraph.split())


def _rebuild(cls: type[RpcError], args: tuple[Any, ...]) -> RpcError:
    error = cls.__new__(cls, *args)
    error.args = args
    return error


class ConfigurationError(RpcError, ValueError):
    """A URL, an option or a file is wrong: fix the code or the settings that it names."""


class DiscoveryError(RpcError):
    """The workers could not be asked what they run: check that any is online on this broker."""


class NoSuchService(DiscoveryError, AttributeError):
    """No worker listens on that queue: check the name, and that the service is running."""

    service: str = ""
    near: Sequence[str] = ()


class NoSuchTask(DiscoveryError, AttributeError):
    """The service is there but has no such task: check the name, and the service's version."""

    service: str = ""
    task: str = ""
    near: Sequence[str] = ()
    #: Tasks that the service has, where it was a worker that refused the call.
    known: Sequence[str] = ()


class AmbiguousTask(DiscoveryError, AttributeError):
    """Two tasks want the same attribute: reach each by client.task(name, queue=...)."""

    candidates: Sequence[str] = ()


class BackendMismatch(DiscoveryError):
    """The workers answer where this client does not listen: align their result_backend with
    connect(backend=...).
    """


class ArgumentsError(RpcError, TypeError):
    """The arguments cannot be those of this task: correct what is named."""

    parameter: str | None = None


class EncodeError(RpcError, TypeError):
    """An argument cannot be sent as JSON: convert the value at the path that is named."""

    path: str = ""


class PayloadTooLarge(RpcError, ValueError):
    """The message is larger than the limit: pass a reference to the data, or raise max_payload."""

    size: int = 0
    limit: int = 0


class Unavailable(RpcError, ConnectionError):
    """The call was certainly not sent: it is safe to try again."""


class NoConsumers(Unavailable):
    """The queue is there but nobody listens on it: start the service."""


class PermissionRefused(Unavailable):
    """The broker refused permission: grant this user the resource that is named."""


class Overloaded(Unavailable):
    """A limit was reached, here or at the broker: slow down, or raise the limit that is named."""


class OutcomeUnknown(RpcError):
    """The call may have run or may still run: check before you try again."""

    task_id: str | None = None


class DeadlineExceeded(OutcomeUnknown, TimeoutError, CeleryTimeoutError):  # type: ignore[misc]
    """No reply came before the deadline; the task may still run: allow more time, or look at the
    service.

    ``state`` is the last that was heard: STARTED, RETRY, one of the task's own, or unknown. UNSENT
    and REVOKED say that it will not run: the deadline passed before it was sent, or before a worker
    came to it.
    ``hint`` is what the workers said when they were asked right before the deadline, if anything.
    """

    state: str = "unknown"
    hint: str = ""


class ReplyLost(OutcomeUnknown):
    """The reply queue was lost while the call was pending: the task may have run."""


class CallCancelled(RpcError, TaskRevokedError):  # type: ignore[misc]
    """The call was revoked before it gave a result: by cancel() here, or by somebody else."""

    task_id: str | None = None


class WorkerLost(RpcError):
    """The worker process died with the task: look for its crash or memory limit."""

    task_id: str | None = None


class RemoteError(RpcError):
    """The task raised an exception.

    It is also an instance of the builtin, declared or registered class of that name, so that
    ``except ValueError`` works. Nothing is looked up among imported modules.

    Attributes: ``type`` (dotted name of the remote class), ``message``, ``args`` (those of the
    remote exception, as JSON gave them), ``remote_traceback`` (text), ``task_id``, ``worker``.
    """

    type: str
    message: str
    remote_traceback: str | None = None
    task_id: str | None = None
    worker: str | None = None
    #: Of the class of a declared error: what declared_error_class() makes it of.
    declared_as: tuple[str, str, str] | None = None

    def __init__(self, message: str = "", /, *, type: str = "", **details: Any) -> None:  # noqa: A002
        super().__init__(message, type=type, message=message, **details)

    def __str__(self) -> str:
        return self.message

    def __repr__(self) -> str:
        return f"RemoteError({self.type}: {self.message})"

    def __reduce__(self) -> tuple[Any, ...]:
        if self.declared_as is not None:
            return _rebuild_declared, (self.declared_as, self.args), dict(self.__dict__)
        mixed_in = self.__class__.__bases__[1] if len(self.__class__.__bases__) > 1 else None
        return _rebuild_remote, (mixed_in, self.args), dict(self.__dict__)


class ResultError(RpcError, ValueError):
    """The reply is malformed, or its value does not fit the declared type."""

    task_id: str | None = None
    #: Where in the value, as in ``.lines[0].sku``.
    path: str = ""


class CanvasError(RpcError):
    """The canvas cannot run as it is: correct the step that is named."""


class CodegenError(RpcError):
    """The stubs could not be written."""


class WorkflowError(RpcError):
    """The workflow cannot run as it is."""


class ClientClosed(RpcError, RuntimeError):
    """This client is closed, or the call was made by the process that this one was forked from:
    call again, with a client that is open.
    """


_mixed: dict[type[Exception], type[RemoteError]] = {}


def remote_error_class(wanted: type[Exception] | None) -> type[RemoteError]:
    """Return the RemoteError that is also a ``wanted``, or the plain one where that cannot be."""
    if wanted is None or issubclass(RemoteError, wanted):
        return RemoteError
    if issubclass(wanted, RemoteError):
        return wanted
    if wanted not in _mixed:
        namespace = {"__doc__": RemoteError.__doc__, "__module__": __name__}
        try:
            mixed = type(f"Remote{wanted.__name__}", (RemoteError, wanted), namespace)
            mixed.__new__(mixed, "probe")
        except TypeError:  # its layout or constructor does not allow it (ExceptionGroup, for one)
            mixed = RemoteError
        _mixed[wanted] = mixed
    return _mixed[wanted]


def _rebuild_remote(mixed_in: type[Exception] | None, args: tuple[Any, ...]) -> RemoteError:
    cls = remote_error_class(mixed_in)
    error = cls.__new__(cls)
    error.args = args
    return error


_declared: dict[tuple[str, str, str], type[RemoteError]] = {}


def declared_error_class(
    module: str, name: str, base: str = "Exception", doc: str = ""
) -> type[RemoteError]:
    """Return the class of an error that a service declares, the same whenever it is asked for.

    It is a RemoteError and the builtin of which the service's own class is a kind; that one is
    neither needed nor looked for.
    """
    key = (module, name, base)
    if key not in _declared:
        builtin = vars(builtins).get(base, Exception)
        namespace = {"__doc__": doc or None, "__module__": module, "declared_as": key}
        short = name.rpartition(".")[2]
        _declared[key] = type(short, (remote_error_class(builtin),), namespace)
    return _declared[key]


def _rebuild_declared(key: tuple[str, str, str], args: tuple[Any, ...]) -> RemoteError:
    cls = declared_error_class(*key)
    error = cls.__new__(cls)
    error.args = args
    return error
