"""How long what strangers wrote may be, and how addresses of clients are put.

Every string that stays in a sighting or in a table is cut to one of these.  Control characters
stay: who shows a value escapes it.
"""

import re
from ipaddress import IPv6Address, ip_address

ADDRESS = 320
NAME = 255
REASON = 500
QUEUE_ID = 40
ZONE = 255
NOTE = 1000
"""Characters of what is said about a message that wait to be read."""
LINE = 1 << 18
"""Bytes of one line that count; the rest of a longer one is passed over."""

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = re.compile(rf"{_OCTET}\.{_OCTET}\.{_OCTET}\.{_OCTET}")
_parts: dict[str, tuple[str | None, str | None]] = {}
# What a client does, it does at once: a small table stays in the processor's cache.
_PARTS = 1 << 12


def client_address(text: str) -> str | None:
    """An address as Postfix logs it, in canonical text; None for what is none, as `unknown`.

    >>> [client_address(one) for one in ("2001:DB8:0::1", "::ffff:192.0.2.1", "unknown")]
    ['2001:db8::1', '192.0.2.1', None]
    """
    if _IPV4.fullmatch(text):
        return text
    if len(text) > 64:
        return None
    try:
        # "fe80::1%eth0": the zone says nothing to anybody else.
        address = ip_address(text.removeprefix("IPv6:").partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)


def client_parts(text: str) -> tuple[str | None, str | None]:
    """Address and verified name out of `name[address]`, `[address]:port` or `name[address]:port`.

    >>> client_parts("mail.example[192.0.2.1]"), client_parts("[2001:db8::1]:40000")
    (('192.0.2.1', 'mail.example'), ('2001:db8::1', None))
    """
    found = _parts.get(text)
    if found is None:
        if len(_parts) >= _PARTS:
            _parts.clear()
        name, _, rest = text.partition("[")
        address = client_address(rest.partition("]")[0])
        found = (address, None if name == "unknown" or not name else name[:NAME])
        if len(text) <= 2 * NAME:
            _parts[text] = found
    return found


def note_of(text: str) -> str:
    """What is said about a message, without what is not needed of it where it is too long."""
    if len(text) <= NOTE:
        return text
    at = text.find(" status=") if text.startswith("to=<") else -1
    return text[: NOTE // 2] + text[at : at + NOTE // 2] if at > NOTE // 2 else text[:NOTE]
