"""Check before you list: counts, who would be lost, what stands, what would be better."""

import pytest

from mailmum.control.monitor import impact, looking
from mailmum.control.monitor.checked import Check
from mailmum.control.monitor.impact import check
from mailmum.control.monitor.scope import scope_of
from mailmum.control.monitor.show import as_dict
from mailmum.domain.errors import BadInput, NotFound
from mailmum.domain.listings import Action
from mailmum.domain.targets import parse_target
from mailmum.traffic.groups import Group
from mailmum.traffic.impact import Word
from mailmum.traffic.sightings import Outcome, Source
from tests.control.monitor.kit import STRANGE, Traffic
from tests.support.world import World

NET = "198.51.100.0/24"


def told(traffic: Traffic, target: str, server: str | None = None, days: int = 30) -> Check:
    """The whole check of a viewer."""
    return check(traffic.world.viewer, parse_target(target), server, days=days, whole=True)


def ways(found: Check) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """What is better, by its word."""
    return {one.way: (one.block, one.allow) for one in found.better}


def test_nothing_was_ever_seen(traffic: Traffic) -> None:
    """Numbers are zero, nothing is unknown but said to be, and it is not called safe."""
    found = told(traffic, NET)
    assert (found.contacts, found.clients, found.accepted, found.rejected) == (0, 0, 0, 0)
    assert (found.addresses, found.covered_by, found.better) == (256, (), ())
    assert found.verdict is Word.CAUTION
    assert "nothing was seen" in found.warnings[0]


def test_a_log_that_never_saw_it_calls_it_safe(traffic: Traffic) -> None:
    """Other clients were seen, so it would have been."""
    traffic.log(traffic.seen("203.0.113.7", Outcome.ACCEPTED))
    found = told(traffic, NET)
    assert (found.verdict, found.warnings, found.contacts) == (Word.SAFE, (), 0)


def test_abuse_alone_is_safe(traffic: Traffic) -> None:
    """Counts by server and by what became of it; clients with their names."""
    traffic.log(*traffic.pool())
    traffic.log(*traffic.pool()[:5], server="mx2")
    traffic.foreign(*traffic.mail("198.51.100.70", 500, "mail.example"))
    found = told(traffic, NET)
    assert (found.verdict, found.warnings) == (Word.SAFE, ())
    assert (found.contacts, found.clients, found.accepted, found.rejected) == (85, 16, 0, 85)
    assert found.groups == {Group.RBL: 85}
    assert [(one.server, one.contacts, one.clients) for one in found.servers] == [
        ("mx1", 80, 16),
        ("mx2", 5, 1),
    ]
    assert (found.hits[0].client, found.hits[0].name) == (
        "198.51.100.64",
        "dsl-64.pool.example",
    )
    assert found.hits[0].rejected == 10
    assert STRANGE not in str(as_dict(scope_of(traffic.world.viewer), found))


def test_senders_that_would_be_lost(traffic: Traffic) -> None:
    """Dangerous, with their domains; a narrower network and exceptions are offered."""
    traffic.log(*traffic.pool())
    traffic.log(*traffic.mail("198.51.100.201", 12, "out1.news.example"))
    traffic.log(*traffic.mail("198.51.100.130", 3, "mail.city.example"), server="mx2")
    found = told(traffic, NET)
    assert found.verdict is Word.DANGEROUS
    assert found.warnings == (
        "2 clients delivered 15 accepted messages in 30 days: they would be rejected",
    )
    assert (found.accepted, found.rejected, found.clients) == (15, 80, 18)
    assert found.senders == (("out1.news.example", 12), ("mail.city.example", 3))
    assert [hit.client for hit in found.hits[:2]] == ["198.51.100.201", "198.51.100.130"]
    assert ways(found) == {
        "narrower": (("198.51.100.64/27",), ()),
        "exceptions": ((NET,), ("198.51.100.130", "198.51.100.201")),
    }
    assert found.better[0].commands == ("mailmum block 198.51.100.64/27",)
    assert (found.better[0].stops, found.better[0].of) == (80, 80)
    assert found.better[1].commands == (
        "mailmum allow 198.51.100.130 198.51.100.201",
        f"mailmum block {NET}",
    )


def test_senders_of_what_was_turned_away(traffic: Traffic) -> None:
    """By how often they were; the null sender is one, who named none is nobody, nor another's."""
    traffic.log(
        *traffic.pool(),
        traffic.seen("198.51.100.64", Outcome.UNKNOWN_RECIPIENT, sender=""),
        traffic.seen("198.51.100.64", Outcome.DEFERRED, sender="A@Grey.Example"),
        traffic.seen("198.51.100.64", Outcome.AUTH_FAILED),
        traffic.seen("198.51.100.64", Outcome.REJECTED),
        *traffic.mail("198.51.100.64", 2, "mail.city.example"),
    )
    traffic.foreign(*traffic.pool())
    found = told(traffic, NET)
    assert found.refused_senders == (("pool.example", 80), ("<>", 1), ("grey.example", 1))
    assert found.senders == (("mail.city.example", 2),)
    old = 40 * 86_400
    traffic.log(traffic.seen("203.0.113.7", Outcome.REJECTED, sender="x@old.example", ago=old))
    assert told(traffic, "203.0.113.7").refused_senders == ()


def test_for_one_server(traffic: Traffic) -> None:
    """Only what that server saw; commands name it."""
    traffic.log(*traffic.pool())
    traffic.log(*traffic.mail("198.51.100.201", 12, "out1.news.example"))
    traffic.log(*traffic.pool(), server="mx2")
    found = told(traffic, NET, "mx2")
    assert (found.verdict, found.accepted, found.contacts) == (Word.SAFE, 0, 80)
    assert found.better[0].commands == ("mailmum block 198.51.100.64/27 --server mx2",)
    with pytest.raises(NotFound):
        told(traffic, NET, "foreign")


def test_an_outsider_sees_nothing_of_it(traffic: Traffic) -> None:
    """Nor a listing, nor that there is a server."""
    traffic.log(*traffic.mail("198.51.100.201", 12, "out1.news.example"))
    traffic.listed(Action.BLOCK, "198.51.100.0/25")
    outsider = traffic.world.outsider
    found = check(outsider, parse_target(NET), whole=True)
    assert (found.contacts, found.servers, found.inside, found.hits) == (0, (), (), ())
    with pytest.raises(NotFound):
        check(outsider, parse_target(NET), "mx1")


def test_mail_that_an_allow_keeps_is_no_loss(traffic: Traffic) -> None:
    """Of the account; one for another server keeps nothing."""
    traffic.log(*traffic.mail("198.51.100.201", 12, "out1.news.example"))
    traffic.listed(Action.ALLOW, "198.51.100.201", server="mx2")
    assert told(traffic, NET).verdict is Word.DANGEROUS
    traffic.listed(Action.ALLOW, "198.51.100.200/31")
    found = told(traffic, NET)
    assert (found.verdict, found.accepted, found.kept) == (Word.SAFE, 12, 12)
    assert [hit.kept for hit in found.hits] == [True]
    assert {listing.target for listing in found.inside} == {"198.51.100.201", "198.51.100.200/31"}


def test_guards_are_told(traffic: Traffic) -> None:
    """Own servers and private space are dangerous; loopback is refused."""
    traffic.log(traffic.seen("203.0.113.7", Outcome.ACCEPTED))
    own = told(traffic, "192.0.2.0/24")
    assert own.verdict is Word.DANGEROUS
    assert own.warnings == ("192.0.2.0/24 covers the account's own server mx1",)
    assert told(traffic, "10.0.0.0/24").verdict is Word.DANGEROUS
    assert "wider than /16" in told(traffic, "198.48.0.0/12").warnings[0]
    with pytest.raises(BadInput):
        told(traffic, "127.0.0.1")


def test_only_lookups_tell_nothing_of_acceptance(traffic: Traffic) -> None:
    """Contacts are counted, acceptance is unknown, and that is said."""
    traffic.asked("198.51.100.7", Outcome.UNLISTED, 30)
    traffic.asked("198.51.100.8", Outcome.LISTED, 4, server="mx2")
    found = told(traffic, NET)
    assert (found.contacts, found.clients, found.accepted, found.rejected) == (34, 2, None, 4)
    assert found.verdict is Word.CAUTION
    assert "no mail log was read" in found.warnings[0]
    assert {one.server: one.accepted for one in found.servers} == {"mx1": None, "mx2": None}


def test_a_contact_counts_once(traffic: Traffic) -> None:
    """The log, else the policy service, else DNS: of each client on each day."""
    traffic.log(*traffic.mail("198.51.100.7", 2, "a.example"))
    traffic.asked("198.51.100.7", Outcome.UNLISTED, 5)
    traffic.asked("198.51.100.7", Outcome.UNLISTED, 7, source=Source.POLICY)
    traffic.asked("198.51.100.8", Outcome.UNLISTED, 5)
    traffic.asked("198.51.100.8", Outcome.UNLISTED, 3, source=Source.POLICY)
    # Before its log was read, a server is known by its lookups.
    traffic.asked("198.51.100.7", Outcome.UNLISTED, 11, ago=5 * 86_400)
    found = told(traffic, NET)
    assert (found.contacts, found.accepted, found.unlogged) == (2 + 3 + 11, 2, 14)
    assert "of 14 contacts only the lookup is known" in found.warnings[-1]


def test_a_domain(traffic: Traffic) -> None:
    """By verified and claimed names, each contact once; senders are kept by name."""
    traffic.log(
        *(
            traffic.seen(
                f"203.0.113.{last}",
                Outcome.REJECTED,
                client_name=f"h{last}.bad.top",
                helo=f"x{last}.bad.top",
            )
            for last in range(20)
        ),
        traffic.seen("203.0.113.50", Outcome.REJECTED, helo="claims.other.top"),
        *traffic.mail("203.0.113.200", 11, "mail.good.top"),
    )
    traffic.foreign(*traffic.mail("203.0.113.9", 5, "mail.bad.top"))
    found = told(traffic, ".top")
    assert (found.contacts, found.clients, found.accepted, found.rejected) == (32, 22, 11, 21)
    assert found.addresses is None
    assert found.verdict is Word.DANGEROUS
    assert found.warnings[1].startswith(".top is a top-level domain")
    names = {(one.name, one.verified): one.contacts for one in found.names}
    assert names["mail.good.top", True] == 11
    assert ways(found) == {
        "narrower": ((".bad.top", ".other.top"), ()),
        "exceptions": ((".top",), ("mail.good.top",)),
    }
    traffic.listed(Action.ALLOW, ".good.top")
    kept = told(traffic, ".top")
    assert (kept.kept, kept.verdict) == (11, Word.CAUTION)


def test_a_host(traffic: Traffic) -> None:
    """Only that host, and no way is narrower."""
    traffic.log(*traffic.mail("203.0.113.200", 2, "mail.good.top"))
    traffic.log(*traffic.mail("203.0.113.201", 2, "sub.mail.good.top"))
    found = told(traffic, "mail.good.top")
    assert (found.contacts, found.accepted, found.verdict) == (2, 2, Word.CAUTION)
    assert found.better == ()


def test_names_that_were_only_asked_for(traffic: Traffic) -> None:
    """How often, and that nothing more is known; where a log is read they count no more."""
    traffic.asked("mail.spam.example", Outcome.UNLISTED, 9)
    found = told(traffic, ".spam.example")
    assert (found.contacts, found.clients, found.accepted) == (9, 0, None)
    traffic.log(*traffic.mail("203.0.113.200", 2, "mail.spam.example"))
    found = told(traffic, ".spam.example")
    assert (found.contacts, found.clients, found.accepted) == (2, 1, 2)


def test_what_is_too_old_is_left_out(traffic: Traffic) -> None:
    """The days count back from today."""
    traffic.log(*traffic.mail("198.51.100.7", 4, "a.example", ago=9 * 86_400))
    assert told(traffic, NET, days=10).accepted == 4
    assert told(traffic, NET, days=7).accepted == 0
    with pytest.raises(BadInput):
        told(traffic, NET, days=0)
    with pytest.raises(BadInput):
        told(traffic, NET, days=401)


def test_listings_that_stand(traffic: Traffic, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that cover it, itself among them, and those inside; disabled and foreign ones not."""
    traffic.listed(Action.BLOCK, "198.51.0.0/16", NET, "198.51.100.7")
    traffic.listed(Action.BLOCK, "198.51.100.8", server="mx2")
    found = told(traffic, NET)
    assert [one.target for one in found.covered_by] == ["198.51.0.0/16", NET]
    assert [one.target for one in found.inside] == ["198.51.100.8", "198.51.100.7"]
    assert [one.target for one in told(traffic, NET, "mx1").inside] == ["198.51.100.7"]
    assert told(traffic, ".example").covered_by == ()
    monkeypatch.setattr(impact, "LISTINGS", 1)
    found = told(traffic, NET)
    assert (len(found.inside), found.more_inside) == (1, 1)
    # The form has another way to them.
    found = check(traffic.world.viewer, parse_target(NET))
    assert (found.covered_by, found.inside, found.more_inside, found.countries) == ((), (), 0, ())


def test_too_much_is_looked_at_in_part(traffic: Traffic, monkeypatch: pytest.MonkeyPatch) -> None:
    """From today back, whole days; how far that went is told."""
    traffic.log(*traffic.pool())
    traffic.log(*traffic.pool(ago=86_400))
    traffic.log(*traffic.pool(ago=2 * 86_400))
    monkeypatch.setattr(looking, "BUDGET", 40)
    found = told(traffic, NET)
    assert (found.contacts, found.complete) == (160, False)
    assert found.verdict is Word.CAUTION
    assert "the numbers are those since" in found.warnings[0]
    monkeypatch.setattr(looking, "BUDGET", 10)
    part = told(traffic, NET)
    assert 0 < part.contacts < 80
    assert not part.complete
    monkeypatch.setattr(looking, "BUDGET", 48)
    assert told(traffic, NET).complete


def test_ipv6_and_the_number_of_addresses(traffic: Traffic) -> None:
    """A /64 is found, and holds what it holds."""
    traffic.log(traffic.seen("2001:db8:4f::9", Outcome.AUTH_FAILED))
    found = told(traffic, "2001:db8:4f::/64")
    assert (found.addresses, found.clients, found.rejected) == (2**64, 1, 1)
    assert found.groups == {Group.AUTH: 1}


def test_countries_are_those_of_the_registries(traffic: Traffic) -> None:
    """Documentation networks belong to nobody; these do."""
    traffic.log(traffic.seen("193.0.6.139", Outcome.REJECTED))
    assert told(traffic, "193.0.6.0/24").country == "NL"
    assert told(traffic, "193.0.6.139").countries == (("NL", 1),)
    assert told(traffic, NET).country is None


def test_a_wide_network_asks_for_few_sightings(traffic: Traffic) -> None:
    """Names and senders come from the clients that matter most."""
    traffic.log(*traffic.mail("198.51.100.201", 12, "out1.news.example"))
    assert impact.is_wide(parse_target("198.48.0.0/12"))  # type: ignore[arg-type]
    found = told(traffic, "198.48.0.0/12")
    assert found.senders == (("out1.news.example", 12),)
    assert found.hits[0].name == "out1.news.example"


@pytest.mark.parametrize("sample", [300, 8, 2])
def test_samples_are_the_latest_of_their_kind(
    traffic: Traffic, monkeypatch: pytest.MonkeyPatch, sample: int
) -> None:
    """Whether they are among the latest of all, of which there may be more, or lie before."""
    client = "198.51.100.201"
    traffic.log(*traffic.mail(client, 9, "old.example", ago=7200))
    traffic.log(*traffic.mail(client, 3, "new.example", ago=600))
    bad = {"sender": "a@bad.example", "rbl": "zen.example"}
    traffic.log(*(traffic.seen(client, Outcome.REJECTED, ago=ago, **bad) for ago in range(60, 66)))
    monkeypatch.setattr(impact, "_SAMPLE", sample)
    found = told(traffic, client)
    new = min(sample, 3)
    old = min(sample - new, 9)
    assert found.sampled == new + old
    wanted = (("new.example", new), ("old.example", old))
    assert dict(found.senders) == {domain: count for domain, count in wanted if count}
    assert found.refused_senders == (("bad.example", min(sample, 6)),)


def test_everybody_of_the_account_may_check(world: World) -> None:
    """A viewer as well as an owner."""
    for access in (world.viewer, world.admin, world.owner):
        assert check(access, parse_target(NET)).contacts == 0


def test_a_public_suffix(traffic: Traffic) -> None:
    """Whose names those below it are nobody sees; nor is one proposed instead of a wider name."""
    traffic.log(
        *(
            traffic.seen(f"203.0.113.{last}", Outcome.REJECTED, client_name=f"h{last}.a.co.uk")
            for last in range(20)
        ),
        *traffic.mail("203.0.113.200", 11, "mail.good.uk"),
    )
    found = told(traffic, ".co.uk")
    assert found.verdict is Word.DANGEROUS
    assert found.warnings[0].startswith(".co.uk is a public suffix")
    assert "narrower" not in ways(told(traffic, ".uk"))
