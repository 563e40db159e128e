"""Return codes: the A record that a listing answers with (RFC 5782 section 2.1).

Any address in 127.0.0.0/8 may be chosen but those of 127.255.255.0/24: by convention of the large
providers they report an error (query refused, key unknown), and mail servers ignore them.

    >>> code_text(parse_code("127.0.0.9"))
    '127.0.0.9'
"""

import ipaddress

from mailmum.domain.errors import BadInput
from mailmum.domain.texts import shown

TEST = 0x7F000002
_ERRORS = ipaddress.IPv4Network("127.255.255.0/24")
_ALLOWED = ipaddress.IPv4Network("127.0.0.0/8")


def parse_code(text: str) -> int:
    """Read a return code as a 32-bit integer.

    Raises:
        BadInput: not an IPv4 address, outside 127.0.0.0/8, or in 127.255.255.0/24.
    """
    try:
        address = ipaddress.IPv4Address(text.strip())
    except ValueError:
        raise BadInput(
            f"{shown(text)} is not a return code", fix="write for example 127.0.0.9", field="code"
        ) from None
    if address not in _ALLOWED:
        raise BadInput(
            f"the return code {address} is outside 127.0.0.0/8, so mail servers would ignore it",
            fix="write for example 127.0.0.9",
            field="code",
        )
    if address in _ERRORS:
        raise BadInput(
            f"the return code {address} is in 127.255.255.0/24, which by convention means an error",
            fix="write for example 127.0.0.9",
            field="code",
        )
    return int(address)


def code_text(code: int) -> str:
    """The dotted text of a return code."""
    return str(ipaddress.IPv4Address(code))
