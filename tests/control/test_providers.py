"""Sets of mail providers, resolved against a name server of the test's own."""

import pytest

from mailmum.control.feeds.editing import edit_feed
from mailmum.control.feeds.providers import (
    PROPOSALS,
    known,
    protecting,
)
from mailmum.control.feeds.queries import show_feed
from mailmum.control.feeds.refreshing import refresh
from mailmum.control.feeds.services import pause
from mailmum.control.feeds.spf import as_list, spf_set
from mailmum.control.feeds.wishes import make_wish
from mailmum.control.listings.queries import explain
from mailmum.control.monitor.impact import check
from mailmum.control.monitor.lists import preview
from mailmum.domain.clients import AddressSubject, parse_subject
from mailmum.domain.errors import BadInput
from mailmum.domain.names import parse_name
from mailmum.domain.targets import parse_network, parse_target
from mailmum.traffic.impact import Word
from tests.control.providers_kit import provider
from tests.support.nameserver import NameServer
from tests.support.world import World


def protected(account: int, client: AddressSubject) -> str | None:
    """The provider that keeps triggers from listing a client."""
    return protecting(account).of_address(client.version, client.address)


def address(text: str) -> AddressSubject:
    """A client."""
    subject = parse_subject(text)
    assert isinstance(subject, AddressSubject)
    return subject


def test_a_set_is_resolved_over_the_wire(names: NameServer) -> None:
    """Includes, hosts of both kinds, and a record longer than one string."""
    many = " ".join(f"ip4:198.51.{number}.0/24" for number in range(30))
    names.spf(
        mail=f"v=spf1 include:_nets.example a:out.example mx {many} ~all",
        _nets="v=spf1 ip6:2001:db8::/32 -all",
    )
    names.records |= {
        ("out.example", "A"): ["192.0.2.9"],
        ("out.example", "AAAA"): ["2001:db9::9"],
        ("mail.example", "MX"): ["10 mx.example."],
        ("mx.example", "A"): ["192.0.2.25"],
    }
    found = as_list(spf_set("mail.example")).decode().split()
    assert found[:4] == ["2001:db8::/32", "192.0.2.9", "2001:db9::9", "192.0.2.25"]
    assert len(found) == 34


def test_uses(world: World, names: NameServer) -> None:
    """Allow, keep triggers away, or only be named."""
    names.spf(one="v=spf1 ip4:192.0.2.0/24 -all", two="v=spf1 ip4:198.51.100.0/24 -all")
    names.spf(three="v=spf1 ip4:203.0.113.0/24 -all")
    provider(world.admin, "One", "one.example", "list")
    provider(world.admin, "Two", "two.example", "except")
    provider(world.admin, "Three", "three.example", "warn")
    account = world.admin.account.pk
    clients = [address(f"{net}.7") for net in ("192.0.2", "198.51.100", "203.0.113", "192.0.3")]
    verdicts = [explain(world.viewer, client, None).verdict.word.value for client in clients]
    assert verdicts == ["allow", "none", "none", "none"]
    assert [protected(account, client) for client in clients] == ["One", "Two", None, None]
    named = [known(account).of_address(one.version, one.address) for one in clients]
    assert named == ["One", "Two", "Three", None]
    assert known(account).of_network(parse_network("203.0.0.0/16")) == "Three"
    assert known(account).of_network(parse_network("203.0.113.128/25")) == "Three"
    assert known(account).of_network(parse_network("203.1.0.0/16")) is None
    assert protected(world.outsider.account.pk, clients[0]) is None
    edit_feed(world.admin, "Two", {"use": "list"})
    edit_feed(world.admin, "One", {"use": "warn"})
    verdicts = [explain(world.viewer, client, None).verdict.word.value for client in clients]
    assert verdicts == ["none", "allow", "none", "none"]
    assert [protected(account, client) for client in clients] == [None, "Two", None, None]
    pause(world.admin, "Two", paused=True)
    assert protected(account, clients[1]) is None


def test_the_last_good_set_stays(world: World, names: NameServer) -> None:
    """When the DNS fails, when the record is gone, when it says that all the world may send."""
    names.spf(one="v=spf1 include:two.example -all", two="v=spf1 ip4:192.0.2.0/24 -all")
    feed = provider(world.admin, "One", "one.example", "except")
    names.failing.add("two.example")
    for told in ("the DNS does not say what TXT of two.example is", "no SPF record", "all the"):
        outcome = refresh(feed.pk)
        assert outcome is not None
        assert (outcome.word, told in outcome.told) == ("failed", True)
        assert protected(world.admin.account.pk, address("192.0.2.7")) == "One"
        names.failing.clear()
        names.records.pop(("two.example", "TXT"), None)
        if told == "no SPF record":
            names.spf(two="v=spf1 +all")
    names.spf(two="v=spf1 ip4:192.0.2.128/25 -all")
    outcome = refresh(feed.pk)
    assert outcome is not None
    assert outcome.word == "current"
    assert protected(world.admin.account.pk, address("192.0.2.7")) is None
    assert show_feed(world.viewer, "One")["state"] == "ok"


def test_what_depends_on_the_sender_is_told(world: World, names: NameServer) -> None:
    """Before it is kept, and with the version."""
    names.spf(
        one="v=spf1 exists:%{i}.one.example -exists:%{h}.one.example ip4:192.0.2.0/24 ptr -all"
    )
    told = ["exists:%{i}.one.example", "ptr:one.example"], ["exists:%{h}.one.example"]
    seen = preview(world.admin, make_wish("One", "one.example", kind="spf"))
    assert (seen["missing"], seen["undenied"]) == told
    provider(world.admin, "One", "one.example", "except")
    [version] = show_feed(world.viewer, "One")["versions"]
    assert (version["missing"], version["undenied"]) == told


def test_a_record_of_nothing_but_macros(world: World, names: NameServer) -> None:
    """Says what it is, since there is nothing wrong with the name."""
    names.spf(crm="v=spf1 exists:%{i}._spf.mta.crm.example -all", bare="v=spf1 -all")
    with pytest.raises(BadInput, match=r"whom it allows depends on the sender \(exists:%"):
        spf_set("crm.example")
    with pytest.raises(BadInput, match=r"bare\.example names no networks; check the name"):
        spf_set("bare.example")


def test_a_set_never_blocks(world: World) -> None:
    """Whatever is asked for."""
    assert make_wish("x", "mail.example", kind="spf", action="block").action == "allow"
    with pytest.raises(BadInput, match="only sets of providers"):
        make_wish("x", "https://lists.example/", use="warn")
    with pytest.raises(BadInput, match="one of list, except, warn"):
        make_wish("x", "mail.example", kind="spf", use="burn")


def test_proposals_are_names_that_can_be_asked_for() -> None:
    """In order, each once."""
    assert [name for name, _ in PROPOSALS] == sorted({name for name, _ in PROPOSALS})
    for name, domain in PROPOSALS:
        assert parse_name(domain) == domain
        assert make_wish(name, domain, kind="spf").name == name


def test_who_is_about_to_list_a_provider_is_warned(world: World, names: NameServer) -> None:
    """Whatever the set is for; a block of others' networks is not warned about."""
    names.spf(one="v=spf1 ip4:203.0.113.0/24 -all")
    provider(world.admin, "One", "one.example", "warn")
    for text in ("203.0.113.7", "203.0.112.0/22"):
        found = check(world.viewer, parse_target(text))
        assert f"{text} holds addresses of One, by which many people send mail" in found.warnings
        assert found.verdict is not Word.SAFE
    for access, text in ((world.viewer, "198.51.100.7"), (world.outsider, "203.0.113.7")):
        assert not any("One" in one for one in check(access, parse_target(text)).warnings)
