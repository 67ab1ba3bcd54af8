"""Output: tables on a terminal, tab-separated lines in a pipe, JSON when asked for."""

import dataclasses
import json
import sys
import unicodedata
from collections.abc import Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import click

if TYPE_CHECKING:
    from rich.console import Console

#: What a terminal would obey, or what would make text look like other text: controls,
#: lone surrogates, line separators, and the marks that turn the direction of writing.
UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})
DIRECTIONS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class Cell(NamedTuple):
    """One cell of a table: text, and its style where there are styles."""

    text: str
    style: str = ""


def count(number: int, noun: str) -> str:
    """Write a number of things: 1 worker, 2 workers, 3 mailboxes."""
    plural = noun if number == 1 else f"{noun}es" if noun.endswith("x") else f"{noun}s"
    return f"{number} {plural}"


Row = Sequence[Cell | str]


def escaped(text: str, keep: str = "\n\t") -> str:
    """Return a text in which what a terminal would obey is written as JSON writes it."""
    if text.isprintable():  # nothing of that is printable, as Python sees it
        return text
    return "".join(ch if ch in keep or is_harmless(ch) else escape(ch) for ch in text)


def is_harmless(character: str) -> bool:
    return unicodedata.category(character) not in UNPRINTABLE and character not in DIRECTIONS


def escape(character: str) -> str:
    return json.dumps(character)[1:-1] if character != "\x7f" else "\\u007f"


def is_terminal() -> bool:
    """Return whether somebody looks at what is printed."""
    return sys.stdout.isatty()


def console(*, stderr: bool = False) -> "Console":
    """Return rich's console; without colour where $NO_COLOR is set or nobody looks."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, markup=False, emoji=False)


# ----- JSON


def to_plain(value: Any) -> Any:
    """Convert dataclasses, sets and mappings to what JSON has; raises nothing."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            each.name: to_plain(getattr(value, each.name)) for each in dataclasses.fields(value)
        }
    if isinstance(value, Mapping):
        return {str(key): to_plain(each) for key, each in value.items()}
    if isinstance(value, Set):
        return sorted(to_plain(each) for each in value)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [to_plain(each) for each in value]
    return value


def to_json(value: Any, *, indent: int | None = None) -> str:
    """Write a value as JSON that a terminal can be shown."""
    text = json.dumps(to_plain(value), ensure_ascii=False, indent=indent, default=str)
    return escaped(text, keep="\n")


def print_json(value: Any) -> None:
    """Print JSON: one line in a pipe, indented and coloured on a terminal."""
    if not is_terminal():
        click.echo(to_json(value))
        return
    from rich.highlighter import JSONHighlighter
    from rich.text import Text

    text = Text(to_json(value, indent=2))
    JSONHighlighter().highlight(text)
    console().print(text, soft_wrap=True)


def print_value(value: Any) -> None:
    """Print a value for people: text as it is, anything else as JSON."""
    if isinstance(value, str):
        click.echo(escaped(value))
    else:
        print_json(value)


# ----- tables


def print_table(columns: Sequence[str], rows: Sequence[Row], *, title: str = "") -> None:
    """Print rows: a table on a terminal, else one line a row with tabs between, and no header."""
    cells = [[each if isinstance(each, Cell) else Cell(each) for each in row] for row in rows]
    if not is_terminal():
        for row in cells:
            click.echo("\t".join(escaped(cell.text, keep="") for cell in row))
        return
    print_rich_table(columns, cells, title)


def print_rich_table(columns: Sequence[str], rows: Sequence[Sequence[Cell]], title: str) -> None:
    """Print a table for people: a column in which nothing stands is left out."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False, show_edge=False)
    used = [number for number in range(len(columns)) if any(row[number].text for row in rows)]
    for number in used:
        figures = all(row[number].text.replace(".", "").isdigit() for row in rows)
        justify: Literal["right", "left"] = "right" if figures else "left"
        table.add_column(columns[number], justify=justify, overflow="fold")
    for row in rows:
        cells = [row[number] for number in used]
        table.add_row(*(Text(escaped(cell.text, keep=""), style=cell.style) for cell in cells))
    screen = console()
    if title:
        screen.print(Text(title, style="dim"))
        screen.print()
    screen.print(table)


def print_facts(facts: Mapping[str, Sequence[str]]) -> None:
    """Print names and their values: a line for each value, the name again in a pipe."""
    rows = [
        (name if number == 0 or not is_terminal() else "", value)
        for name, values in facts.items()
        for number, value in enumerate(values)
    ]
    if not is_terminal():
        for name, value in rows:
            click.echo(f"{escaped(name, keep='')}\t{escaped(value, keep='')}")
        return
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in rows:
        grid.add_row(Text(name.replace("_", " ")), Text(escaped(value, keep="")))
    console().print(grid)
