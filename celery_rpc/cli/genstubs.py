"""``genstubs``: types of the services for editors and type checkers."""

import gc
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import click

from celery_rpc.catalog.model import Catalog
from celery_rpc.cli.failure import say
from celery_rpc.cli.options import connection_options, json_option, queue_option
from celery_rpc.cli.origin import origin_options, read_catalog
from celery_rpc.cli.output import count, escaped, is_terminal, print_json, print_table
from celery_rpc.codegen.checker_settings import missing_settings
from celery_rpc.codegen.checkers import Verdict, probe
from celery_rpc.codegen.models import Kind
from celery_rpc.codegen.names import REGISTRY, camel, is_free
from celery_rpc.codegen.parts import registry_of
from celery_rpc.codegen.report import Report
from celery_rpc.codegen.stubs import module_of, stub_of
from celery_rpc.codegen.wheel import wheel_of
from celery_rpc.codegen.writer import Folder
from celery_rpc.errors import CodegenError, ConfigurationError
from celery_rpc.support.atomic_write import replace

KINDS = ("typeddict", "dataclass", "pydantic")

#: Gaps that are shown on a terminal; --json has them all.
SHOWN_GAPS = 20


@click.command()
@click.option(
    *("-o", "--output"),
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Where to write. Default: stubs; with --module or --wheel: here.",
)
@click.option("--module", metavar="NAME", help="Write an importable module, for services=.")
@click.option(
    "--models",
    type=click.Choice(KINDS),
    default="typeddict",
    show_default=True,
    help="What models become; classes need --module.",
)
@click.option("--wheel", metavar="NAME", help="Write a distribution of that name instead.")
@click.option("--check", is_flag=True, help="Write nothing; exit 1 with a diff where it is stale.")
@click.option("--probe/--no-probe", "probed", default=True, help="Run the type checkers after it.")
@queue_option
@json_option
@origin_options
@connection_options
@click.pass_context
def genstubs(
    ctx: click.Context,
    output: Path | None,
    module: str | None,
    models: str,
    wheel: str | None,
    check: bool,
    probed: bool,
    queues: tuple[str, ...],
    as_json: bool,
) -> None:
    """Write the types of the services.

    With stubs/celery_rpc_registry.pyi where type checkers look, connect() is typed as it is. In the
    end the type checkers that are installed are asked; exit code 6 if they see nothing of it.
    """
    check_options(module, models, check=check, wheel=wheel)
    catalog = read_catalog(ctx, queues)
    with uncollected():
        files, report = generated(catalog, module, cast("Kind", models))
    folder = Folder(output or Path("." if module or wheel else "stubs"))
    left = [] if module else folder.left_over(files)
    if wheel:
        write_wheel(folder.path, wheel, files)
    elif check:
        lines = list(folder.differences({**files, **dict.fromkeys(left)}))
        for line in lines:
            click.echo(escaped(line, keep=""))
        ctx.exit(1 if lines else 0)
    else:
        written = folder.write(files)
        folder.remove(left)
        say(told(report, folder, len(written), len(left)), kind="note")
    show(report, as_json=as_json)
    if not wheel:
        say_settings(folder.path, module)
        if probed:
            name = camel(module) if module else "Services"
            refuse(probe(folder.path, module or REGISTRY, name, list(files)))


def check_options(module: str | None, models: str, *, check: bool, wheel: str | None) -> None:
    """Refuse what cannot be, before anybody is asked.

    Raises:
        ConfigurationError: a name or a combination is wrong.
    """
    if check and wheel:
        raise ConfigurationError(
            "--check compares files, and --wheel writes a distribution whose version says what is "
            "in it: leave out one"
        )
    if models != "typeddict" and module is None:
        raise ConfigurationError(f"--models {models} makes classes: say --module NAME for them")
    if module is not None and not is_free(module):
        raise ConfigurationError(f"--module {module!r} is no name for a module of your own")


@contextmanager
def uncollected() -> Generator[None]:
    """Look for no garbage: among large trees, which are kept, that takes a fifth of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def generated(catalog: Catalog, module: str | None, models: Kind) -> tuple[dict[str, str], Report]:
    """Return the files, by name, and the report."""
    if module is None:
        parts = registry_of(catalog)
        files = {f"{part}.pyi": written.text for part, written in parts.items()}
        return files, parts[REGISTRY].report
    name = camel(module)
    stub = stub_of(catalog, name=name, models=models)
    files = {
        f"{module}.py": module_of(catalog, name=name, models=models).text,
        f"{module}.pyi": stub.text,
    }
    return files, stub.report


def write_wheel(folder: Path, name: str, files: dict[str, str]) -> None:
    file, content = wheel_of(name, files)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        replace(folder / file, content)
    except OSError as error:
        raise CodegenError(f"{folder / file} cannot be written: {error.strerror}") from error
    click.echo(folder / file)


# ----- what is told


def told(report: Report, folder: Folder, written: int, removed: int) -> str:
    """Print what was done."""
    parts = [
        count(report.services, "service"),
        count(report.tasks, "task"),
        count(report.models, "model"),
    ]
    changes = [
        *([f"{count(written, 'file')} written"] if written else []),
        *([f"{count(removed, 'file')} removed"] if removed else []),
    ]
    change = ", ".join(changes) or "nothing has changed"
    return f"{', '.join(parts)} in {folder.path}: {change}"


def show(report: Report, *, as_json: bool) -> None:
    """Print what became Any, or was left out, and why."""
    if as_json:
        print_json(plain(report))
        return
    shown = report.gaps[:SHOWN_GAPS] if is_terminal() else report.gaps
    if shown:
        rows = [(gap.queue, gap.task, gap.where, gap.reason) for gap in shown]
        print_table(["SERVICE", "TASK", "WHERE", "NOT TYPED BECAUSE"], rows)
    if len(report.gaps) > len(shown):
        say(f"and {len(report.gaps) - len(shown)} more: see --json", kind="note")


def plain(report: Report) -> dict[str, Any]:
    return {
        "services": report.services,
        "tasks": report.tasks,
        "models": report.models,
        "gaps": [gap._asdict() for gap in report.gaps],
    }


def say_settings(folder: Path, module: str | None) -> None:
    """Print the lines that a project lacks, for type checkers to find the registry."""
    if module is None:
        for line in missing_settings(Path.cwd(), str(folder)).values():
            say(f"add to {line}", kind="note")


def refuse(verdicts: list[Verdict]) -> None:
    """Print what the type checkers found.

    Raises:
        CodegenError: errors in the stubs, or nothing in them.
    """
    if not verdicts:
        say("neither mypy nor pyright is installed here: the stubs are not checked", kind="note")
    problems = [verdict.problem for verdict in verdicts if verdict.problem]
    if problems:
        raise CodegenError("; ".join(problems))
