"""What is there: ``ls``, ``describe`` and ``ping``."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

from celery_rpc.catalog.model import Catalog, Service, TaskSpec, unevenness
from celery_rpc.catalog.signature import TaskSignature
from celery_rpc.cli.connection import open_session, say_doubts
from celery_rpc.cli.failure import say
from celery_rpc.cli.options import connection_options, given, json_option
from celery_rpc.cli.origin import origin_options
from celery_rpc.cli.output import (
    Cell,
    Row,
    count,
    print_facts,
    print_json,
    print_table,
    to_json,
    to_plain,
)
from celery_rpc.cli.paths import complete_path, complete_queue, path_of, python_of
from celery_rpc.cli.reading import open_reading
from celery_rpc.errors import DiscoveryError
from celery_rpc.validation.arguments import to_inspect

#: Seconds to wait for the answer to a ping.
PING_WINDOW = 1.0

DOUBT = "yellow"


@click.command()
@click.argument("queue", required=False, shell_complete=complete_queue)
@json_option
@origin_options
@connection_options
@click.pass_context
def ls(ctx: click.Context, queue: str | None, as_json: bool) -> None:
    """List the services, or the tasks of the one behind QUEUE.

    In a pipe: a line each, columns separated by tabs, no header.
    """
    with open_reading(ctx) as reading:
        catalog = reading.catalog
        service = reading.service(queue) if queue is not None else None
        if as_json:
            print_json(plain_catalog(reading.name, catalog) if service is None else plain(service))
        elif service is not None:
            print_tasks(catalog, service)
        else:
            print_services(reading.name, catalog)
        say_doubts(catalog)


def print_services(name: str, catalog: Catalog) -> None:
    rows: list[Row] = [
        [
            Cell(service.queue, "bold"),
            str(len(service.public)),
            str(len(service.workers)),
            backends_of(service.public.values()),
            Cell(unevenness([service]), DOUBT),
        ]
        for service in catalog.services.values()
    ]
    if not rows:
        say(f"no worker is online at {name}", kind="note")
        return
    tasks = sum(len(service.public) for service in catalog.services.values())
    title = (
        f"{name}   {count(len(rows), 'service')}, {count(tasks, 'task')}, "
        f"{count(len(catalog.workers), 'worker')}"
    )
    print_table(["SERVICE", "TASKS", "WORKERS", "BACKEND", ""], rows, title=title)


def print_tasks(catalog: Catalog, service: Service) -> None:
    rows: list[Row] = [
        [
            Cell(path_of(catalog, service, task.name), "bold"),
            share(service, task.name),
            backends_of([task]),
            task.level.value,
            Cell(remark(service, task), DOUBT if is_doubtful(service, task) else "dim"),
        ]
        for task in service.public.values()
    ]
    title = f"{service.queue}   {count(len(rows), 'task')}, {count(len(service.workers), 'worker')}"
    print_table(["TASK", "WORKERS", "BACKEND", "LEVEL", ""], rows, title=title)


@click.command()
@click.argument("path", shell_complete=complete_path)
@json_option
@origin_options
@connection_options
@click.pass_context
def describe(ctx: click.Context, path: str, as_json: bool) -> None:
    """Show all that is known of a service or a task.

    PATH is a service (billing), a task (billing.add), or queue:name for any other name.
    """
    with open_reading(ctx) as reading:
        service, task = reading.find(path)
        catalog = reading.catalog
        if as_json:
            print_json(plain(service) if task is None else plain_task(service, task))
        elif task is None:
            print_facts(service_facts(catalog, service))
        else:
            print_facts(task_facts(catalog, service, task))
        say_doubts(catalog)


def task_facts(catalog: Catalog, service: Service, task: TaskSpec) -> dict[str, Sequence[str]]:
    """Return what is known of a task."""
    known = {each.name for each in dataclasses.fields(TaskSpec)} - {"name", "backend", "signature"}
    partial = task.name in service.partial
    holders = service.partial.get(task.name, service.workers)
    return {
        "task": [task.name],
        "queue": [service.queue],
        "path": [path_of(catalog, service, task.name)],
        "python": [f"{python_of(service, task)}(...)"],
        "backend": [task.backend or "unknown"],
        **{name: [to_json(getattr(task, name))] for name in sorted(known)},
        "level": [task.level.value],
        **signature_facts(task.signature),
        "workers": sorted(holders),
        "partial": [f"on {share(service, task.name)} workers"] if partial else [],
        "skewed": skewed_facts(service.skewed.get(task.name, {})),
    }


def signature_facts(signature: TaskSignature | None) -> dict[str, Sequence[str]]:
    """Return what a task's signature tells."""
    if signature is None:
        return {}
    return {
        "signature": [str(to_inspect(signature))],
        "doc": signature.doc.splitlines(),
        "errors": [f"{each.name}: {each.doc}".rstrip(": ") for each in signature.errors],
        "deprecated": [signature.deprecated] if signature.deprecated else [],
        "version": [signature.version] if signature.version else [],
        "not known": signature.gaps,
    }


def skewed_facts(digests: Mapping[str, frozenset[str]]) -> list[str]:
    """Print which workers publish which signature."""
    return [f"{digest}: {', '.join(sorted(nodes))}" for digest, nodes in digests.items()]


def service_facts(catalog: Catalog, service: Service) -> dict[str, Sequence[str]]:
    """Return what is known of a service."""
    partial = [
        f"{task}: only {', '.join(sorted(nodes))}" for task, nodes in service.partial.items()
    ]
    return {
        "service": [service.queue],
        "exchange": [service.address.exchange or "(default)"],
        "routing_key": [service.address.routing_key],
        "arguments": [to_json(service.arguments)] if service.arguments else [],
        "backend": [backends_of(service.public.values())],
        "workers": sorted(service.workers),
        "tasks": [path_of(catalog, service, task) for task in service.public],
        "partial": partial,
        "skewed": [
            f"{task}: {line}"
            for task, digests in service.skewed.items()
            for line in skewed_facts(digests)
        ],
    }


@click.command()
@click.argument("queue", required=False, shell_complete=complete_queue)
@json_option
@connection_options
@click.pass_context
def ping(ctx: click.Context, queue: str | None, as_json: bool) -> None:
    """List the workers that answer, with the milliseconds that it took.

    Those of one service when QUEUE is given. Exit code 1 when a worker does not answer.
    """
    with open_session(ctx) as session:
        if queue is not None:
            nodes = sorted(session.client.service(queue).workers)
        else:
            nodes = sorted(session.client.catalog.workers)
        if not nodes:
            raise DiscoveryError(f"no worker is online at {session.broker}: start a service")
        answers = session.ask("ping", nodes, given(ctx, "timeout") or PING_WINDOW)
    times = {node: answers[node].seconds * 1000 if node in answers else None for node in nodes}
    if as_json:
        print_json([{"worker": node, "ms": ms and round(ms, 3)} for node, ms in times.items()])
    else:
        rows: list[Row] = [
            [
                Cell(node, "bold"),
                Cell("-" if ms is None else f"{ms:.1f}"),
                Cell("no answer" if ms is None else "", "red"),
            ]
            for node, ms in times.items()
        ]
        print_table(["WORKER", "MS", ""], rows)
    if None in times.values():
        ctx.exit(1)


# ----- words for what is known


def backends_of(tasks: Iterable[TaskSpec]) -> str:
    """Return where results go, each once."""
    return ",".join(sorted({task.backend or "unknown" for task in tasks})) or "-"


def share(service: Service, task: str) -> str:
    """Return how many of a service's workers have a task: 3, or 1/3."""
    holders = service.partial.get(task)
    every = len(service.workers)
    return str(every) if holders is None else f"{len(holders)}/{every}"


def is_doubtful(service: Service, task: TaskSpec) -> bool:
    return task.name in service.partial or task.name in service.skewed


def remark(service: Service, task: TaskSpec) -> str:
    remarks: list[str] = []
    if task.name in service.skewed:
        remarks.append(f"skewed: {len(service.skewed[task.name])} signatures")
    if task.name in service.partial:
        remarks.append(f"partial: {', '.join(sorted(service.partial[task.name]))}")
    if task.silent:
        remarks.append("no result")
    return "; ".join(remarks)


# ----- JSON


def plain_catalog(name: str, catalog: Catalog) -> dict[str, Any]:
    """Return a catalog as JSON has it."""
    return {
        "broker": name,
        "complete": catalog.complete,
        "services": [plain(service) for service in catalog.services.values()],
        "workers": sorted(catalog.workers),
        "missing": sorted(catalog.missing),
        "diagnostics": list(catalog.diagnostics),
    }


def plain(service: Service) -> dict[str, Any]:
    """Return a service as JSON has it; Celery's own tasks are left out."""
    fields = to_plain(service)
    return {**fields, "tasks": [to_plain(task) for task in service.public.values()]}


def plain_task(service: Service, task: TaskSpec) -> dict[str, Any]:
    """Return a task as JSON has it."""
    holders = service.partial.get(task.name, service.workers)
    return {**to_plain(task), "queue": service.queue, "python": python_of(service, task),
            "level": task.level.value, "workers": sorted(holders),
            "partial": task.name in service.partial,
            "skewed": to_plain(service.skewed.get(task.name, {}))}  # fmt: skip
