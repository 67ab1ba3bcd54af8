"""Errors as JSON: written with all that a handler may ask of them, and read without any import.

Only classes of celery_rpc.errors and Python's own exceptions are made again; the class of an error
that a service declares is made from its name, as when the reply was read.
"""

import builtins
import json
from typing import Any

from kombu.utils.json import dumps

from celery_rpc import errors
from celery_rpc.errors import RemoteError, RpcError, declared_error_class, remote_error_class


def error_to_json(error: BaseException) -> dict[str, Any]:
    """Return an error as JSON; attributes that JSON has no words for are written as text."""
    written: dict[str, Any] = {
        "class": own_class(error),
        "type": error.type if isinstance(error, RemoteError) else type(error).__name__,
        "message": str(error),
        "args": jsonable(list(error.args)),
        "details": {name: jsonable(value) for name, value in vars(error).items()},
    }
    if isinstance(error, RemoteError) and error.declared_as is not None:
        written["declared"] = list(error.declared_as)
    elif (builtin := builtin_class(error)) is not None:
        written["builtin"] = builtin
    return written


def error_from_json(written: dict[str, Any]) -> Exception:
    """Return the error that error_to_json() has written."""
    error = new_error(written)
    error.args = tuple(written["args"])
    vars(error).update(written["details"])
    return error


def new_error(written: dict[str, Any]) -> Exception:
    """Return an error of the class that was written, as yet without arguments."""
    name, declared = written["class"], written.get("declared")
    builtin = exception_named(written.get("builtin"))
    cls: type[Exception] = RpcError if builtin is None else builtin
    if declared:
        cls = declared_error_class(*declared)
    elif name == "RemoteError":
        cls = remote_error_class(builtin)
    elif name in errors.__all__:
        cls = getattr(errors, name)
    return cls.__new__(cls)


def own_class(error: BaseException) -> str | None:
    """Return the name of the class of celery_rpc.errors that an error is of; None where of none."""
    names = (cls.__name__ for cls in type(error).__mro__ if cls.__module__ == errors.__name__)
    return next((name for name in names if name in errors.__all__), None)


def builtin_class(error: BaseException) -> str | None:
    """Return the name of Python's own exception that an error is a kind of, its bases left out."""
    names = (cls.__name__ for cls in type(error).__mro__ if cls.__module__ == "builtins")
    return next((name for name in names if name not in ("Exception", "BaseException")), None)


def exception_named(name: str | None) -> type[Exception] | None:
    """Return Python's own exception of that name."""
    found = vars(builtins).get(name or "")
    return found if isinstance(found, type) and issubclass(found, Exception) else None


def jsonable(value: Any) -> Any:
    """Return a value as JSON has it, as Celery would write it; what cannot be so, as text."""
    try:
        return json.loads(dumps(value))
    except (TypeError, ValueError, RecursionError):
        return repr(value)
