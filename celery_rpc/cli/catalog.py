"""``catalog``: what is known of the services, as a file."""

from pathlib import Path

import click

from celery_rpc.catalog import saved
from celery_rpc.catalog.model import Catalog
from celery_rpc.cli.changes import print_changes
from celery_rpc.cli.failure import say
from celery_rpc.cli.options import connection_options, json_option, queue_option
from celery_rpc.cli.origin import only, origin_options, read_catalog
from celery_rpc.cli.output import Cell, Row, count, escaped, print_table
from celery_rpc.cli.paths import path_of
from celery_rpc.diff.catalogs import diff
from celery_rpc.errors import ConfigurationError
from celery_rpc.validation.arguments import to_inspect


@click.group()
def catalog() -> None:
    """Save what is known of the services to a file, or show it."""


@catalog.command("save")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@queue_option
@origin_options
@connection_options
@click.pass_context
def save(ctx: click.Context, file: Path, queues: tuple[str, ...]) -> None:
    """Write the catalog to FILE, as JSON that can be read, compared and committed.

    Equal contracts give equal files: workers, times and URLs are left out. FILE is replaced as a
    whole, or left as it is.
    """
    found = read_catalog(ctx, queues)
    written = saved.save(found, file)
    tasks = sum(len(service.public) for service in found.services.values())
    what = f"{count(len(found), 'service')} and {count(tasks, 'task')} in {file}"
    say(what if written else f"{what}, as before", kind="note")


@catalog.command("check")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@queue_option
@origin_options
@connection_options
@click.pass_context
def check(ctx: click.Context, file: Path, queues: tuple[str, ...]) -> None:
    """Compare FILE with the live services, or with --app.

    Exit code 1 when they differ in anything that a caller could notice.
    """
    if not file.exists():
        raise ConfigurationError(f"{file} is not there: celery-rpc catalog save {file} writes it")
    old = saved.load(file)
    found = diff(old, read_catalog(ctx))
    changes = [each for each in found if not queues or each.queue in queues]
    print_changes(changes, "text")
    if changes:
        ctx.exit(1)


@catalog.command("show")
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@queue_option
@json_option
@origin_options
@connection_options
@click.pass_context
def show(ctx: click.Context, file: Path | None, queues: tuple[str, ...], as_json: bool) -> None:
    """List every task with its signature: of FILE, or of the live services.

    With --json, what save would write.
    """
    found = only(saved.load(file), queues) if file else read_catalog(ctx, queues)
    if as_json:
        click.echo(escaped(saved.to_json(found)), nl=False)
    else:
        print_signatures(found)


def print_signatures(found: Catalog) -> None:
    rows: list[Row] = [
        [
            Cell(service.queue, "bold"),
            path_of(found, service, task.name),
            str(to_inspect(task.signature)) if task.signature else "(...)",
            Cell(str(task.level), "dim"),
        ]
        for service in found.services.values()
        for task in service.public.values()
    ]
    print_table(["SERVICE", "TASK", "SIGNATURE", "KNOWN"], rows)
