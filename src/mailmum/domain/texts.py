"""Text that people and attackers write: bounded, without control characters.

Reasons end up in SMTP replies and TXT records, notes in pages and exports.  A line break smuggled
into either could forge a second line, so control characters are refused rather than repaired.
"""

import unicodedata

from mailmum.domain.errors import BadInput

REASON_LIMIT = 300
NOTE_LIMIT = 2000
LABEL_LIMIT = 80
_SHOWN_LIMIT = 80
# Line and paragraph separators, and the marks that reorder what is displayed (Unicode UAX 9).
_FORBIDDEN_FORMAT = set(
    "\u2028\u2029\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)


def shown(text: str) -> str:
    r"""Untrusted text made fit for a message: escaped, quoted when odd, cut when long.

    >>> shown("mail.spam.example"), shown("a\x1b[2J")
    ('mail.spam.example', "'a\\x1b[2J'")
    """
    cut = text if len(text) <= _SHOWN_LIMIT else text[: _SHOWN_LIMIT - 1] + "…"
    plain = bool(cut) and cut.isprintable() and not any(c.isspace() for c in cut)
    return cut if plain else repr(cut)


def clean_line(text: str, *, field: str, limit: int) -> str:
    """One line of text: trimmed, without control characters, of bounded length.

    Raises:
        BadInput: a control character, or longer than `limit` characters.
    """
    line = text.strip()
    if len(line) > limit:
        raise BadInput(
            f"the {field} has {len(line)} characters, {limit} are allowed",
            fix="shorten it",
            field=field,
        )
    _refuse_control(line, field, allowed="")
    return line


def clean_text(text: str, *, field: str, limit: int) -> str:
    """Like `clean_line`, but line breaks and tabs may stand.

    Raises:
        BadInput: another control character, or longer than `limit` characters.
    """
    body = text.strip().replace("\r\n", "\n")
    if len(body) > limit:
        raise BadInput(
            f"the {field} has {len(body)} characters, {limit} are allowed",
            fix="shorten it",
            field=field,
        )
    _refuse_control(body, field, allowed="\n\t")
    return body


def _visible(character: str) -> bool:
    if character in _FORBIDDEN_FORMAT:
        return False
    return unicodedata.category(character) not in {"Cc", "Cs", "Cn"}


def _refuse_control(text: str, field: str, *, allowed: str) -> None:
    if text.isprintable():
        return
    for position, character in enumerate(text, start=1):
        if character not in allowed and not _visible(character):
            raise BadInput(
                f"the {field} has a control character (U+{ord(character):04X}) "
                f"at position {position}",
                fix="remove it",
                field=field,
            )
