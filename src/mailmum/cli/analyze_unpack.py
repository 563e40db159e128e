"""Compressed logs, unpacked piece by piece: gzip, xz, bzip2 and zstd, known by their first bytes.

Names lie (a rotated file that was renamed, a download that was unpacked on its way), the first
bytes do not.  Memory is bounded by refusing what was packed with a larger window than the programs
themselves use without being told to.
"""

import bz2
import lzma
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_PIECE = 1 << 20
_MEMORY = 128 << 20
_WINDOW = 27
HEAD = 6


class DamagedError(Exception):
    """The packed data cannot be read on; the text says why."""


class _Unpacker(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1, /) -> bytes: ...


class _Gzip:
    """zlib's object in the form of the others."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(zlib.MAX_WBITS | 16)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int = -1, /) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)


def _xz() -> _Unpacker:
    return lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=_MEMORY)


def _zstd() -> _Unpacker:
    return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _WINDOW})


_MAGIC: tuple[tuple[bytes, Callable[[], _Unpacker]], ...] = (
    (b"\x1f\x8b", _Gzip),
    (b"\xfd7zXZ\0", _xz),
    (b"BZh", bz2.BZ2Decompressor),
    (b"\x28\xb5\x2f\xfd", _zstd),
)


def unpacked(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """What pieces of a file hold once they are unpacked, if they are packed.

    Raises:
        DamagedError: they cannot be read on; all before it has been given.
    """
    rest = iter(pieces)
    head = b""
    for piece in rest:
        head += piece
        if len(head) >= HEAD:
            break
    new = next((new for magic, new in _MAGIC if head.startswith(magic)), None)
    if new is None:
        if head:
            yield head
        yield from rest
        return
    yield from _unpack(_chain(head, rest), new)


def _chain(head: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield head
    yield from rest


def _unpack(pieces: Iterator[bytes], new: Callable[[], _Unpacker]) -> Iterator[bytes]:
    # Streams may follow one another, as when packed logs are put together with cat.
    unpacker: _Unpacker | None = None
    try:
        for piece in pieces:
            data = piece
            while data or (unpacker is not None and not unpacker.needs_input):
                unpacker = unpacker or new()
                found = unpacker.decompress(data, _PIECE)
                data = b""
                if found:
                    yield found
                if unpacker.eof:
                    data, unpacker = unpacker.unused_data.lstrip(b"\0"), None
    except (zlib.error, lzma.LZMAError, zstd.ZstdError, EOFError, OSError, ValueError) as error:
        raise DamagedError(f"its packed data is damaged ({error})") from None
    if unpacker is not None:
        raise DamagedError("its packed data ends before it is complete")
