"""Who may read the numbers for monitoring systems.

    empty                         programs on this machine
    192.0.2.0/24, 2001:db8::7     programs at these addresses
    token:SECRET                  whoever shows the token, from anywhere
    off                           nobody

Behind a proxy every request comes from the proxy's address, which is often this machine's own.  So
what was passed on by a proxy, as far as it can be told, is let in by token only; and a program on
this machine has to ask for it by a name of this machine, as none does that came through a proxy.
"""

import ipaddress
from dataclasses import dataclass
from secrets import compare_digest

TOKEN = "token:"  # noqa: S105 (what stands before one)
TOKEN_LENGTH = 16
OFF = "off"

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks.

    Attributes:
        address: where the connection comes from.
        host: the name or address that the service was asked by, without a port.
        passed_on: whether a proxy has passed the request on.
        token: what it shows, or empty.
    """

    address: str
    host: str
    passed_on: bool
    token: str = ""


@dataclass(frozen=True, slots=True)
class Readers:
    """Who may read.

    Attributes:
        here: programs on this machine.
        networks: programs at these addresses.
        tokens: whoever shows one of these.
    """

    here: bool = False
    networks: tuple[Network, ...] = ()
    tokens: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.here or self.networks or self.tokens)

    def admit(self, asker: Asker) -> bool:
        """Whether somebody may read."""
        given = asker.token.encode()
        if any(compare_digest(given, token.encode()) for token in self.tokens):
            return True
        address = _address(asker.address)
        if asker.passed_on or address is None:
            return False
        if self.here and address.is_loopback and _is_here(asker.host):
            return True
        return any(address in network for network in self.networks)


def parse_readers(text: str) -> Readers:
    """Read the parameter.

    Raises:
        ValueError: it is not of this form; the message says what is.
    """
    items = [item.strip() for item in text.split(",") if item.strip()]
    if not items:
        return Readers(here=True)
    if items == [OFF]:
        return Readers()
    tokens = [item.removeprefix(TOKEN) for item in items if item.startswith(TOKEN)]
    if any(len(token) < TOKEN_LENGTH for token in tokens):
        raise ValueError(f"a token has at least {TOKEN_LENGTH} characters")
    others = (item for item in items if not item.startswith(TOKEN))
    return Readers(networks=tuple(map(_network, others)), tokens=tuple(tokens))


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is neither a network, nor token:SECRET, nor off; write for example 192.0.2.7"
        ) from None


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if address.version == 6 else None
    return mapped or address


def _is_here(host: str) -> bool:
    name = host.removeprefix("[").removesuffix("]").lower()
    address = _address(name)
    return name == "localhost" if address is None else address.is_loopback
