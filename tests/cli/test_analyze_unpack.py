"""Packed logs: what the programs themselves pack comes out whole, however it is cut and joined."""

import bz2
import gzip
import lzma
import subprocess
from collections.abc import Callable
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmum.cli.analyze_unpack import DamagedError, unpacked
from tests.support.zstd import packed, zstd

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "xz": lzma.compress,
    "bzip2": bz2.compress,
    "zstd": packed,
}
PACKED = {name: pack for name, pack in PACKERS.items() if name != "plain"}
TEXT = b"".join(b"line %d of a mail log\n" % number for number in range(3000))


def pieces(data: bytes, size: int) -> list[bytes]:
    """The data in pieces."""
    return [data[at : at + size] for at in range(0, len(data), size)]


PARTS = st.lists(st.binary(max_size=300), max_size=4)


@given(st.sampled_from(sorted(PACKERS)), PARTS, st.integers(1, 40))
def test_all_of_it_comes_out(kind: str, parts: list[bytes], size: int) -> None:
    """Several packed one after another too, as cat puts them together."""
    whole = b"".join(parts)
    data = b"x" + whole if kind == "plain" else b"".join(map(PACKERS[kind], parts))
    assert b"".join(unpacked(pieces(data, size))) == (data if kind == "plain" else whole)


@given(st.binary(max_size=200), st.integers(1, 20))
def test_any_bytes(data: bytes, size: int) -> None:
    """What is no packed file comes out as it is; what only begins like one is refused."""
    try:
        found = b"".join(unpacked(pieces(data, size)))
    except DamagedError:
        return
    assert found == data or not data


@pytest.mark.parametrize("kind", sorted(PACKED))
def test_cut_off(kind: str) -> None:
    """What could be read is given before it is said that the rest is missing."""
    data = PACKED[kind](TEXT) * 2
    found: list[bytes] = []
    with pytest.raises(DamagedError, match="ends before it is complete"):
        found.extend(unpacked(pieces(data[: 3 * len(data) // 4], 512)))
    assert (TEXT * 2).startswith(b"".join(found))
    assert len(b"".join(found)) >= len(TEXT)


@pytest.mark.parametrize("kind", sorted(PACKED))
def test_damaged(kind: str) -> None:
    """Other bytes in the middle."""
    data = bytearray(PACKED[kind](TEXT))
    middle = len(data) // 2
    data[middle : middle + 16] = bytes(16)
    with pytest.raises(DamagedError, match="packed data"):
        list(unpacked(pieces(bytes(data), 512)))


@pytest.mark.parametrize("kind", sorted(PACKED))
def test_something_else_behind_it(kind: str) -> None:
    """It is said; zeros, which tapes and some copies leave, are passed over."""
    with pytest.raises(DamagedError):
        list(unpacked([PACKED[kind](TEXT) + b"Nov 15 00:00:00 mx1 and so on"]))
    assert b"".join(unpacked([PACKED[kind](TEXT) + bytes(100)])) == TEXT


@pytest.mark.parametrize(
    ("kind", "command"),
    [("gzip", ["gzip", "-9"]), ("xz", ["xz", "-6"]), ("zstd", ["zstd", "-q", "-19"])],
)
def test_as_the_programs_pack(kind: str, command: list[str]) -> None:
    """Those that rotate logs."""
    data = subprocess.run(command, input=TEXT, capture_output=True, check=True).stdout
    assert data != PACKERS["plain"](TEXT)
    assert b"".join(unpacked([data])) == TEXT


def test_a_small_file_may_not_take_all_memory() -> None:
    """A window far larger than any program uses unasked is refused."""
    packer = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: 30})
    data = packer.compress(TEXT) + packer.flush()
    with zstd.ZstdFile(BytesIO(data)) as file, pytest.raises(zstd.ZstdError):
        # Nor does the library take it unasked.
        file.read()
    with pytest.raises(DamagedError, match="packed data"):
        list(unpacked([data]))
