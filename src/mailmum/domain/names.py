"""Host names and domains in one canonical form: lower-case A-labels, no trailing dot.

Letters, digits, hyphen and underscore are allowed (hosts with underscores exist and send mail);
names in other scripts are turned into A-labels (UTS 46, RFC 5891).  A name whose last label is all
digits is refused, since it is a mistyped address (RFC 3696 section 2).
"""

import re

import idna

from mailmum.domain.errors import BadInput
from mailmum.domain.texts import shown

NAME_LIMIT = 253
LABEL_LIMIT = 63
# In other scripts' keyboards too (UTS 46 section 2.3).
_FULL_STOPS = (".", "\u3002", "\uff0e", "\uff61")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?", re.ASCII)


def parse_name(text: str, *, field: str = "name") -> str:
    """Read a host name or domain.

    Args:
        text: the name, a trailing dot allowed; any case, any script.
        field: the input field to name in a refusal.

    Raises:
        BadInput: it cannot be a name in the DNS; the message says which part is at fault.
    """
    given = text.strip()
    if not given:
        raise BadInput("the name is empty", fix="write for example mail.example.net", field=field)
    name = given[:-1] if given.endswith(_FULL_STOPS) else given
    if len(name) > NAME_LIMIT:
        raise _too_long(given, field)
    name = _ascii(name, given, field).lower()
    if len(name) > NAME_LIMIT:
        raise _too_long(given, field)
    labels = name.split(".")
    for label in labels:
        _check_label(label, given, field)
    if labels[-1].isdigit():
        raise BadInput(
            f"{shown(given)} ends in a number: it is no name, and no complete address",
            field=field,
        )
    return name


def parents(name: str) -> list[str]:
    """The name itself and every domain above it, most labels first.

    >>> parents("a.spam.example")
    ['a.spam.example', 'spam.example', 'example']
    """
    labels = name.split(".")
    return [".".join(labels[i:]) for i in range(len(labels))]


def _ascii(name: str, given: str, field: str) -> str:
    if name.isascii():
        return name
    try:
        return idna.encode(name, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        raise BadInput(
            f"{shown(given)} cannot be turned into an internationalised domain name",
            fix="check the spelling, or write it with xn-- labels",
            field=field,
        ) from None


def _check_label(label: str, given: str, field: str) -> None:
    if not label:
        raise BadInput(
            f"{shown(given)} has an empty label", fix="check for two dots in a row", field=field
        )
    if len(label) > LABEL_LIMIT:
        raise BadInput(
            f"{shown(given)}: the label {shown(label)} has more than {LABEL_LIMIT} characters",
            field=field,
        )
    if not _LABEL.fullmatch(label):
        raise BadInput(
            f"{shown(given)}: the label {shown(label)} may only have letters, digits, "
            "hyphens and underscores, and no hyphen at either end",
            field=field,
        )


def _too_long(given: str, field: str) -> BadInput:
    return BadInput(f"{shown(given)} has more than {NAME_LIMIT} characters", field=field)
