"""What configuration may say about the zones."""

import dns.message
import pytest

from mailmum.dns.zones import Zone, ZoneConfig
from mailmum.domain.errors import BadInput
from tests.dns.world import KEY, World, ask, make_engine


@pytest.mark.parametrize(
    ("config", "field"),
    [
        (ZoneConfig("rbl..example"), "zone"),
        (ZoneConfig(".".join(["a" * 40] * 4)), "zone"),
        (ZoneConfig("rbl.example", ns=("bl.rbl.example",)), "ns"),
        (ZoneConfig("rbl.example", ns=("ns.dwl.rbl.example",)), "ns"),
        (ZoneConfig("rbl.example", ns=("rbl.example",)), "ns"),
        (ZoneConfig("rbl.example", ns=("no name",)), "ns"),
        (ZoneConfig("rbl.example", addresses=("192.0.2.256",)), "ns"),
        (ZoneConfig("rbl.example", hostmaster="nobody"), "hostmaster"),
        (ZoneConfig("rbl.example", hostmaster="@example.net"), "hostmaster"),
        (ZoneConfig("rbl.example", hostmaster=f"{'a' * 64}@example.net"), "hostmaster"),
    ],
)
def test_bad_configuration_is_refused(config: ZoneConfig, field: str) -> None:
    """With the parameter's name and a proposal."""
    with pytest.raises(BadInput) as caught:
        Zone(config)
    assert caught.value.field == field


def test_the_longest_base_leaves_room_for_ipv6() -> None:
    """A reversed IPv6 address below a key can be asked for."""
    base = ".".join(["a" * 39] * 3 + ["b" * 38])
    engine = make_engine(World(), ZoneConfig(base))
    name = ".".join(["0"] * 31 + ["1", KEY, "bl", base])
    assert ask(engine, name).authority


def test_name_servers_elsewhere() -> None:
    """Names outside BASE are written out whole, in SOA and NS; they have no addresses here."""
    config = ZoneConfig("rbl.example", ns=("ns1.example.net", "ns2.eu.rbl.example"))
    engine = make_engine(World(), config)
    (rrset,) = ask(engine, "rbl.example", "NS").answer
    assert sorted(map(str, rrset)) == ["ns1.example.net.", "ns2.eu.rbl.example."]
    (soa,) = ask(engine, "rbl.example", "SOA").answer
    assert str(soa[0].mname) == "ns1.example.net."
    above: dns.message.Message = ask(engine, "eu.rbl.example")
    assert above.rcode() == 0
    assert above.authority


def test_defaults() -> None:
    """ns.BASE and hostmaster@BASE."""
    (soa,) = ask(make_engine(World(), ZoneConfig("rbl.example")), "rbl.example", "SOA").answer
    assert str(soa[0].mname) == "ns.rbl.example."
    assert str(soa[0].rname) == "hostmaster.rbl.example."
