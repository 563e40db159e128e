"""Public lists on loopback: a real rbldnsd behind a resolver, beside lists that misbehave."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from mailmum.control.accounts.access import Writing
from mailmum.control.witnesses.services import add_witness
from tests.control.alerts.kit import parameters
from tests.formats.oracles import rbldnsd
from tests.support.ports import free_port
from tests.support.postfix_dns import NameServer, Zone, name_server

GOOD, WILD, PARKED, EMPTY = "good.example", "wild.example", "parked.example", "empty.example"
DEAF, SILENT = "deaf.example", "silent.example"
LISTED, CLEAN = "203.0.113.7", "203.0.113.8"
_FILE = f"""\
$TTL 60
$SOA 60 ns.good.example. owner.good.example. 1 3600 600 86400 60
:127.0.0.2:listed, $
127.0.0.2
{LISTED}
"""


@dataclass
class Lists:
    """Running lists; `resolver` passes on to all of them."""

    resolver: NameServer
    wild: Zone

    def asked(self, zone: str) -> list[str]:
        """What was asked of a list."""
        return [one for one in self.resolver.asked if f".{zone}." in one]


@contextmanager
def lists(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lists]:
    """All of them for the length of a `with` block, asked through one resolver."""
    wild = Zone(WILD, wildcard="127.0.0.2")
    others = [
        Zone(PARKED, wildcard="192.0.2.80"),
        Zone(EMPTY),
        Zone(DEAF, wildcard="127.255.255.254"),
    ]
    with rbldnsd({GOOD: ("ip4set", _FILE)}) as oracle:
        host, port = oracle._socket.getpeername()
        # Nobody is there for the last: the resolver says so at once, and nobody has to wait.
        forwards = {GOOD: (host, port), SILENT: ("127.0.0.1", free_port("both"))}
        with (
            name_server(wild, *others, forwards=forwards) as resolver,
            parameters(monkeypatch, rbl_resolver=f"{resolver.address}:53"),
        ):
            yield Lists(resolver, wild)


def choose(access: Writing, *zones: str) -> None:
    """Ask these lists from now on."""
    for zone in zones:
        add_witness(access, zone)
