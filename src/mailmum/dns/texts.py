"""What a listing says of itself in DNS: its return code, and the text of its TXT record.

The text is the public reason and a link to the page that explains it, without any zone key.

    >>> txt("Sent spam", "https://mx.example.net/why/q3/203.0.113.7", ())
    b'Sent spam. See https://mx.example.net/why/q3/203.0.113.7'
"""

import re
from urllib.parse import quote

from mailmum.domain.listings import Source
from mailmum.domain.public import DEFAULT_TEXTS, public_text
from mailmum.index.records import KeyRecord

__all__ = [
    "DEFAULT_TEXTS",
    "TEST_TEXT",
    "TEXT_LIMIT",
    "code_of",
    "lookup_name",
    "name_client",
    "txt",
]

TEXT_LIMIT = 1000
"""Bytes of text in a TXT record: with it a response stays below 1232 bytes."""

STRING_LIMIT = 255
"""Bytes in one string of a TXT record (RFC 1035 section 3.3)."""

TEST_TEXT = "This is the test entry that every list has (RFC 5782 section 5)"

_LABEL = re.compile(rb"[a-z0-9_-]+")
_ADDRESSES, _NAMES = 0x7F000000, 0x7F000100


def code_of(source: Source, single: bool, names: bool) -> int:
    """The return code of a listing that has none of its own, nor its account, as 32 bits.

    127.0.0.2 a person's address, .3 a person's network, .4 a trigger, .5 a feed; 127.0.1.x
    likewise for host, domain, trigger and feed.
    """
    base = _NAMES if names else _ADDRESSES
    if source is Source.PERSON:
        return base | (2 if single else 3)
    return base | (4 if source is Source.TRIGGER else 5)


def txt(reason: str, link: str, keys: tuple[KeyRecord, ...]) -> bytes:
    """The text of a TXT record in UTF-8, at most `TEXT_LIMIT` bytes; a long reason is cut.

    Postfix before 3.10 shows only the first of the strings that a long text is split into, so
    there the link comes first.
    """
    labels = [key.key for key in keys]
    text = public_text(reason, link, labels, limit=TEXT_LIMIT)
    if len(text) <= STRING_LIMIT or not link:
        return text
    return public_text(f"See {link} {reason}", "", labels, limit=TEXT_LIMIT)


def name_client(labels: tuple[bytes, ...]) -> str:
    """A host name as the last part of a link, odd bytes escaped."""
    return quote(b".".join(labels))


def lookup_name(labels: tuple[bytes, ...]) -> str:
    """Lower-case labels as a name to look up.

    No listing has a label with other bytes than letters, digits, hyphens and underscores, though a
    listed domain covers all below it; so any odd label is replaced by one that nothing else
    equals.  Without that, a dot inside a label would pass for two labels.
    """
    if all(map(_LABEL.fullmatch, labels)):
        return b".".join(labels).decode("ascii")
    plain = [label if _LABEL.fullmatch(label) else b"?" for label in labels]
    return b".".join(plain).decode("ascii")
