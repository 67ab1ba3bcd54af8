"""The options that every command takes, before or after its name; loads nothing but click."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

KEY = "celery_rpc.options"


def remember(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    """Note an option; one after the command's name wins over one before it."""
    if value:
        ctx.meta.setdefault(KEY, {})[param.name] = value


def given(ctx: click.Context, name: str) -> Any:
    """Return what was said on the command line, or None."""
    return ctx.meta.get(KEY, {}).get(name)


def is_given(ctx: click.Context, name: str) -> bool:
    """Return whether a flag was set."""
    return bool(given(ctx, name))


def option(*names: str, **settings: Any) -> Callable[[Command], Command]:
    # Celery's own prefix for variables would make $CELERY_RPC_BROKER look like an argument.
    return click.option(
        *names, expose_value=False, callback=remember, allow_from_autoenv=False, **settings
    )


CONNECTION = (
    option(
        *("-b", "--broker"),
        metavar="URL",
        help="Default: $CELERY_RPC_BROKER, then $CELERY_BROKER_URL.",
    ),
    option("--backend", metavar="URL", help="Where the workers keep results. Default: rpc://"),
    option(
        "--timeout",
        type=click.FloatRange(min=0, min_open=True),
        metavar="SECONDS",
        help="How long to wait for an answer.",
    ),
    option("--debug", is_flag=True, help="Show tracebacks of errors, and log."),
)


def connection_options(command: Command) -> Command:
    """Let a command take the options of a connection."""
    for each in reversed(CONNECTION):
        command = each(command)
    return command


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")

queue_option = click.option(
    *("-Q", "--queue", "queues"),
    multiple=True,
    metavar="QUEUE",
    help="Of this service alone; may be given several times.",
)
