"""Print the rows: python -m benchmarks."""

import json
import os
import platform
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from benchmarks import batch, calls, canvas, crowd, discovery, imports, stubs
from benchmarks.rows import Row
from benchmarks.servers import BROKERS, Servers, serve
from benchmarks.table import to_table
from tests.servers.worker import Pool

FAMILIES: dict[str, Callable[[Servers, int], list[Row]]] = {
    "discovery": discovery.measure,
    "calls": calls.measure,
    "gather": crowd.gather,
    "concurrent": crowd.concurrent,
    "batch": batch.measure,
    "canvas": canvas.measure,
    "imports": imports.measure,
}

#: What needs no broker, and has no like in Celery.
STUBS = "stubs"


@click.command()
@click.option("--broker", type=click.Choice([*BROKERS, "both"]), default="both", show_default=True)
@click.option(
    "--only", type=click.Choice([*FAMILIES, STUBS]), multiple=True, help="May be repeated."
)
@click.option("--pool", type=click.Choice(["prefork", "threads", "solo"]), default="prefork",
              show_default=True, help="The worker's pool, of two.")  # fmt: skip
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--quick", is_flag=True, help="Smaller canvases: stock Celery takes minutes.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write all figures there.")
def main(
    broker: str, only: tuple[str, ...], pool: Pool, rounds: int, quick: bool, file: Path | None
) -> None:
    """Measure ours and stock Celery in turns, on one broker and one worker."""
    console = Console()
    taken: dict[str, Any] = {}
    if not only or STUBS in only:
        with console.status(STUBS):
            timings = stubs.measure(rounds)
        console.print(stubs.to_table(timings))
        taken[STUBS] = [timing.to_json() for timing in timings]
    families = [name for name in only or FAMILIES if name != STUBS]
    if families:
        taken |= compare(console, broker, families, pool, rounds, quick=quick)
    if file is not None:
        machine = {"pool": pool, "rounds": rounds, **describe_machine()}
        file.write_text(json.dumps({**machine, "rows": taken}, indent=2) + "\n")


def compare(
    console: Console,
    broker: str,
    families: Sequence[str],
    pool: Pool,
    rounds: int,
    *,
    quick: bool,
) -> dict[str, Any]:
    """Measure ours and stock Celery, and print both; gives all figures by broker."""
    taken: dict[str, Any] = {}
    for kind in BROKERS if broker == "both" else (broker,):
        rows: list[Row] = []
        with (
            console.status(f"{kind}: starting") as status,
            serve(kind, pool, quick=quick) as servers,
        ):
            for name in families:
                status.update(f"{kind}: {name}")
                rows += FAMILIES[name](servers, rounds)
        console.print(to_table(rows, f"{kind}, rpc:// results, {pool} worker, {rounds} rounds"))
        taken[kind] = [row.to_json() for row in rows]
    console.print(
        "Client, worker and broker share this machine: compare the shares, not the times.",
        style="dim",
    )
    return taken


def describe_machine() -> dict[str, Any]:
    """Print where the figures are from."""
    versions = {name: version(name) for name in ("celery", "kombu", "redis", "amqp", "celery-rpc")}
    return {"cores": os.cpu_count(), "python": platform.python_version(), "versions": versions}


if __name__ == "__main__":
    main()
