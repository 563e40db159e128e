"""What ever delivered, remembered in a megabyte however much that is.

A report keeps only so many clients.  One that is forgotten and comes again must not be called one
that never delivered anything; nor a domain, if one of its hosts delivered under a name that it has
changed since.  So who delivered is kept in a Bloom filter: it may take a stranger for somebody it
knows, which costs a suggestion, but never the other way round.
"""

import hashlib
from collections.abc import Iterator

_BITS = 1 << 23
_HASHES = 3


class Memory:
    """A set of texts that can only be asked whether it may hold one."""

    __slots__ = ("_bits",)

    def __init__(self) -> None:
        self._bits: bytearray | None = None

    def add(self, text: str) -> None:
        """Remember a text."""
        if self._bits is None:
            self._bits = bytearray(_BITS // 8)
        for place in _places(text):
            self._bits[place >> 3] |= 1 << (place & 7)

    def __contains__(self, text: str) -> bool:
        """Whether it may have been added; never False of what was."""
        bits = self._bits
        return bits is not None and all(
            bits[place >> 3] & (1 << (place & 7)) for place in _places(text)
        )


def _places(text: str) -> Iterator[int]:
    # Not hash(): a report on the same log is the same in every process.
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).digest()
    for at in range(_HASHES):
        yield int.from_bytes(digest[4 * at : 4 * at + 4], "big") % _BITS
