"""``diff``: what has changed between two catalogs, and whom it breaks."""

from collections.abc import Sequence
from contextlib import ExitStack

import click

from celery_rpc.cli.changes import print_changes
from celery_rpc.cli.connection import open_session
from celery_rpc.cli.options import connection_options, given, queue_option
from celery_rpc.cli.origin import Place
from celery_rpc.cli.queued import refused
from celery_rpc.diff.catalogs import diff as differences
from celery_rpc.diff.rules import RULES, Change
from celery_rpc.support.near import did_you_mean, near


def check_rule(
    ctx: click.Context, param: click.Parameter, names: tuple[str, ...]
) -> tuple[str, ...]:
    """Refuse what is no rule, and name what is near."""
    for name in names:
        if name not in RULES:
            hint = did_you_mean(near(name.upper(), RULES, 1)) or f" (rules: {', '.join(RULES)})"
            raise click.BadParameter(f"there is no rule {name!r}{hint}")
    return names


@click.command()
@click.argument("old")
@click.argument("new")
@queue_option
@click.option(
    *("--ignore", "ignored"),
    multiple=True,
    metavar="RULE",
    callback=check_rule,
    help="Leave out what this rule finds; may be given several times.",
)
@click.option(
    *("--format", "form"),
    type=click.Choice(["text", "json", "github"]),
    default="text",
    show_default=True,
    help="github: annotations for a workflow of GitHub Actions.",
)
@connection_options
@click.pass_context
def diff(
    ctx: click.Context,
    old: str,
    new: str,
    queues: tuple[str, ...],
    ignored: tuple[str, ...],
    form: str,
) -> None:
    """Show what has changed from OLD to NEW, and whether it breaks callers or queued messages.

    Each is a saved catalog, REVISION:FILE.json of this git repository, MODULE:APP (a service's own
    source; MODULE:APP@QUEUE where its workers listen elsewhere), or a broker's URL.

    \b
      celery-rpc diff main:services.json billing.celery:app@billing
      celery-rpc diff services.json redis://localhost:6379/0

    Where a side is a broker, or --broker names one, the messages that wait there in the queues
    that have changed are read, and those named that the new signatures cannot accept. They stay
    where they are; RabbitMQ marks them as redelivered. Exit code 1 when anything breaks.
    """
    with Place(old) as before, Place(new) as after, ExitStack() as stack:
        found = differences(before.catalog, after.catalog)
        changed = [each.queue for each in found if not queues or each.queue in queues]
        brokers = {each.session.broker: each.session for each in (before, after) if each.session}
        if given(ctx, "broker"):
            session = stack.enter_context(open_session(ctx))
            brokers.setdefault(session.broker, session)
        for each in brokers.values():
            found += refused(each, changed, before.catalog, after.catalog)
        changes = [each for each in found if wanted(each, queues, ignored)]
    print_changes(changes, form)
    if any(each.breaking for each in changes):
        ctx.exit(1)


def wanted(change: Change, queues: Sequence[str], ignored: Sequence[str]) -> bool:
    """Return whether a change was asked for."""
    return change.rule not in ignored and (not queues or change.queue in queues)
