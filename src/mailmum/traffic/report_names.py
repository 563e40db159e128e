"""The network and the domain that a client is counted under.

A domain is what somebody registered: one label below a public suffix (`domain.suffixes`).

    >>> network_of("203.0.113.7"), network_of("2001:db8:1:2:3::4")
    ('203.0.113.0/24', '2001:db8:1:2::/64')
    >>> domain_of("host-7.dyn.isp.example"), domain_of("mx.shop.co.uk")
    ('isp.example', 'shop.co.uk')
"""

import ipaddress

from mailmum.domain.suffixes import is_public_suffix
from mailmum.domain.targets import address_text

_LOWER = (1 << 64) - 1
# No public suffix has more than five labels.
_DEPTH = 6


def network_of(client: str) -> str | None:
    """The /24 or /64 of an address; None of what is no address."""
    if ":" not in client:
        head, dot, _ = client.rpartition(".")
        return f"{head}.0/24" if dot else None
    try:
        address = int(ipaddress.IPv6Address(client))
    except ValueError:
        return None
    return f"{address_text(6, address & ~_LOWER)}/64"


def domain_of(name: str | None) -> str | None:
    """The domain that a host's name was registered under; None of what has none."""
    if not name:
        return None
    labels = name.lower().rstrip(".").rsplit(".", _DEPTH)[-_DEPTH:]
    if len(labels) < 2 or labels[-1].isdigit() or not all(labels):
        return None
    found = ".".join(labels[-1:])
    for label in reversed(labels[:-1]):
        if not is_public_suffix(found):
            return found
        found = f"{label}.{found}"
    return None if is_public_suffix(found) else found
