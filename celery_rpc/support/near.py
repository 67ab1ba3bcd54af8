"""Near: the names that somebody may have meant."""

import difflib
from collections.abc import Iterable


def near(name: str, known: Iterable[str], most: int = 3) -> list[str]:
    """Return the known names that are most like one, the nearest first."""
    # Of a long name, each character would cost difflib dozens of bytes.
    return difflib.get_close_matches(name[:80], list(dict.fromkeys(known)), n=most)


def did_you_mean(names: Iterable[str]) -> str:
    """Return a question after these names, to end a sentence with; nothing where there is none."""
    shown = " or ".join(map(repr, names))
    return f"; did you mean {shown}?" if shown else ""
