"""RESP: Redis' wire protocol, version 2: commands written, answers read as they come in pieces.

redis-py connects and logs in; after that its general reading costs more than all the rest of a
call. Source: https://redis.io/docs/latest/develop/reference/protocol-spec/
"""

from collections.abc import Sequence
from typing import Any, Final

from redis import ResponseError


class More:
    """The type of MORE: the answer is not complete yet."""

    def __repr__(self) -> str:
        return "MORE"


MORE: Final = More()

_SIMPLE, _ERROR, _INTEGER, _BULK, _ARRAY = b"+-:$*"


class BadAnswer(ValueError):
    """Bytes that are no RESP."""


def pack(commands: Sequence[Sequence[Any]]) -> bytes:
    """Return commands as arrays of bulk strings."""
    parts: list[bytes] = []
    for words in commands:
        parts.append(b"*%d\r\n" % len(words))
        for word in words:
            data = word if isinstance(word, bytes) else str(word).encode()
            parts.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return b"".join(parts)


class Answers:
    """Reads answers out of the bytes that have come so far."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._at = 0

    def feed(self, data: bytes) -> None:
        """Read the next bytes."""
        if self._at == len(self._buffer):
            self._buffer, self._at = bytearray(data), 0
        else:
            self._buffer += data

    @property
    def empty(self) -> bool:
        """True when nothing is unread."""
        return self._at == len(self._buffer)

    def next(self) -> Any:
        """Return the next answer, or MORE; an error is given, not raised.

        Raises:
            BadAnswer: this is no RESP.
        """
        found = self._read(self._at)
        if found is MORE:
            return MORE
        value, self._at = found
        return value

    def _read(self, at: int) -> Any:
        end = self._buffer.find(b"\r\n", at)
        if end < 0:
            return MORE
        kind, line, at = self._buffer[at], bytes(self._buffer[at + 1 : end]), end + 2
        if kind == _SIMPLE:
            return line, at
        if kind == _ERROR:
            return ResponseError(line.decode(errors="replace")), at
        try:
            number = int(line)
        except ValueError as error:
            raise BadAnswer(f"{bytes([kind])!r}{line[:40]!r} is no answer") from error
        if kind == _INTEGER:
            return number, at
        if kind == _BULK:
            return self._read_bulk(number, at)
        if kind == _ARRAY:
            return self._read_array(number, at)
        raise BadAnswer(f"{bytes([kind])!r} begins no answer")

    def _read_bulk(self, size: int, at: int) -> Any:
        if size < 0:
            return None, at
        end = at + size
        if len(self._buffer) < end + 2:
            return MORE
        return bytes(self._buffer[at:end]), end + 2

    def _read_array(self, count: int, at: int) -> Any:
        if count < 0:
            return None, at
        items: list[Any] = []
        for _ in range(count):
            found = self._read(at)
            if found is MORE:
                return MORE
            item, at = found
            items.append(item)
        return items, at
