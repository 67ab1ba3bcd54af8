"""Failure: how an error ends the command line."""

import os
import traceback

import click

from celery_rpc.cli.output import escaped
from celery_rpc.errors import (
    AmbiguousTask,
    ArgumentsError,
    BackendMismatch,
    ConfigurationError,
    DeadlineExceeded,
    DiscoveryError,
    NoSuchService,
    NoSuchTask,
    RemoteError,
    RpcError,
    Unavailable,
)
from celery_rpc.settings.broker_url import masked

OTHER = 6

#: The first that fits gives the exit code, so a class stands before its bases.
EXIT_CODES: tuple[tuple[type[RpcError], int], ...] = (
    (RemoteError, 1),
    (ConfigurationError, 2),
    (ArgumentsError, 2),
    (NoSuchService, 3),
    (NoSuchTask, 3),
    (AmbiguousTask, 3),
    (BackendMismatch, OTHER),
    (DiscoveryError, 4),
    (Unavailable, 4),
    (DeadlineExceeded, 5),
)


def exit_code(error: Exception) -> int:
    """Return the exit code for an error."""
    return next((code for kind, code in EXIT_CODES if isinstance(error, kind)), OTHER)


def report(error: Exception, *, debug: bool = False) -> int:
    """Print an error to stderr, and give the exit code for it.

    What is no RpcError is a bug: it is shown with its traceback, as with ``--debug``.
    """
    if isinstance(error, RemoteError) and error.remote_traceback:
        say(error.remote_traceback.rstrip())
    if debug or not isinstance(error, RpcError):
        say("".join(traceback.format_exception(error)).rstrip())
    say(text_of(error), kind="error")
    return exit_code(error)


def text_of(error: Exception) -> str:
    """Return the one line that says what happened."""
    if isinstance(error, RemoteError):
        return f"{error.type}: {error.message}" if error.message else error.type
    return str(error) or type(error).__name__


def say(text: str, *, kind: str = "") -> None:
    """Print to stderr, with no password and nothing that a terminal would obey."""
    colour = False if os.environ.get("NO_COLOR") else None
    head = click.style(f"{kind}: ", fg="red" if kind == "error" else "yellow") if kind else ""
    click.echo(head + escaped(masked(text)), err=True, color=colour)
