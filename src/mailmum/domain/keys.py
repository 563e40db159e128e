"""Zone keys and other secrets that stand in names.

A zone key is what a mail server shows to be answered, so it must not be guessed: 16 characters of
a base-32 alphabet without look-alikes, the first a letter (a label before an address zone must not
be all digits, RFC 5782 section 2.3).  That is just under 80 bits.
"""

import re
import secrets

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_LETTERS = "abcdefghjkmnpqrstvwxyz"
KEY_LENGTH = 16
REF_LENGTH = 10
_KEY = re.compile(r"[a-z][0-9a-z]{11,62}", re.ASCII)


def new_key() -> str:
    """A new zone key."""
    return _random(KEY_LENGTH)


def new_ref() -> str:
    """A public reference that names a server without being its key."""
    return _random(REF_LENGTH)


def is_key(text: str) -> bool:
    """Whether the text has the form of a zone key (12 or more characters, lower case)."""
    return _KEY.fullmatch(text) is not None


def _random(length: int) -> str:
    rest = (secrets.choice(ALPHABET) for _ in range(length - 1))
    return secrets.choice(_LETTERS) + "".join(rest)
