"""Web addresses for those who may only look: scheme and host, never what opens the door.

Addresses of webhooks and of paid lists often carry a password or a token, in the path or after a
question mark.  Who may change them sees them whole; everybody else sees where they lead.

    >>> veiled("https://hooks.example/T1/secret?key=1 answers with HTTP 500")
    'https://hooks.example/… answers with HTTP 500'
"""

import re

_URL = re.compile(r"(https?://)([^\s/?#]*)(\S*)", re.IGNORECASE)


def veiled(text: str) -> str:
    """The text with each web address in it cut down to scheme and host."""
    return _URL.sub(_veil, text)


def _veil(found: re.Match[str]) -> str:
    scheme, place, rest = found.groups()
    host = place.rpartition("@")[2]
    return f"{scheme}{host}/…" if rest.strip("/") else f"{scheme}{host}{rest}"
