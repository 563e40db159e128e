"""How long what strangers wrote may be, and how addresses of clients are put.

Every string that stays in a sighting or in a table is cut to one of these.  Control characters
stay: who shows a value escapes it.
"""

from ipaddress import IPv6Address, ip_address

ADDRESS = 320
NAME = 255
REASON = 500
QUEUE_ID = 40
ZONE = 255
LINE = 1 << 18
"""Bytes of one line that count; the rest of a longer one is passed over."""

_canonical: dict[str, str | None] = {}
_CANONICAL = 1 << 16


def client_address(text: str) -> str | None:
    """An address as Postfix logs it, in canonical text; None for what is none, as `unknown`.

    >>> client_address("2001:DB8:0::1"), client_address("::ffff:192.0.2.1"), client_address("unknown")
    ('2001:db8::1', '192.0.2.1', None)
    """
    try:
        return _canonical[text]
    except KeyError:
        if len(_canonical) >= _CANONICAL:
            _canonical.clear()
        found = _canonical[text[:64]] = _read_address(text)
        return found


def _read_address(text: str) -> str | None:
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
    name, _, rest = text.partition("[")
    address = client_address(rest.partition("]")[0])
    if name == "unknown" or not name:
        return address, None
    return address, name[:NAME]
