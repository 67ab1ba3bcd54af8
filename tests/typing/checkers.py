"""mypy and pyright over programs that use generated stubs, and what they find there."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.servers.process import ROOT
from tests.shop import genstubs

PROGRAMS = ROOT / "tests" / "typing" / "programs"

#: ``# wrong: <mypy's codes> / <pyright's rules>`` at the end of a line that must be refused.
WRONG = re.compile(r"# wrong: (?P<mypy>[^/]*) / (?P<pyright>.*)$")

#: File and line -> the codes of the errors there.
Found = dict[tuple[str, int], set[str]]

SETTINGS = {
    "include": ["."],
    "stubPath": str(ROOT / "stubs"),
    "extraPaths": [str(ROOT)],
    "typeCheckingMode": "strict",
    "reportMissingModuleSource": False,
}


def prepare(folder: Path) -> None:
    """Copy the programs, with the modules that they import, into a folder."""
    for program in PROGRAMS.glob("*.py"):
        shutil.copy(program, folder)
    for module, models in {"acme_shop": "pydantic", "acme_plain": "dataclass"}.items():
        wanted = ("--module", module, "--models", models, "-o", str(folder), "--no-probe")
        done = genstubs(*wanted)
        assert done.returncode == 0, done.stderr
    (folder / "pyrightconfig.json").write_text(json.dumps(SETTINGS))


def wanted(checker: str) -> Found:
    """Return the errors that the programs' comments say."""
    return {
        (program.name, number): set(found[checker].split())
        for program in PROGRAMS.glob("*.py")
        for number, line in enumerate(program.read_text().splitlines(), 1)
        if (found := WRONG.search(line)) is not None
    }


def run(*command: str, folder: Path, **environment: str) -> str:
    """Run a type checker; gives what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder), **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


def by_mypy(folder: Path) -> Found:
    """Run mypy --strict, and give its errors."""
    programs = sorted(path.name for path in PROGRAMS.glob("*.py"))
    output = run(
        *("mypy", "--strict", "--output", "json", "--config-file", "/dev/null", *programs),
        folder=folder,
        MYPYPATH=f"{ROOT / 'stubs'}:{ROOT}",
    )
    messages: list[Any] = [json.loads(line) for line in output.splitlines()]
    return collected(
        (Path(each["file"]).name, each["line"], each["code"])
        for each in messages
        if each["severity"] == "error"
    )


def by_pyright(folder: Path) -> Found:
    """Run pyright, strict, and give its errors."""
    output = run("pyright", "--outputjson", "--pythonpath", sys.executable, folder=folder)
    return collected(
        (Path(each["file"]).name, each["range"]["start"]["line"] + 1, each.get("rule", "syntax"))
        for each in json.loads(output)["generalDiagnostics"]
        if each["severity"] == "error"
    )


def collected(errors: Any) -> Found:
    found: Found = {}
    for file, line, code in errors:
        found.setdefault((file, line), set()).add(code)
    return found
