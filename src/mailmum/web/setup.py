"""What the page of a server tells to set its Postfix up: which lines, and whether it asks by now.

Which way and which resolver stand in the address, so a page can be sent to whoever runs the mail
server.  Its configuration cannot be read from here, so the lines set nothing that is set already.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from mailmum.control import config
from mailmum.control.config import Endpoint, parse_endpoint
from mailmum.control.servers.models import Server
from mailmum.control.servers.queries import current_key
from mailmum.control.servers.show import zones_of
from mailmum.control.traffic.models import ListUse
from mailmum.postfix.setup import Options, Plan, ServerZones, plan
from mailmum.postfix.setup_policy import policy_plan
from mailmum.postfix.setup_resolver import Recipe

WAYS = (("dns", "DNS"), ("policy", "Policy service"), ("both", "Both"))
WILD = {"0.0.0.0", "::"}  # noqa: S104 (compared, not bound)
_POLICY = "policy"
_LISTS = {
    "bl": "blocked addresses",
    "wl": "allowed addresses",
    "dbl": "blocked names",
    "dwl": "allowed names",
    _POLICY: "the policy service",
}


@dataclass(frozen=True, slots=True)
class Setup:
    """The set-up of one server.

    Attributes:
        way: `dns`, `policy` or `both`.
        plan: the lines.
        local: the address in them that only this machine reaches, empty when there is none.
        resolver: the number of the resolver that is shown, from 1.
        resolvers: names of those there are.
        recipe: what to write for that resolver; None where DNS is not asked.
    """

    way: str
    plan: Plan
    local: str
    resolver: int
    resolvers: tuple[str, ...]
    recipe: Recipe | None

    @property
    def where(self) -> str:
        """Where the lines for the resolver go."""
        return self.recipe.resolver.partition(": ")[2] if self.recipe else ""


@dataclass(frozen=True, slots=True)
class Asked:
    """One way by which a server asks: in which list, or the policy service."""

    name: str
    words: str
    use: ListUse | None


def setup_of(server: Server, query: Mapping[str, str]) -> Setup:
    """The set-up that an address asks for; what it does not say is the usual."""
    way = query.get("by", "")
    if way not in dict(WAYS):
        way = "dns"
    parameters = config.current()
    dns, policy = parameters.dns_endpoints[0], parse_endpoint(parameters.policy)
    made = _dns_plan(server, dns) if way != _POLICY else None
    if way != "dns":
        at = str(Endpoint(_reached(policy.host), policy.port))
        made = policy_plan(server.name, current_key(server), at, beside=made)
    assert made is not None
    recipes = made.resolvers
    chosen = query.get("resolver", "")
    number = int(chosen) if chosen in {str(n) for n in range(1, len(recipes) + 1)} else 1
    meant = {"dns": [dns], _POLICY: [policy]}.get(way, [dns, policy])
    hosts = [_reached(one.host) for one in meant]
    return Setup(
        way,
        made,
        next((host for host in hosts if host.startswith("127.") or host == "::1"), ""),
        number,
        tuple(one.resolver.partition(":")[0] for one in recipes),
        recipes[number - 1] if recipes else None,
    )


def asked_by(uses: Mapping[str, ListUse], way: str) -> list[Asked]:
    """The ways of a set-up, and all others by which the server asks."""
    meant = {"dns": set(_LISTS) - {_POLICY}, "policy": {_POLICY}}.get(way, set(_LISTS))
    return [
        Asked(name, words, uses.get(name))
        for name, words in _LISTS.items()
        if name in meant or name in uses
    ]


def _dns_plan(server: Server, dns: Endpoint) -> Plan:
    zones, base = zones_of(server), config.current().zone
    return plan(
        ServerZones(server.name, zones.bl, zones.wl, zones.dbl, zones.dwl, base),
        None,
        Options(dns_host=_reached(dns.host), dns_port=dns.port),
    )


def _reached(host: str) -> str:
    return "127.0.0.1" if host in WILD else host
