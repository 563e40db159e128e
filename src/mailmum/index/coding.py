"""The parts that snapshots are made of: numbers, texts and columns as bytes, and back.

The reader holds every length against the bytes that are there before it makes anything of them, so
no input makes it use more memory than a small multiple of its own size.
"""

from array import array
from collections.abc import Iterator, Sequence
from struct import Struct

_NUMBER = Struct("=q")
_SIZE = Struct("=Q")
_LONGEST_NAME = 253
_AT_ONCE = 16384


class SnapshotDamaged(Exception):
    """The bytes are no snapshot, or not a whole one; the text says why."""


class SnapshotOutdated(SnapshotDamaged):
    """A snapshot of another version of MailMum, which nothing else is said about."""


def number(value: int) -> bytes:
    """A signed number."""
    return _NUMBER.pack(value)


def optional(value: int | None) -> bytes:
    """A number or None."""
    return b"\0" if value is None else b"\1" + _NUMBER.pack(value)


def text(value: str) -> bytes:
    """A text."""
    encoded = value.encode()
    return _SIZE.pack(len(encoded)) + encoded


def names(values: Sequence[str]) -> bytes:
    """Many names, which contain no line break."""
    return _SIZE.pack(len(values)) + text("\n".join(values))


def column(values: "array[int]") -> Iterator[bytes]:
    """A column of numbers; in pieces, since copying one keeps the interpreter's lock."""
    yield values.typecode.encode() + _SIZE.pack(len(values))
    for at in range(0, len(values), _AT_ONCE):
        yield values[at : at + _AT_ONCE].tobytes()


class Reader:
    """Reads what the functions above wrote.

    Every method raises `SnapshotDamaged` when the bytes end too early or mean nothing.
    """

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._at, self._end = 0, len(data)

    @property
    def left(self) -> int:
        """Bytes not read yet."""
        return self._end - self._at

    def take(self, size: int) -> memoryview:
        """So many bytes."""
        start = self._at
        return self._data[start : self._past(size)]

    def passed(self, start: int) -> bytes:
        """What has been read since so many bytes were left."""
        return bytes(self._data[self._end - start : self._at])

    def follows(self, expected: bytes) -> bool:
        """Whether these bytes come next; if so, they have been read."""
        end = self._at + len(expected)
        if self._data[self._at : end] != expected:
            return False
        self._at = end
        return True

    def number(self) -> int:
        """A signed number."""
        end = self._past(_NUMBER.size)
        value: int = _NUMBER.unpack_from(self._data, end - _NUMBER.size)[0]
        return value

    def optional(self) -> int | None:
        """A number or None."""
        present = self._data[self._past(1) - 1]
        if present > 1:
            raise SnapshotDamaged("a number is neither there nor missing")
        return self.number() if present else None

    def text(self) -> str:
        """A text."""
        encoded = self.take(self._size())
        try:
            return str(encoded, "utf-8")
        except UnicodeDecodeError:
            raise SnapshotDamaged("a text is not UTF-8") from None

    def count(self, least: int) -> int:
        """How many things follow that take at least so many bytes each."""
        count = self.number()
        if not 0 <= count * least <= self.left:
            raise SnapshotDamaged(f"{count} things cannot follow in {self.left} bytes")
        return count

    def names(self) -> list[str]:
        """Many names."""
        count = self._size()
        joined = self.text()
        values = joined.split("\n") if count else []
        if len(values) != count or (joined and not count):
            raise SnapshotDamaged(f"{len(values)} names stand where {count} are announced")
        if not all(0 < len(name) <= _LONGEST_NAME for name in values):
            raise SnapshotDamaged("a name is empty or too long")
        return values

    def column(self, codes: str) -> "array[int]":
        """A column of numbers, of one of these type codes."""
        code = chr(self.take(1)[0])
        if code not in codes:
            raise SnapshotDamaged(f"a column has the type {code!r}, which is none of {codes}")
        values: array[int] = array(code)
        values.frombytes(self.take(self._size() * values.itemsize))
        return values

    def _size(self) -> int:
        end = self._past(_SIZE.size)
        size: int = _SIZE.unpack_from(self._data, end - _SIZE.size)[0]
        return size

    def _past(self, size: int) -> int:
        """Go on by so many bytes; where that is."""
        end = self._at + size
        if end > self._end:
            raise SnapshotDamaged(f"it ends {end - self._end} bytes early")
        self._at = end
        return end
