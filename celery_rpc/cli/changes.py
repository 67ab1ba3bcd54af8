"""Changes: how differences between catalogs are printed."""

from collections.abc import Sequence
from dataclasses import asdict

import click

from celery_rpc.cli.failure import say
from celery_rpc.cli.output import Cell, Row, count, escaped, print_json, print_table
from celery_rpc.diff.rules import Change

STYLES = {True: "red", False: "dim"}


def print_changes(changes: Sequence[Change], form: str) -> None:
    """Print changes, the worst first; and to stderr how many they are."""
    ordered = sorted(changes, key=lambda each: -len(each.effects))
    if form == "json":
        print_json([plain(each) for each in ordered])
    elif form == "github":
        for each in ordered:
            click.echo(annotation(each))
    else:
        print_text(ordered)
    breaking = sum(each.breaking for each in changes)
    told = f"{count(len(changes), 'change')}, {breaking} breaking"
    say(told if changes else "nothing that was compared differs", kind="note")


def plain(change: Change) -> dict[str, object]:
    """Return a change as JSON has it."""
    return {**asdict(change), "effects": sorted(change.effects), "breaking": change.breaking}


def print_text(changes: Sequence[Change]) -> None:
    rows: list[Row] = [
        [
            Cell(each.label, STYLES[each.breaking]),
            Cell(each.rule, "bold"),
            place_of(each),
            each.text,
        ]
        for each in changes
    ]
    if rows:
        print_table(["", "RULE", "WHERE", "WHAT"], rows)


def place_of(change: Change) -> str:
    """Return where a change is: queue:task, and what of the task."""
    place = f"{change.queue}:{change.task}" if change.task else change.queue
    return f"{place} {change.where}".rstrip()


def annotation(change: Change) -> str:
    """Write a change as a command that GitHub Actions shows at the run."""
    level = "error" if change.breaking else "notice"
    title = f"{change.rule} {change.label}"
    text = f"{place_of(change)}: {change.text}"
    return f"::{level} title={for_github(title, ':,')}::{for_github(text)}"


def for_github(text: str, more: str = "") -> str:
    """Escape what would end a command, or begin another one."""
    shown = escaped(text, keep="").replace("%", "%25")
    for character in more:
        shown = shown.replace(character, f"%{ord(character):02X}")
    return shown
