"""Table: the rows, to be read."""

from collections.abc import Iterable, Sequence
from statistics import median

from rich.table import Table

from benchmarks.rows import Row, to_text

STYLES = {True: "green", False: "red", None: ""}


def to_table(rows: Iterable[Row], title: str) -> Table:
    """Show the rows of one broker."""
    table = Table(title=title, title_justify="left")
    table.add_column("row")
    table.add_column("measure")
    for name in ("ours", "compared with", "share", "wanted"):
        table.add_column(name, justify="right")
    last = ""
    for row in rows:
        if last and row.name != last:
            table.add_section()
        style = STYLES[row.met]
        table.add_row(
            row.name if row.name != last else "",
            row.measure,
            shown(row, row.ours),
            f"{shown(row, row.other)} {row.against}",
            f"[{style}]{to_text(row.share)}[/]" if style else to_text(row.share),
            "" if row.wanted is None else str(row.wanted),
        )
        last = row.name
    return table


def shown(row: Row, figures: Sequence[float]) -> str:
    """Show the median of the rounds."""
    return f"{median(figures):,.{digits(row)}f} {row.unit}"


def digits(row: Row) -> int:
    """Return the digits after the point that mean something."""
    return {"s": 2, "ms": 1, "MB": 1}.get(row.unit, 0)
