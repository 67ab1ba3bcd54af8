"""Vitals: this process's memory, descriptors and threads, as they go on."""

import threading
import time
from dataclasses import dataclass, field
from statistics import linear_regression

import psutil

#: The first part of the samples, in which caches fill, says nothing of a leak.
WARM_UP = 0.3


@dataclass(frozen=True, slots=True)
class Sample:
    """One look: seconds, MB, counts."""

    at: float
    rss: float
    fds: int
    threads: int


def look() -> Sample:
    """Measure now."""
    process = psutil.Process()
    rss = process.memory_info().rss / 1e6
    return Sample(time.monotonic(), rss, process.num_fds(), threading.active_count())


@dataclass(slots=True)
class Vitals:
    """Samples of this process."""

    samples: list[Sample] = field(default_factory=list[Sample])

    def sample(self) -> None:
        """Look once more."""
        self.samples.append(look())

    def slope_of(self, name: str) -> float:
        """Return the growth of rss, fds or threads a minute, the warm-up left out."""
        settled = self.samples[int(len(self.samples) * WARM_UP) :]
        if len(settled) < 2:
            return 0.0
        times = [each.at for each in settled]
        return 60 * linear_regression(times, [getattr(each, name) for each in settled]).slope

    def range_of(self, name: str) -> str:
        """Return the lowest and the highest of fds or threads, the warm-up left out."""
        values = [getattr(each, name) for each in self.samples]
        settled = values[int(len(values) * WARM_UP) :] or values
        return f"{min(settled)} to {max(settled)}"
