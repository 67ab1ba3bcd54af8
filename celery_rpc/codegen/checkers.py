"""Probe: what the type checkers that are installed make of generated stubs."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

#: Seconds that a type checker may take.
TIMEOUT = 300.0

_REVEALED = re.compile(r"(?:Revealed type is|Type of \"client\" is) \"(?P<type>[^\"]+)\"")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one type checker says."""

    checker: str
    #: The type of what ``connect()`` gives; empty where that was not told.
    type: str
    #: The errors in the stubs themselves.
    errors: Sequence[str] = ()

    @property
    def problem(self) -> str:
        """What is wrong; empty if nothing is."""
        if self.errors:
            return f"{self.checker} finds errors in the stubs: {'; '.join(self.errors[:3])}"
        if self.type.rpartition(".")[2] in ("", "Any", "Unknown"):
            return f"for {self.checker}, connect() gives {self.type or 'nothing that it tells'}"
        return ""


def probe(folder: Path, module: str, name: str, files: Sequence[str] = ()) -> list[Verdict]:
    """Ask each type checker that is installed what a client is; gives one verdict for each.

    Args:
        folder: where the generated stubs are.
        module: the generated module.
        name: its class; ``Services`` is what ``connect()`` gives without being told.
        files: what was generated with it; all stubs of these are checked.
    """
    checkers: dict[str, Callable[[str, Path, Sequence[Path], Path], Verdict]] = {
        "mypy": ask_mypy,
        "pyright": ask_pyright,
    }
    with TemporaryDirectory(prefix="celery-rpc-probe-") as place:
        program = Path(place, "probe.py")
        program.write_text(program_of(module, name))
        names = {f"{module}.pyi", *(file for file in files if file.endswith(".pyi"))}
        stubs = [folder.resolve() / name for name in sorted(names)]
        return [
            ask(found, program, stubs, folder.resolve())
            for checker, ask in checkers.items()
            if (found := find(checker)) is not None
        ]


def program_of(module: str, name: str) -> str:
    """Return a program that uses the stubs as their user would."""
    if name == "Services":
        return "from celery_rpc import connect\n\nclient = connect()\nreveal_type(client)\n"
    head = f"from {module} import {name}\n\n\n"
    return f"{head}def use(client: {name}) -> None:\n    reveal_type(client)\n"


def find(checker: str) -> str | None:
    """Return the path of a type checker: beside this Python, or else on $PATH."""
    beside = Path(sys.executable).with_name(checker)
    return str(beside) if beside.is_file() else shutil.which(checker)


def ask_mypy(command: str, program: Path, stubs: Sequence[Path], folder: Path) -> Verdict:
    """Run mypy --strict over the probe."""
    output = run(
        [
            *(command, "--strict", "--config-file", os.devnull, "--python-executable"),
            *(sys.executable, "--cache-dir", str(program.parent / "cache"), "--no-error-summary"),
            *("--show-absolute-path", str(program), *map(str, stubs)),
        ],
        program.parent,
        MYPYPATH=str(folder),
    )
    return verdict("mypy", output, stubs)


def ask_pyright(command: str, program: Path, stubs: Sequence[Path], folder: Path) -> Verdict:
    """Run pyright, strict, over the probe."""
    settings = {
        "include": [program.name, "checked"],  # it checks only what is below
        "stubPath": str(folder),
        "typeCheckingMode": "strict",
        "reportMissingModuleSource": False,
    }
    checked = program.parent / "checked"
    checked.mkdir()
    for stub in stubs:
        shutil.copy(stub, checked)
    (program.parent / "pyrightconfig.json").write_text(json.dumps(settings))
    output = run(
        [command, "-p", str(program.parent), "--pythonpath", sys.executable], program.parent
    )
    return verdict("pyright", output, stubs)


def run(command: Sequence[str], place: Path, **environment: str) -> str:
    """Run a program, and give what it says."""
    try:
        done = subprocess.run(
            command,
            cwd=place,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return done.stdout + done.stderr


def verdict(checker: str, output: str, stubs: Sequence[Path]) -> Verdict:
    """Read what a type checker says."""
    lines = [line.strip() for line in output.splitlines()]
    names = [f"{stub.name}:" for stub in stubs]
    errors = [line for line in lines if "error: " in line and any(n in line for n in names)]
    revealed = _REVEALED.search(output)
    return Verdict(checker, revealed["type"] if revealed else "", errors)
