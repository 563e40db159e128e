r"""Untrusted text for a terminal or a page: nothing in it can move the cursor or reorder the rest.

Reasons, notes and names come from colleagues, imported files and, through mail logs, from
strangers.  Unlike `texts.shown` this neither cuts nor quotes, since it is for whole texts.

    >>> visible("delisted\x1b[2J\nok")
    'delisted\\x1b[2J\\nok'
"""

import unicodedata

# Controls, surrogates, unassigned, format characters, line and paragraph separators.
_HIDDEN = frozenset({"Cc", "Cs", "Cn", "Co", "Cf", "Zl", "Zp"})


def visible(text: object) -> str:
    """The text with every character that does not show itself written as an escape."""
    given = str(text)
    if given.isascii() and given.isprintable():
        return given
    return "".join(_escape(c) if unicodedata.category(c) in _HIDDEN else c for c in given)


def _escape(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
