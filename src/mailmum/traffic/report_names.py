"""The network and the domain that a client is counted under.

Which names are registered by somebody and which belong to a registry is known only from a long
list that changes weekly.  For a report it is enough to know the usual second levels below country
codes; a domain read too narrowly is only shown as several.

    >>> network_of("203.0.113.7"), network_of("2001:db8:1:2:3::4")
    ('203.0.113.0/24', '2001:db8:1:2::/64')
    >>> domain_of("host-7.dyn.isp.example"), domain_of("mx.shop.co.uk")
    ('isp.example', 'shop.co.uk')
"""

import ipaddress

from mailmum.domain.targets import address_text

_SECOND_LEVELS = frozenset(
    {
        *("ac", "ad", "adv", "asn", "asso", "art", "biz", "bel", "co", "com", "coop", "csiro"),
        *("ed", "edu", "eng", "fin", "firm", "gen", "go", "gob", "gouv", "gov", "govt", "gv"),
        *("id", "idv", "in", "ind", "inf", "info", "int", "jus", "k12", "ltd", "me", "med"),
        *("mil", "muni", "ne", "net", "nhs", "nic", "nom", "nsw", "or", "org", "plc", "police"),
        *("pp", "pro", "psc", "qld", "rec", "ru", "sch", "school", "sci", "store", "tm", "tur"),
        *("tv", "vic", "wa", "web"),
    }
)
_LOWER = (1 << 64) - 1


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
    """The domain that a host's name was most likely registered under; None of what has none."""
    if not name:
        return None
    labels = name.lower().rstrip(".").rsplit(".", 3)[-3:]
    if len(labels) < 2 or labels[-1].isdigit() or not all(labels):
        return None
    if len(labels[-1]) == 2 and labels[-2] in _SECOND_LEVELS:
        return ".".join(labels) if len(labels) == 3 else None
    return ".".join(labels[-2:])
