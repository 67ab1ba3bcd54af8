"""The documentation is true: its code runs, its lists are complete, its links lead somewhere.

A page's ``python`` blocks run in their order, in one namespace, statement by statement; the URL
that the pages show stands for a broker of the tests. A comment at the end of a statement is
checked where it is a literal (the statement's value) or ``raises Name``; a colon may follow, and
why. The words after ``python`` in a block's first line:

``file=name.py``
    is written to that file and not run; the page's ``celery -A`` line then starts the services,
    in place of the example shop.
``no-run``
    is not run; the words that follow say why.
"""

import ast
import asyncio
import inspect
import re
import shlex
import socket
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

import celery_rpc
from celery_rpc import errors
from tests.servers import ServerProcess, ValkeyBroker, Worker
from tests.servers.process import ROOT

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
TEXTS = [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]

#: What the pages show in place of a broker of one's own.
SHOWN_URL = "redis://localhost:6379/0"

SHOP_FOLDER = ROOT / "examples" / "services"

_BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_TREE_LINE = re.compile(r"^( *)([A-Z]\w+)\b")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of a page."""

    language: str
    words: str
    code: str
    #: Number of the line on which the code begins.
    line: int


def blocks_of(page: Path, language: str) -> list[Block]:
    text = page.read_text()
    return [
        Block(found[1], found[2].strip(), found[3], text.count("\n", 0, found.start()) + 2)
        for found in _BLOCK.finditer(text)
        if found[1] == language
    ]


def headings_of(page: Path) -> list[str]:
    return _HEADING.findall(_BLOCK.sub("", page.read_text()))


# ----- code


@contextmanager
def services_of(page: Path, broker: ValkeyBroker, folder: Path) -> Iterator[str]:
    """Start what a page's code calls; gives the broker's URL."""
    url = broker.fresh_url()
    files = [block for block in blocks_of(page, "python") if block.words.startswith("file=")]
    if not files:
        # The shop's modules lie in a folder of their own, as they would for a user of it.
        sys.path.insert(0, str(SHOP_FOLDER))
        try:
            from shop import Shop  # type: ignore[import-not-found, unused-ignore]
        finally:
            sys.path.remove(str(SHOP_FOLDER))
        with Shop(url, pool="threads", concurrency=4):
            have_described(url)
            yield url
        return
    for block in files:
        name = block.words.removeprefix("file=")
        (folder / name).write_text(block.code.replace(SHOWN_URL, url))
    [command] = [
        line.strip()
        for block in blocks_of(page, "sh")
        for line in block.code.splitlines()
        if line.strip().startswith("celery -A ")
    ]
    process = ServerProcess(
        [sys.executable, "-m", *shlex.split(command)], log=folder / "worker.log", cwd=folder
    )
    worker = Worker(
        process, hostname=f"celery@{socket.gethostname()}", broker_url=url, directory=folder
    )
    with worker:
        process.wait_until(worker.answers, timeout=60, what="an answer to ping")
        have_described(url)
        yield url


def have_described(url: str) -> None:
    """Ask for signatures, as others have of services that run: a worker is slow at the first time.

    On a busy machine it takes longer than a client waits, and results come as JSON gives them.
    """
    with celery_rpc.connect(url, discovery_window=20.0) as client:
        client.refresh()


def comments_of(code: str) -> dict[int, str]:
    """Return the comment that ends each line, if any."""
    tokens = tokenize.generate_tokens(StringIO(code).readline)
    return {t.start[0]: t.string[1:].strip() for t in tokens if t.type == tokenize.COMMENT}


def run_block(block: Block, page: Path, url: str, names: dict[str, Any]) -> None:
    code = block.code.replace(SHOWN_URL, url)
    comments = comments_of(code)
    tree = ast.parse(code)
    ast.increment_lineno(tree, block.line - 1)
    for statement in tree.body:
        end = statement.end_lineno or statement.lineno
        said = comments.get(end - block.line + 1, "")
        run_statement(statement, said, f"{page.relative_to(ROOT)}", names)


def run_statement(statement: ast.stmt, said: str, page: str, names: dict[str, Any]) -> None:
    where = f"{page}:{statement.lineno}"
    code = compile_statement(statement, page)
    expected = re.match(r"raises (\w+)", said)
    if expected:
        with pytest.raises(Exception) as caught:  # noqa: PT011
            evaluate(code, names)
        assert expected[1] in {cls.__name__ for cls in caught.type.__mro__}, f"{where} {caught}"
        return
    value = evaluate(code, names)
    if isinstance(statement, ast.Expr) and said:
        for text in (said, said.partition(": ")[0]):
            try:
                wanted = ast.literal_eval(text)
            except (ValueError, SyntaxError):
                continue
            assert value == wanted, f"{where} gave {value!r}"


def compile_statement(statement: ast.stmt, page: str) -> CodeType:
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    code: CodeType
    if isinstance(statement, ast.Expr):
        code = compile(ast.Expression(statement.value), page, "eval", flags)
    else:
        code = compile(ast.Module([statement], []), page, "exec", flags)
    return code


def evaluate(code: CodeType, names: dict[str, Any]) -> Any:
    if not code.co_flags & inspect.CO_COROUTINE:
        return eval(code, names)

    async def run() -> Any:
        return await eval(code, names)

    return asyncio.run(run())


def pages_with_code() -> list[Path]:
    return [page for page in PAGES if blocks_of(page, "python")]


@pytest.mark.parametrize("page", pages_with_code(), ids=lambda page: page.name)
def test_code_of_page_runs(page: Path, valkey: ValkeyBroker, tmp_path: Path) -> None:
    names: dict[str, Any] = {"__name__": page.stem}
    with services_of(page, valkey, tmp_path) as url:
        try:
            for block in blocks_of(page, "python"):
                if not block.words.startswith(("no-run", "file=")):
                    run_block(block, page, url, names)
        finally:
            for value in names.values():
                if isinstance(value, celery_rpc.BaseClient):
                    value.close()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_block_that_does_not_run_says_why(page: Path) -> None:
    for block in blocks_of(page, "python"):
        words, _, reason = block.words.partition(" ")
        assert words == "" or words.startswith("file=") or (words == "no-run" and reason)


# ----- lists


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) < 150


def test_every_error_has_its_section_in_the_tree_s_order() -> None:
    documented = [name for name in headings_of(DOCS / "errors.md") if hasattr(errors, name)]
    assert documented == list(drawn_tree(errors.__doc__ or ""))


def test_errors_page_draws_the_tree_of_the_module() -> None:
    [drawing] = blocks_of(DOCS / "errors.md", "text")
    assert drawn_tree(drawing.code) == drawn_tree(errors.__doc__ or "")


def test_drawn_tree_is_the_tree_of_the_classes() -> None:
    drawn = drawn_tree(errors.__doc__ or "")
    assert set(drawn) == set(errors.__all__)
    for name, parent in drawn.items():
        bases = [base.__name__ for base in getattr(errors, name).__bases__]
        assert parent is None or parent in bases, name


def drawn_tree(text: str) -> dict[str, str | None]:
    """Read a drawing of classes by its indentation: name -> name of the parent."""
    parents: dict[str, str | None] = {}
    above: list[tuple[int, str]] = []
    for line in text.splitlines():
        found = _TREE_LINE.match(line)
        if found is None or not hasattr(errors, found[2]):
            continue
        depth, name = len(found[1]), found[2]
        above = [each for each in above if each[0] < depth]
        parents[name] = above[-1][1] if above else None
        above.append((depth, name))
    return parents


def test_every_command_has_its_section() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "celery_rpc", "--help"],
        capture_output=True,
        text=True,
        check=True,
        timeout=150,
    ).stdout
    listing = shown.partition("Commands:\n")[2].partition("\n\n")[0]
    commands = {line.split()[0] for line in listing.splitlines() if re.match(r" {2}\w", line)}
    assert commands
    sections = {
        heading.replace("`", "").removeprefix("celery-rpc ").split()[0]
        for heading in headings_of(DOCS / "cli.md")
    }
    assert commands <= sections


# ----- links


def anchor(heading: str) -> str:
    """Return the anchor that GitHub makes of a heading."""
    kept = re.sub(r"[^\w\- ]", "", heading.lower())
    return kept.replace(" ", "-")


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in _LINK.findall(_BLOCK.sub("", page.read_text())):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, fragment = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        if fragment:
            assert fragment in map(anchor, headings_of(target)), link
