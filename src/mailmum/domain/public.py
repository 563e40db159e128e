"""What strangers read of a verdict: the public reason, and a link to the page that explains it.

Mail servers put it into their replies, so whatever somebody wrote into a reason, a zone key of the
server is struck out.

    >>> public_text("Sent spam", "https://mx.example.net/why/q3/203.0.113.7", (), limit=200)
    b'Sent spam. See https://mx.example.net/why/q3/203.0.113.7'
"""

import re
from collections.abc import Iterable

from mailmum.domain.listings import Action

DEFAULT_TEXTS = {
    Action.BLOCK: "Blocked by the mail server's own policy",
    Action.ALLOW: "Allowed by the mail server's own policy",
}


def public_text(reason: str, link: str, keys: Iterable[str], *, limit: int) -> bytes:
    """Reason and link in UTF-8, at most `limit` bytes; a long reason is cut for the link's sake.

    Args:
        reason: the public reason of the listing that decided, or one of `DEFAULT_TEXTS`.
        link: a URL, or empty.
        keys: the server's zone keys, lower case.
        limit: bytes of the whole.
    """
    for key in keys:
        reason, link = without_key(reason, key), without_key(link, key)
    stop = "." if reason[-1:].isalnum() else ""
    ending = f"{stop} See {link}".encode("utf-8", "replace") if link else b""
    room = max(limit - len(ending), 0)
    return (_cut(reason, room) + ending)[:limit]


def without_key(text: str, key: str) -> str:
    """The text with a zone key struck out, in whatever case it stands there."""
    if key not in text.lower():
        return text
    return re.sub(re.escape(key), "…", text, flags=re.IGNORECASE)


def _cut(text: str, room: int) -> bytes:
    encoded = text.encode("utf-8", "replace")
    return encoded if len(encoded) <= room else encoded[:room].decode("utf-8", "ignore").encode()
