"""Reverse names: what mail servers verified, else what the DNS says, else nothing."""

from collections.abc import Iterator

import dns.resolver
import dns.reversename
import pytest

from mailmum.control.monitor import reverse
from mailmum.control.monitor.checked import Named
from mailmum.control.monitor.impact import check
from mailmum.domain.targets import parse_target
from mailmum.traffic.sightings import Outcome
from tests.control.alerts.kit import parameters
from tests.control.monitor.kit import STRANGE, Traffic
from tests.support.nameserver import NameServer, name_server
from tests.support.ports import free_port

CLIENT, CLIENT6 = "193.0.6.139", "2001:67c:2e8:22::c100:68b"
"""Of the registry for Europe: documentation addresses have no reverse names."""


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[NameServer]:
    """The name server that the installation's resolver is."""
    with name_server() as server, parameters(monkeypatch, resolver=server.endpoint):
        yield server


def point(names: NameServer, address: str, *to: str) -> str:
    """Let an address have these names; the name they are found at."""
    at = dns.reversename.from_address(address).to_text(omit_final_dot=True)
    names.records[at, "PTR"] = [f"{name}." for name in to]
    return at


def reverse_of(traffic: Traffic, target: str, *, asks: bool = True) -> tuple[str, ...]:
    """Of a check by a viewer."""
    return check(traffic.world.viewer, parse_target(target), asks=asks).reverse


def test_what_a_mail_server_verified_comes_first(traffic: Traffic, names: NameServer) -> None:
    """Nobody is asked then; what the client claims, and what others saw, is no such name."""
    point(names, CLIENT, "dns.city.example")
    traffic.log(traffic.seen(CLIENT, Outcome.REJECTED, helo="claimed.example"))
    traffic.foreign(traffic.seen(CLIENT, Outcome.REJECTED, client_name=STRANGE))
    assert reverse_of(traffic, CLIENT) == ("dns.city.example",)
    names.asked.clear()
    traffic.log(traffic.seen(CLIENT, Outcome.REJECTED, client_name="log.city.example"))
    assert reverse_of(traffic, CLIENT) == ("log.city.example",)
    assert names.asked == []


def test_the_dns_tells_of_one_address(traffic: Traffic, names: NameServer) -> None:
    """Of IPv6 too; never of a network or a name, nor where nobody waits for it."""
    at = point(names, CLIENT6, "Mail.City.Example")
    assert reverse_of(traffic, CLIENT6) == ("mail.city.example",)
    assert names.asked == [(at, "PTR")]
    names.asked.clear()
    assert reverse_of(traffic, CLIENT6, asks=False) == ()
    for other in ("193.0.6.0/24", "mail.city.example", ".city.example", "10.0.0.7", "192.0.2.7"):
        assert reverse_of(traffic, other) == ()
    assert names.asked == []


def test_what_strangers_write_is_bounded(traffic: Traffic, names: NameServer) -> None:
    """Only what can be a host name, and only a few of many."""
    point(names, CLIENT, r"\027[2j.example", r"a\032b.example", "toplevel", "ok.example")
    assert reverse_of(traffic, CLIENT) == ("ok.example",)
    point(names, CLIENT, *(f"h{number}.example" for number in range(9)))
    assert reverse_of(traffic, CLIENT) == ("h0.example", "h1.example", "h2.example")


def test_without_an_answer_it_is_left_out(
    traffic: Traffic, names: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No such name, nothing of the kind, a failure, nobody there, no resolver at all."""
    at = point(names, CLIENT)
    names.records.clear()
    assert reverse_of(traffic, CLIENT) == ()
    names.records[at, "TXT"] = ['"v"']
    assert reverse_of(traffic, CLIENT) == ()
    names.failing.add(at)
    assert reverse_of(traffic, CLIENT) == ()
    monkeypatch.setattr(reverse, "PATIENCE", 0.05)
    with parameters(monkeypatch, resolver=f"127.0.0.1:{free_port('udp')}"):
        assert reverse_of(traffic, CLIENT) == ()

    def unconfigured(**_: object) -> None:
        raise dns.resolver.NoResolverConfiguration

    with parameters(monkeypatch, resolver=""), monkeypatch.context() as patch:
        patch.setattr(dns.resolver, "Resolver", unconfigured)
        assert reverse_of(traffic, CLIENT) == ()


def test_a_few_verified_names_are_enough() -> None:
    """Those seen most come first already."""
    seen = [Named(f"h{number}.example", verified=True, contacts=9, accepted=0) for number in "4321"]
    found = reverse.reverse_of(parse_target("192.0.2.7"), seen, asks=True)
    assert found == ("h4.example", "h3.example", "h2.example")
