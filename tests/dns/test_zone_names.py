"""The zones themselves: apexes, keys, name servers, and what is not ours."""

import dns.message
import dns.rcode
import dns.rdatatype
import pytest

from tests.dns.world import (
    BASE,
    NOW,
    OLD_KEY,
    OTHER_KEY,
    PAUSED_KEY,
    World,
    a_record,
    ask,
    make_engine,
    shape,
    zone_of,
)

MAPPED_TEST = "2.0.0.0.0.0.f.7.f.f.f.f" + ".0" * 20
MAPPED_NEVER = "1.0.0.0.0.0.f.7.f.f.f.f" + ".0" * 20


def test_negative_answers_carry_the_soa_of_their_zone() -> None:
    """RFC 2308: SOA in authority, TTL and MINIMUM the account's; serial is the position."""
    engine = make_engine(World())
    response = ask(engine, f"7.113.0.203.{zone_of('bl', OTHER_KEY)}")
    (rrset,) = response.authority
    (soa,) = rrset
    assert response.rcode() == dns.rcode.NXDOMAIN
    assert str(rrset.name) == f"{zone_of('bl', OTHER_KEY)}."
    assert (rrset.ttl, soa.minimum, soa.serial) == (120, 120, 42)
    assert str(soa.mname) == f"ns.{BASE}."
    assert str(soa.rname) == "dns\\.admin.example.net."


@pytest.mark.parametrize("zone", [BASE, zone_of("bl"), zone_of("dwl").upper()])
def test_zone_apexes(zone: str) -> None:
    """SOA and NS, one RRset for ANY, nothing else."""
    engine = make_engine(World())
    (soa,) = ask(engine, zone, "SOA").answer
    (ns,) = ask(engine, zone, "NS").answer
    (any_,) = ask(engine, zone, "ANY").answer
    assert [rrset.rdtype for rrset in (soa, ns, any_)] == [6, 2, 6]
    assert [str(item).lower() for item in ns] == [f"ns.{BASE}."]
    for type_ in ("A", "AAAA", "TXT", "MX", "DNSKEY", "TYPE65280", "RRSIG", "CNAME"):
        assert shape(ask(engine, zone, type_)) == ("NOERROR", [], [f"{zone.lower()}."])


def test_name_servers_of_a_key_are_kept_for_a_moment_only() -> None:
    """Else a resolver that was asked for them would look for them at port 53 instead of here."""
    engine = make_engine(World())
    for zone, ttl in ((BASE, 60), (zone_of("bl"), 1)):
        (ns,) = ask(engine, zone, "NS").answer
        assert ns.ttl == ttl


def test_ds_is_answered_by_the_parent() -> None:
    """RFC 4035 section 3.1.4.1: BASE answers for a key's zone."""
    engine = make_engine(World())
    assert shape(ask(engine, zone_of("bl"), "DS")) == ("NOERROR", [], [f"{BASE}."])
    assert shape(ask(engine, BASE, "DS")) == ("NOERROR", [], [f"{BASE}."])


@pytest.mark.parametrize("kind", ["bl", "wl", "dbl", "dwl"])
def test_list_names_are_empty_nonterminals(kind: str) -> None:
    """LIST.BASE exists without records, since keys are below it."""
    engine = make_engine(World())
    for type_ in ("A", "NS", "SOA", "ANY"):
        assert shape(ask(engine, f"{kind}.{BASE}", type_)) == ("NOERROR", [], [f"{BASE}."])


def test_unknown_and_revoked_keys_do_not_exist() -> None:
    """NXDOMAIN from BASE, also below and at the zone; use of a revoked key is counted."""
    engine = make_engine(World())
    for key in ("n0suchkey0000000", OLD_KEY):
        for labels in ("", "2.0.0.127.", "7.113.0.203."):
            for type_ in ("A", "SOA", "TXT", "DS"):
                response = ask(engine, f"{labels}{zone_of('bl', key)}", type_)
                assert shape(response) == ("NXDOMAIN", [], [f"{BASE}."])
    batch = engine.counters.take()
    assert dict(batch.faults) == {"unknown-key": 12}
    assert [(use.server, use.key, use.count) for use in batch.revoked] == [(1, OLD_KEY, 12)]
    assert not batch.verdicts


def test_a_key_is_good_until_it_is_revoked() -> None:
    """To the second, on the way that is prepared for repeated queries too."""
    engine = make_engine(World())
    name = f"2.0.0.127.{zone_of('bl', OLD_KEY)}"
    unlisted = f"7.113.0.203.{zone_of('bl', OLD_KEY)}"
    for _ in range(3):
        assert a_record(ask(engine, name, now=NOW - 5.001)) == "127.0.0.2"
        assert shape(ask(engine, unlisted, now=NOW - 5.001))[2] == [f"{zone_of('bl', OLD_KEY)}."]
    for question in (name, unlisted):
        assert shape(ask(engine, question, now=NOW - 5)) == ("NXDOMAIN", [], [f"{BASE}."])


def test_name_servers_below_base_have_addresses() -> None:
    """ns.BASE answers with the configured addresses."""
    engine = make_engine(World())
    assert shape(ask(engine, f"NS.{BASE}"))[1] == ["192.0.2.53"]
    assert shape(ask(engine, f"ns.{BASE}", "AAAA"))[1] == ["2001:db8::53"]
    assert shape(ask(engine, f"ns.{BASE}", "ANY"))[1] == ["192.0.2.53"]
    assert shape(ask(engine, f"ns.{BASE}", "TXT")) == ("NOERROR", [], [f"{BASE}."])
    assert ask(engine, f"x.ns.{BASE}").rcode() == dns.rcode.NXDOMAIN
    assert ask(engine, f"other.{BASE}").rcode() == dns.rcode.NXDOMAIN


def test_a_paused_server_lists_nothing() -> None:
    """Its zone exists; nothing is listed in it."""
    world = World()
    world.add("203.0.113.7", account=2)
    engine = make_engine(world)
    name = f"7.113.0.203.{zone_of('bl', PAUSED_KEY)}"
    assert shape(ask(engine, name)) == ("NXDOMAIN", [], [f"{zone_of('bl', PAUSED_KEY)}."])
    assert ask(engine, zone_of("bl", PAUSED_KEY), "SOA").answer


@pytest.mark.parametrize("name", ["example.net", ".", "xrbl.example.net", "rbl.example.org", "net"])
def test_outside_base_is_refused(name: str) -> None:
    """REFUSED with "Not Authoritative"; no recursion, no referral."""
    response = ask(make_engine(World()), name, use_edns=0)
    assert shape(response) == ("REFUSED", [], [])
    assert [option.code for option in response.options] == [20]


@pytest.mark.parametrize("name", [BASE, f"7.113.0.203.{zone_of('bl')}", zone_of("bl"), f"x.{BASE}"])
def test_without_an_index_the_server_fails(name: str) -> None:
    """SERVFAIL with "Not Ready": neither a block nor a denial that resolvers would keep."""
    engine = make_engine(World())
    engine.index = None
    response = ask(engine, name, use_edns=0)
    assert shape(response) == ("SERVFAIL", [], [])
    assert [option.code for option in response.options] == [14]
    assert ask(engine, "example.net").rcode() == dns.rcode.REFUSED
