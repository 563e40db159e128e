"""Which addresses a request of ours may go to, when somebody else has chosen the address.

An account names a URL, and the service fetches it from where it stands: inside a network, beside a
database, a stone's throw from the metadata address of its host.  So only addresses of the public
Internet are reached.  The rules:

- All that the registries of special purpose addresses (RFC 6890, IANA) keep from the public is
  refused: loopback, private, link-local, shared, multicast, documentation and reserved space.
- An IPv6 address that carries an IPv4 address is judged by the address it carries (mapped, and
  NAT64 by its well-known prefix, which networks behind NAT64 depend on); where a tunnel is meant
  (6to4, Teredo) it is refused.
- Who runs the installation may name hosts and networks that are reached all the same.

    >>> print(why_closed(ipaddress.ip_address("169.254.169.254")))
    link-local space
    >>> print(why_closed(ipaddress.ip_address("::ffff:10.0.0.1")))
    private space
    >>> print(why_closed(ipaddress.ip_address("2a00:1450::1")))
    None
"""

import ipaddress
from dataclasses import dataclass

from mailmum.domain.errors import BadInput
from mailmum.domain.names import parse_name
from mailmum.domain.texts import shown

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _nets(*texts: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(text) for text in texts)


_CLOSED: tuple[tuple[str, tuple[Network, ...]], ...] = (
    ("loopback space", _nets("127.0.0.0/8", "::1/128")),
    ("private space", _nets("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")),
    ("link-local space", _nets("169.254.0.0/16", "fe80::/10")),
    ("shared space", _nets("100.64.0.0/10")),
    ("multicast space", _nets("224.0.0.0/4", "ff00::/8")),
    ("unspecified space", _nets("0.0.0.0/8", "::/128")),
    (
        "documentation space",
        _nets("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20"),
    ),
    ("tunnel space", _nets("192.88.99.0/24", "2001::/32", "2002::/16")),
    ("reserved space", _nets("192.0.0.0/24", "198.18.0.0/15", "240.0.0.0/4", "2001::/23")),
)
# All that IANA has given out for use by everybody; whatever else is IPv6 has some other purpose.
_PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def why_closed(address: Address) -> str | None:
    """The kind of space that keeps an address from being reached, or None for a public one."""
    carried = _carried(address)
    if carried is not None:
        return why_closed(carried)
    for space, networks in _CLOSED:
        if any(address in network for network in networks):
            return space
    return None if address.version == 4 or address in _PUBLIC_V6 else "reserved space"


@dataclass(frozen=True, slots=True)
class Reachable:
    """Hosts and networks that may be reached though they are not public.

    Attributes:
        hosts: names, in canonical form.
        networks: of addresses.
    """

    hosts: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()

    def why_not(self, host: str, address: Address) -> str | None:
        """The kind of space that keeps an address of the host from being reached, or None."""
        if host in self.hosts:
            return None
        plain = _carried(address) or address
        if any(one in network for network in self.networks for one in (address, plain)):
            return None
        return why_closed(address)


PUBLIC_ONLY = Reachable()


def parse_reachable(text: str) -> Reachable:
    """Read hosts, addresses and networks, separated by commas.

    Raises:
        BadInput: one of them is neither; the message names it.
    """
    hosts: set[str] = set()
    networks: list[Network] = []
    for item in (part.strip() for part in text.split(",")):
        if not item:
            continue
        try:
            networks.append(ipaddress.ip_network(item))
        except ValueError:
            hosts.add(_host(item))
    return Reachable(frozenset(hosts), tuple(networks))


def _host(item: str) -> str:
    try:
        return parse_name(item)
    except BadInput as error:
        raise BadInput(
            f"{shown(item)} is neither a host, an address nor a network: {error.problem}",
            fix="write for example lists.internal or 10.1.0.0/16",
        ) from None


def _carried(address: Address) -> ipaddress.IPv4Address | None:
    if address.version == 4:
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None
