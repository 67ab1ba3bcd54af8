"""File: written as a whole, or left as it was."""

import os
from contextlib import suppress
from pathlib import Path


def replace(target: Path, data: bytes) -> None:
    """Put a file in the place of another, all at once.

    Raises:
        OSError: it cannot be written; what was there is there still.
    """
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with draft.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
