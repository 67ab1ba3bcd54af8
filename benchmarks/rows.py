"""Row: one measure of ours and of what it is compared with, and what was wanted of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True)
class Wanted:
    """The largest share of the other figure that ours may have."""

    share: float

    def __str__(self) -> str:
        return to_text(self.share, "≤")


@dataclass(frozen=True, slots=True)
class Row:
    """One measure: what each round gave for ours and for the other side, in one unit."""

    name: str
    measure: str
    unit: str
    ours: Sequence[float]
    other: Sequence[float]
    wanted: Wanted | None = None
    #: Who the other side is.
    against: str = "stock"

    @property
    def share(self) -> float:
        """The median, over the rounds, of ours divided by the other; below one we are better."""
        return median(ours / other for ours, other in zip(self.ours, self.other, strict=True))

    @property
    def met(self) -> bool | None:
        """Whether what was wanted was measured; None where nothing was."""
        return None if self.wanted is None else self.share <= self.wanted.share

    def to_json(self) -> dict[str, Any]:
        """Return all that is known of the row, each round's figures included."""
        return {
            "name": self.name,
            "measure": self.measure,
            "unit": self.unit,
            "share": round(self.share, 4),
            "wanted": None if self.wanted is None else self.wanted.share,
            "met": self.met,
            "ours": [round(each, 3) for each in self.ours],
            "against": self.against,
            "other": [round(each, 3) for each in self.other],
        }


def to_text(share: float, sign: str = "") -> str:
    """Show a share of the other figure: as such, or as "times less" where it is small."""
    if share > 0.1:
        return f"{sign}{share:.2f}"
    return f"{'≥' if sign else ''}{1 / share:.0f}x less"
