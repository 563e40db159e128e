r"""Public texts packed for the compiled world, which puts TXT records together from them.

A packed text is its size, what is to be known of it, and its bytes.  What the world could not put
together just as `domain.public` does is marked as odd, and left to Python: a text too long for one
string of a TXT record, and one in which a zone key might hide from a search that knows only the
case of ASCII letters.

    >>> packed("Sent spam")
    b'\t\x01Sent spam'
"""

from collections.abc import Iterable

from mailmum.domain.listings import Action
from mailmum.domain.public import DEFAULT_TEXTS
from mailmum.index.records import ServerRecord

NO_TEXT = b"\0\0"
"""No reason is given."""

_STOP, _ODD = 1, 2
_STRING = 255
_MOST_KEY_BYTES = 1024
"""More keys than this are not looked for in a text; the same number stands in `tables.pxi`."""


def packed(text: str) -> bytes:
    """A text with its size, and whether a full stop is put between it and a link."""
    encoded = text.encode("utf-8", "replace")
    if len(encoded) > _STRING or (not text.isascii() and _hides_letters(text)):
        return bytes((0, _ODD))
    return bytes((len(encoded), _STOP if text[-1:].isalnum() else 0)) + encoded


def pool_of(texts: Iterable[str]) -> tuple[list[int], bytes]:
    """Where in a pool each text begins, and the pool; equal ones lie there once."""
    pool, places, starts = bytearray(NO_TEXT), {"": 0}, []
    for text in texts:
        start = places.get(text)
        if start is None:
            start = places[text] = len(pool)
            pool += packed(text)
        starts.append(start)
    return starts, bytes(pool)


def said_by(record: ServerRecord) -> tuple[bytes, bytes, bytes, bytes] | None:
    """What the texts of a server are made of: see `Said` in `tables.pxi`; None for Python."""
    keys = b"".join(bytes((len(key.key),)) + key.key.encode("ascii") for key in record.keys)
    if len(keys) > _MOST_KEY_BYTES or not record.ref.isascii():
        return None
    block = record.text or DEFAULT_TEXTS[Action.BLOCK]
    return record.ref.encode(), keys, packed(block), packed(DEFAULT_TEXTS[Action.ALLOW])


def _hides_letters(text: str) -> bool:
    """Whether letters of other alphabets become ASCII in lower case, as the Kelvin sign does."""
    others = "".join(char for char in text if not char.isascii())
    return any(char.isascii() for char in others.lower())
