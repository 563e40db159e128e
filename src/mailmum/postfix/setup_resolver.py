"""How the mail server's resolver reaches the zones.

Mail servers ask their resolver, and resolvers ask other servers at port 53 only, unless told
otherwise for one domain.  A base outside the public tree has no signed delegation, so a validating
resolver must be told not to expect one; and resolvers that drop private addresses from answers
(DNS rebinding protection) must let 127.0.0.x through.
"""

import ipaddress
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to write for one resolver.

    Attributes:
        resolver: its name, and where the text goes.
        lines: the configuration.
    """

    resolver: str
    lines: tuple[str, ...]


def recipes(base: str, host: str, port: int) -> tuple[Recipe, ...]:
    """Configuration for the usual resolvers.

    Args:
        base: the zone below which all others stand.
        host: address of the service's DNS; a wildcard address stands for this machine.
        port: its port.
    """
    address = ipaddress.ip_address(host)
    if address.is_unspecified:
        address = ipaddress.ip_address("127.0.0.1" if address.version == 4 else "::1")
    at = str(address)
    reach = ["    do-not-query-localhost: no"] if address.is_loopback else []
    unbound = Recipe(
        "unbound: in /etc/unbound/unbound.conf.d/mailmum.conf, then `unbound-control reload`",
        (
            "server:",
            *reach,
            f'    domain-insecure: "{base}"',
            f'    private-domain: "{base}"',
            "stub-zone:",
            f'    name: "{base}"',
            f"    stub-addr: {at}@{port}",
        ),
    )
    dnsmasq = Recipe(
        "dnsmasq: in /etc/dnsmasq.d/mailmum.conf, then restart it",
        (f"server=/{base}/{at}#{port}", f"rebind-domain-ok=/{base}/"),
    )
    bind = Recipe(
        "BIND: the first line inside options, the rest beside it, then `rndc reconfig`",
        (
            f'validate-except {{ "{base}"; }};',
            f'zone "{base}" {{',
            "    type forward;",
            "    forward only;",
            f"    forwarders {{ {at} port {port}; }};",
            "};",
        ),
    )
    return unbound, dnsmasq, bind
