"""Which process runs which tests, and what becomes of them when a process dies."""

from typing import Any

from xdist.scheduler import LoadFileScheduling


class FileScheduling(LoadFileScheduling):  # type: ignore[misc]  # it has no types
    """Run each file in one process; a test that ended its process fails, and is not run again.

    pytest-xdist would give that test to the next process, and to the next, until it gives up and
    the tests that are left never run. A process that is given a file of which every test has run
    would wait for ever, and so would one that is given a single test: it needs to know the next one
    before it runs one.
    """

    def remove_node(self, node: Any) -> str | None:
        """Return the test during which a process died, and let another process run the rest."""
        files: dict[str, dict[str, bool]] = self.assigned_work[node]
        left = {
            file: [test for test, is_done in tests.items() if not is_done]
            for file, tests in files.items()
        }
        died_in = next((tests.pop(0) for tests in left.values() if tests), None)
        self.assigned_work[node] = {
            file: dict.fromkeys(tests, False) for file, tests in left.items() if tests
        }
        super().remove_node(node)
        return died_in

    def _reschedule(self, node: Any) -> None:
        """Give a process files until it has enough tests, or none are left."""
        while not node.shutting_down and self._pending_of(self.assigned_work[node]) <= 2:
            super()._reschedule(node)
