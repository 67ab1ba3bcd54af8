"""Gate: tasks that end when the test says so, so that whatever it does before comes before."""

from pathlib import Path


class Gate:
    """Holds tasks: `client.calc.hold.delay(gate.path, value)` ends when the gate opens."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __repr__(self) -> str:
        return f"<Gate {self._file}>"

    @property
    def path(self) -> str:
        """What calc.hold takes."""
        return str(self._file)

    def open(self) -> None:
        """Let all tasks end that are held, and that will be."""
        self._file.touch()

    @property
    def held(self) -> int:
        """How many tasks have come to it."""
        return len(list(self._file.parent.glob(f"{self._file.name}.*")))
