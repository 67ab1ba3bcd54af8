"""Writer: generated files on the disk, which nothing else is ever written over."""

import difflib
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path, PurePosixPath

from celery_rpc.codegen.names import is_part, is_plain
from celery_rpc.errors import CodegenError
from celery_rpc.support.atomic_write import replace

MARK = "# Written by celery-rpc genstubs; changes are lost. sha256:"

CHANGED = "was changed since it was written"

SUFFIXES = frozenset({".py", ".pyi"})


def sealed(text: str) -> str:
    """Put a header in front of a text: who wrote it, and what tells whether it was changed."""
    return f"{MARK}{digest(text)}\n{text}"


def digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def is_ours(text: str) -> bool:
    """Return whether a file is as it was written."""
    head, _, body = text.partition("\n")
    return head == f"{MARK}{digest(body)}"


class Folder:
    """The folder that generated files go to; nothing is written outside of it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, files: Mapping[str, str]) -> list[Path]:
        """Write files, each as a whole or not at all; gives those that were not as they are now.

        Args:
            files: text by name; such as ``celery_rpc_registry.pyi``.

        Raises:
            CodegenError: there is a file that was not written by this, or was changed since; or it
                cannot be written. Nothing was written then.
        """
        targets = {self.target(name): sealed(text) for name, text in files.items()}
        stale = [target for target, text in targets.items() if self._differs(target, text)]
        for target in stale:
            try:
                self.path.mkdir(parents=True, exist_ok=True)
                replace(target, targets[target].encode())
            except OSError as error:
                raise CodegenError(f"{target} cannot be written: {error.strerror}") from error
        return stale

    def left_over(self, files: Collection[str]) -> list[str]:
        """Return the parts of a registry that were written once and are none of the files now.

        Raises:
            CodegenError: one was changed since it was written.
        """
        found = [
            path.name
            for path in (sorted(self.path.iterdir()) if self.path.is_dir() else [])
            if path.suffix == ".pyi" and is_part(path.stem) and path.name not in files
        ]
        return [name for name in found if self._is_left(self.target(name))]

    def _is_left(self, target: Path) -> bool:
        """Return whether a file was written by this; one of somebody else is not in the way."""
        if target.is_symlink() or not target.is_file():
            return False
        found = read(target) or ""
        if found.startswith(MARK) and not is_ours(found):
            raise CodegenError(f"{target} {CHANGED}: move it away, or delete it")
        return is_ours(found)

    def remove(self, names: Iterable[str]) -> None:
        """Delete what is left over.

        Raises:
            CodegenError: a file cannot be deleted.
        """
        for target in map(self.target, names):
            try:
                target.unlink(missing_ok=True)
            except OSError as error:
                raise CodegenError(f"{target} cannot be deleted: {error.strerror}") from error

    def differences(self, files: Mapping[str, str | None]) -> Iterator[str]:
        """Yield the lines of a diff from what is there to what would be; None: would be deleted."""
        for name, text in files.items():
            target = self.target(name)
            yield from difflib.unified_diff(
                (read(target) or "").splitlines(),
                (sealed(text) if text is not None else "").splitlines(),
                f"{target} as it is",
                f"{target} as it would be",
                lineterm="",
            )

    def target(self, name: str) -> Path:
        """Return the path of a file.

        Raises:
            CodegenError: the name leads elsewhere.
        """
        path = PurePosixPath(name)
        if str(path.parent) != "." or path.suffix not in SUFFIXES or not is_plain(path.stem):
            raise CodegenError(f"{name!r:.100} is no name of a generated file")
        return self.path / path.name

    def _differs(self, target: Path, text: str) -> bool:
        found = read(target)
        if found is not None and not is_ours(found):
            what = CHANGED if found.startswith(MARK) else "is not ours"
            raise CodegenError(f"{target} {what}: move it away, or delete it")
        return found != text


def read(target: Path) -> str | None:
    """Read a file; None: there is none.

    Raises:
        CodegenError: it is no file, or a link: links are not followed.
    """
    try:
        if not stat.S_ISREG(target.lstat().st_mode):
            raise CodegenError(f"{target} is no regular file: move it away, or delete it")
        # git may have made its line ends those of Windows.
        return target.read_bytes().decode(errors="replace").replace("\r\n", "\n")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise CodegenError(f"{target} cannot be read: {error.strerror}") from error
