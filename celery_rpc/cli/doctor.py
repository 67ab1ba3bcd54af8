"""``doctor``: what is wrong, and what to do about it."""

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import packages_distributions
from typing import Any

import celery
import click

from celery_rpc.catalog.address import Address
from celery_rpc.catalog.backends import heard, problem, remedies, replying
from celery_rpc.catalog.model import Catalog, Service
from celery_rpc.cli.connection import Session, open_session
from celery_rpc.cli.failure import say
from celery_rpc.cli.options import connection_options, json_option
from celery_rpc.cli.output import Cell, Row, count, escaped, print_json, print_table
from celery_rpc.cli.paths import complete_queue
from celery_rpc.errors import RpcError
from celery_rpc.queues.leftovers import Leftovers, bound_queues, clean, find_leftovers
from celery_rpc.settings.client_options import ClientOptions
from celery_rpc.support.deadline import Deadline
from celery_rpc.transport.amqp.link import AmqpLink
from celery_rpc.transport.redis.link import RedisLink

#: The oldest Celery of services that the tests run against.
OLDEST = (5, 4)

#: Seconds that a worker may take to report its versions.
REPORT_WINDOW = 3.0

#: Names that one finding shows.
SHOWN = 5

_VERSION = re.compile(r"\bcelery:(\d+)\.(\d+)(\S*)")


class Severity(StrEnum):
    """How bad it is."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    ERROR = "error"


STYLES = {Severity.OK: "green", Severity.NOTE: "dim", Severity.WARNING: "yellow",
          Severity.ERROR: "red"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found, and what to do about it."""

    severity: Severity
    text: str
    remedy: str = ""
    #: A command that ends it, to be pasted.
    paste: str = ""

    @property
    def bad(self) -> bool:
        return self.severity in (Severity.WARNING, Severity.ERROR)


@click.command()
@click.argument("queues", nargs=-1, metavar="[QUEUE]...", shell_complete=complete_queue)
@click.option("--clean", "cleaning", is_flag=True, help="Delete what dead clients left behind.")
@json_option
@connection_options
@click.pass_context
def doctor(ctx: click.Context, queues: tuple[str, ...], cleaning: bool, as_json: bool) -> None:
    """Look for what is wrong, and name the remedy.

    Each QUEUE is looked at too: RabbitMQ does not tell which queues there are. Exit code 1 when
    there is a warning or an error.
    """
    findings = list(check_installation(packages_distributions().get("celery_rpc", ())))
    found = Leftovers()
    try:
        with open_session(ctx) as session:
            findings += check_fleet(session, queues)
            findings += check_connection(session.client.status(), session.client.options)
            link = session.transport.link(Deadline.after(session.client.options.connect_timeout))
            if isinstance(link, RedisLink):
                found = find_leftovers(link)
                findings += check_leftovers(found)
            show(findings, as_json)
            if cleaning and isinstance(link, RedisLink):
                say(f"{count(clean(link, found), 'key')} deleted", kind="note")
                findings = [each for each in findings if each not in check_leftovers(found)]
    except RpcError:
        if not found.keys:
            show(findings, as_json)
        raise
    if any(each.bad for each in findings):
        ctx.exit(1)


def show(findings: Sequence[Finding], as_json: bool) -> None:
    """Print findings, the worst last: that is what one sees first."""
    ordered = sorted(findings, key=lambda each: list(Severity).index(each.severity))
    if as_json:
        print_json(ordered)
        return
    rows: list[Row] = [
        [Cell(each.severity, STYLES[each.severity]), each.text, each.remedy] for each in ordered
    ]
    if rows:
        print_table(["", "FOUND", "REMEDY"], rows)
    commands = [each.paste for each in ordered if each.paste]
    if commands:
        click.echo(f"\nto paste: {escaped(commands[-1])}")


# ----- here


def check_installation(distributions: Iterable[str]) -> Iterator[Finding]:
    """Look for others who install a package of this name over ours.

    Args:
        distributions: those that have a top-level package celery_rpc.
    """
    ours = "celery-rpc"
    for name in sorted(set(distributions)):
        if name.lower().replace("_", "-") != ours:
            yield Finding(
                Severity.ERROR,
                f"the distribution {name} installs a package celery_rpc too, over this one",
                f"pip uninstall {name} && pip install --force-reinstall {ours}",
            )


def check_connection(status: Mapping[str, Any], options: ClientOptions) -> Iterator[Finding]:
    """Look at our own connection, and at what came over it meanwhile.

    Args:
        status: what client.status() gave.
    """
    if status["blocked"]:
        yield Finding(
            Severity.ERROR,
            f"{status['broker']} blocks publishers: {status['blocked']}",
            "give it memory or disk space, or let its queues be worked off",
        )
    if status["malformed"]:
        yield Finding(
            Severity.WARNING,
            f"{count(status['malformed'], 'message')} on the reply queue could not be read",
            "find out who else publishes there: celery-rpc doctor --debug shows them",
        )
    if status["clock_skew"]:
        yield Finding(
            Severity.WARNING,
            f"a worker's clock is {status['clock_skew']:.0f} s ahead of this one",
            "set the clocks, by NTP",
        )
    if options.broker.doubt and not options.use_ssl:
        yield Finding(Severity.WARNING, options.broker.doubt, "docs/security.md says how")


# ----- the workers


def check_fleet(session: Session, queues: Sequence[str]) -> Iterator[Finding]:
    """Ask the workers and the broker."""
    catalog = session.client.catalog
    if not catalog.workers:
        yield Finding(Severity.ERROR, f"no worker is online at {session.broker}", "start a service")
    else:
        services = count(len(catalog), "service")
        workers = count(len(catalog.workers), "worker")
        yield Finding(Severity.OK, f"{services} and {workers} online at {session.broker}")
    for doubt in catalog.diagnostics:
        yield Finding(Severity.WARNING, doubt, "look at that worker: does it hang?")
    for service in catalog.services.values():
        yield from check_service(service, session.client.options.backend)
    yield from check_versions(session, catalog)
    yield from check_queues(session, catalog, queues)


def check_service(service: Service, backend: str) -> Iterator[Finding]:
    """Look at where results go, and at tasks on which the workers differ."""
    kinds: dict[str, list[str]] = {}
    for task in service.public.values():
        if task.replies and not task.silent:
            kinds.setdefault(task.replies, []).append(task.name)
    for kind in sorted(kinds.keys() - {heard(backend)}):
        ways = remedies(service.queue, kind, backend)
        yield Finding(
            Severity.ERROR,
            problem(some(kinds[kind]), kind, backend),
            "; or ".join(ways),
            paste="" if kind == "rpc" else replying(f"{service.queue}-rpc"),
        )
    silent = [task.name for task in service.public.values() if task.silent]
    if silent:
        yield Finding(
            Severity.NOTE,
            f"{some(silent)} on {service.queue}: ignores its result",
            "send without waiting: celery-rpc call --no-wait; or let it answer: expose(app)",
        )
    for name, nodes in service.partial.items():
        yield Finding(
            Severity.WARNING,
            f"{name} is only on {some(sorted(nodes))}, of {len(service.workers)} workers of "
            f"{service.queue}",
            "run one version of the service; until then calls are tried again",
        )
    for name, digests in service.skewed.items():
        yield Finding(
            Severity.WARNING,
            f"{name} has {len(digests)} signatures on {service.queue}",
            "run one version of the service; until then wrong arguments reach its workers",
        )


def check_versions(session: Session, catalog: Catalog) -> Iterator[Finding]:
    """Ask every worker for its version of Celery."""
    nodes = sorted(catalog.workers)
    answers = session.ask("report", nodes, REPORT_WINDOW) if nodes else {}
    versions: set[str] = set()
    for node in nodes:
        answer = answers.get(node)
        found = _VERSION.search(str(answer.body)) if answer else None
        if found is None:
            yield Finding(
                Severity.WARNING, f"{node} does not tell its version", "look at that worker"
            )
            continue
        version = f"{found[1]}.{found[2]}{found[3]}"
        versions.add(version)
        if (int(found[1]), int(found[2])) < OLDEST:
            yield Finding(
                Severity.WARNING,
                f"{node} runs Celery {version}",
                f"upgrade it: {'.'.join(map(str, OLDEST))} is the oldest that is tested",
            )
    if versions:
        there = ", ".join(sorted(versions))
        yield Finding(Severity.OK, f"Celery {celery.__version__} here, {there} at the workers")


# ----- the queues


def check_queues(session: Session, catalog: Catalog, queues: Sequence[str]) -> Iterator[Finding]:
    """Look for messages that nobody will take."""
    deadline = Deadline.after(REPORT_WINDOW)
    link = session.transport.link(deadline)
    named = {*queues, "celery"}  # Celery's default queue, where lost messages end up
    if isinstance(link, RedisLink):
        named |= bound_queues(link)
    elif not isinstance(link, AmqpLink):
        return
    for queue in sorted(named - set(catalog)):
        depth = link.depth(Address(queue), deadline)
        messages, consumers = depth or (0, None)
        if messages and not consumers:
            yield Finding(
                Severity.ERROR,
                f"{count(messages, 'message')} in queue {queue}, and no worker listens",
                f"start a worker with -Q {queue}, or celery purge -Q {queue}",
                paste=f"celery -A APP worker -Q {shlex.quote(queue)}",
            )


def check_leftovers(found: Leftovers) -> list[Finding]:
    """Report what clients that are gone left on a Redis broker."""
    remedy = "celery-rpc doctor --clean deletes them"
    findings: list[Finding] = []
    if found.replies:
        text = f"{count(len(found.replies), 'reply list')} of dead clients: {some(found.replies)}"
        findings.append(Finding(Severity.WARNING, text, remedy))
    if found.mailboxes:
        text = f"{count(len(found.mailboxes), 'mailbox')} that Celery left: {some(found.mailboxes)}"
        findings.append(Finding(Severity.WARNING, text, remedy))
    if not found.complete:
        text = "the search for what dead clients left took too long"
        findings.append(Finding(Severity.NOTE, text, "run it again at a quieter time"))
    return findings


def some(names: Iterable[str]) -> str:
    """Return names as a list in a sentence, not too many."""
    every = list(names)
    more = f" and {len(every) - SHOWN} more" if len(every) > SHOWN else ""
    return ", ".join(every[:SHOWN]) + more
