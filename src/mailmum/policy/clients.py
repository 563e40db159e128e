"""The client of a request: its address and its names, as they are looked up.

Everything here was said by a stranger or read from his reverse zone, so nothing is refused: what
cannot be understood is left out, and a label that cannot stand in a listing is replaced by one that
nothing equals, so that a listed domain still covers what is below it.
"""

import ipaddress
import re
from dataclasses import dataclass

from mailmum.domain.clients import AddressSubject, NameSubject, subject_of
from mailmum.domain.errors import BadInput
from mailmum.domain.names import NAME_LIMIT, parse_name
from mailmum.policy.requests import Request

ODD = "?"
"""Stands for a label that no listing has."""

_PLAIN = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")
UNKNOWN = "unknown"
"""What Postfix says instead of a name that it does not know or has not verified."""


@dataclass(frozen=True, slots=True)
class Client:
    """Who connects.

    Attributes:
        address: None when the request has none that can be read.
        verified: the name that the DNS confirms, or None.
        claimed: names that it merely goes by: of its reverse zone, and of HELO.
    """

    address: AddressSubject | None
    verified: NameSubject | None
    claimed: tuple[NameSubject, ...]


def client_of(request: Request) -> Client:
    """The client of a request."""
    verified = _resolved_name(request.name)
    claimed = (_resolved_name(request.reverse), name_of(request.helo))
    return Client(
        address_of(request.address),
        verified,
        tuple(name for name in claimed if name is not None and name != verified),
    )


def name_of(text: str) -> NameSubject | None:
    """A name as it is looked up; None for what is no host name, such as an address.

    >>> name_of("Mail.Spam.Example.").name, name_of("a*b.spam.example").name, name_of("[192.0.2.1]")
    ('mail.spam.example', '?.spam.example', None)
    """
    name = text.strip().lower().removesuffix(".")
    if not name or len(name) > NAME_LIMIT or name.startswith("["):
        return None
    if not _PLAIN.fullmatch(name):
        name = _odd_name(text, name)
    return None if name.rpartition(".")[2].isdigit() else NameSubject(name)


def _odd_name(text: str, name: str) -> str:
    try:
        # From the text as it came: lower case would spoil the mapping of a final sigma (UTS 46).
        return parse_name(text)
    except BadInput:
        return ".".join(part if _PLAIN.fullmatch(part) else ODD for part in name.split("."))


def _resolved_name(text: str) -> NameSubject | None:
    return None if text == UNKNOWN else name_of(text)


def address_of(text: str) -> AddressSubject | None:
    """An address, None when it cannot be read."""
    try:
        return subject_of(ipaddress.ip_address(text))
    except ValueError:
        return None
