"""``call``: one call from the command line."""

import json
import re
import sys
from pathlib import Path
from typing import Any, NoReturn

import click

from celery_rpc.cli.connection import open_session
from celery_rpc.cli.options import connection_options
from celery_rpc.cli.output import print_json, print_value
from celery_rpc.cli.paths import complete_path, find_named

TYPO = re.compile(r"--?[A-Za-z]")


class CallCommand(click.Command):
    """Takes negative numbers for arguments, and everything after ``--``."""

    ignore_unknown_options = True

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        after = len(args) - args.index("--") - 1 if "--" in args else 0
        rest = super().parse_args(ctx, args)
        arguments = ctx.params.get("arguments") or ()
        for each in arguments[: len(arguments) - after]:
            if TYPO.match(each) and not ctx.resilient_parsing:
                ctx.fail(f"No such option: {each} (put -- before arguments that start with a dash)")
        return rest


@click.command("call", cls=CallCommand)
@click.argument("path", shell_complete=complete_path)
@click.argument("arguments", nargs=-1, metavar="[ARGS]...")
@click.option(
    *("--json", "keywords"),
    metavar="OBJECT",
    help="Keyword arguments as a JSON object; the value then is printed as JSON, text too.",
)
@click.option(
    *("-d", "--data"),
    metavar="DATA",
    help="A JSON object for keyword arguments, a JSON array for positional ones; @file reads a "
    "file, @- the standard input.",
)
@click.option("--no-wait", is_flag=True, help="Send it, print its id, and wait for no reply.")
@connection_options
@click.pass_context
def call(
    ctx: click.Context,
    path: str,
    arguments: tuple[str, ...],
    keywords: str | None,
    data: str | None,
    no_wait: bool,
) -> None:
    """Call a task and print its value: text as it is, anything else as JSON.

    PATH is billing.add, or queue:name for a task of any other name. Each of ARGS is JSON where it
    can be read as JSON, else text. The traceback of a task that raised goes to stderr.

    \b
      celery-rpc call billing.add 1 1
      celery-rpc call inventory.search --json '{"tag": "wood"}'
      celery-rpc call billing.invoice -d @order.json
    """
    args, kwargs = read_arguments(arguments, keywords, data)
    with open_session(ctx) as session:
        task = find_named(session.client, path)
        if no_wait:
            click.echo(task.options(ignore_result=True).delay(*args, **kwargs).id)
            return
        value = task(*args, **kwargs)
    if keywords is None:
        print_value(value)
    else:
        print_json(value)


def read_arguments(
    arguments: tuple[str, ...], keywords: str | None, data: str | None
) -> tuple[list[Any], dict[str, Any]]:
    """Put together a call's arguments.

    Raises:
        click.UsageError: something is no JSON, or is given twice.
    """
    args = [read_argument(each) for each in arguments]
    kwargs: dict[str, Any] = {}
    if keywords is not None:
        kwargs = read_json(keywords, "--json")
        if not isinstance(kwargs, dict):
            raise click.UsageError("--json takes an object of keyword arguments")
    if data is None:
        return args, kwargs
    body = read_json(read_data(data), "-d")
    if isinstance(body, dict) and keywords is None:
        return args, body
    if isinstance(body, list) and not args:
        return body, kwargs
    if not isinstance(body, dict | list):
        raise click.UsageError("-d takes an object of keyword arguments or an array of arguments")
    what = "keyword arguments" if isinstance(body, dict) else "arguments"
    raise click.UsageError(f"-d gives {what} that are given already")


def read_argument(text: str) -> Any:
    """Read one argument: JSON where it is JSON, else text."""
    try:
        return json.loads(text, parse_constant=no_constant)
    except ValueError:
        return text


def no_constant(name: str) -> NoReturn:
    """Refuse NaN and Infinity, which Python's parser takes and JSON does not have."""
    raise ValueError(name)


def read_json(text: str, option: str) -> Any:
    try:
        return json.loads(text, parse_constant=no_constant)
    except ValueError as error:
        raise click.UsageError(f"{option} is no JSON: {error}") from error


def read_data(data: str) -> str:
    """Return what -d names: the text itself, a file, or the standard input."""
    if data == "@-":
        return sys.stdin.read()
    if not data.startswith("@"):
        return data
    try:
        return Path(data[1:]).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise click.UsageError(f"-d cannot read {data[1:]}: {error}") from error
