"""Stubs: a large fleet typed, and what it costs the type checkers; needs no broker."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from rich.table import Table

from celery_rpc.catalog import saved
from celery_rpc.catalog.address import Address
from celery_rpc.catalog.model import Catalog, Service, TaskSpec
from celery_rpc.catalog.signature import Parameter, TaskSignature

QUEUES, TASKS = 40, 2_000

ADDRESS = {
    "type": "object",
    "title": "Address",
    "description": "Where somebody lives.",
    "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
    "required": ["street", "city"],
}
REFERENCE = {"$ref": "#/$defs/Address"}

PROGRAM = """
from celery_rpc import connect

client = connect()
total: int = client.service_{queue:02}.task_{task:04}(1)
"""


@dataclass(frozen=True, slots=True)
class Timing:
    """How long something took in each round, and how long it may take."""

    measure: str
    seconds: Sequence[float]
    limit: float

    def to_json(self) -> dict[str, Any]:
        return {
            "name": "stubs",
            "measure": self.measure,
            "unit": "s",
            "limit": self.limit,
            "met": median(self.seconds) <= self.limit,
            "ours": [round(each, 3) for each in self.seconds],
        }


def measure(rounds: int) -> list[Timing]:
    """Time genstubs for a catalog of 2,000 tasks, and both type checkers without their caches."""
    with TemporaryDirectory() as place:
        folder = Path(place)
        saved.save(large_catalog(), folder / "catalog.json")
        (folder / "program.py").write_text(PROGRAM.format(queue=7, task=7))
        settings = {"stubPath": "stubs", "typeCheckingMode": "strict", "include": ["program.py"]}
        (folder / "pyrightconfig.json").write_text(json.dumps(settings))
        return [
            Timing(name, [timed(command, folder) for _ in range(rounds)], limit)
            for name, command, limit in commands()
        ]


def commands() -> Iterator[tuple[str, tuple[str, ...], float]]:
    """Yield what is timed, and the seconds that it may take."""
    yield (
        f"genstubs, {TASKS:,} tasks",
        ("celery_rpc", "genstubs", "--from-catalog", "catalog.json", "--no-probe", "--json"),
        3.0,
    )
    yield (
        "mypy --strict, cold",
        ("mypy", "--strict", "--config-file", os.devnull, "--cache-dir", os.devnull, "program.py"),
        5.0,
    )
    yield "pyright strict, cold", ("pyright", "--pythonpath", sys.executable), 5.0


def timed(command: Sequence[str], folder: Path) -> float:
    """Run a module as a program; give the seconds that it took."""
    begin = perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env={**os.environ, "MYPYPATH": str(folder / "stubs")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return perf_counter() - begin


def large_catalog() -> Catalog:
    """Return a catalog as large as that of a large company."""
    specs: dict[str, dict[str, TaskSpec]] = {}
    for number in range(TASKS):
        queue = f"service_{number % QUEUES:02}"
        name = f"{queue}.task_{number:04}"
        specs.setdefault(queue, {})[name] = TaskSpec(name, signature=signature(number))
    return Catalog(
        services={
            queue: Service(queue, Address(queue, queue, queue), frozenset(), tasks)
            for queue, tasks in specs.items()
        }
    )


def signature(number: int) -> TaskSignature:
    """Return a signature; every fourth takes a model, of which each queue has its own."""
    integer = {"type": "integer"}
    parameters = [
        Parameter(name="x", schema=integer, annotation="int"),
        Parameter(name="y", schema=integer, annotation="int", default="0"),
        Parameter(name="label", schema={"type": "string"}, annotation="str", default="''"),
    ]
    if number % 4:
        return TaskSignature(
            parameters=tuple(parameters),
            returns=integer,
            return_annotation="int",
            doc=f"Do number {number}.",
        )
    own = {**ADDRESS, "description": f"Where somebody lives, as service {number % QUEUES} says."}
    parameters.append(Parameter(name="home", schema=REFERENCE, default="None"))
    return TaskSignature(
        parameters=tuple(parameters),
        returns=REFERENCE,
        return_annotation="Address",
        definitions={"Address": own},
        doc=f"Do number {number}.",
    )


def to_table(timings: Sequence[Timing]) -> Table:
    """Show the timings."""
    table = Table(title=f"stubs, {TASKS:,} tasks over {QUEUES} queues", title_justify="left")
    table.add_column("measure")
    for name in ("seconds", "wanted"):
        table.add_column(name, justify="right")
    for each in timings:
        taken = median(each.seconds)
        style = "green" if taken <= each.limit else "red"
        table.add_row(each.measure, f"[{style}]{taken:.2f}[/]", f"≤{each.limit:.0f}")
    return table
