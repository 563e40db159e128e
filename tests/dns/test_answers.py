"""What the zones answer: the standards' fixed points, and everything against the naive reading."""

from dataclasses import replace

import dns.message
import dns.rcode
import dns.rdatatype
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailmum.domain.listings import Action, Source
from tests.dns import strategies
from tests.dns.world import (
    BASE,
    CONFIG,
    ENDING_KEY,
    KEY,
    KEYS,
    MAIN,
    NOW,
    OLD_KEY,
    OTHER_KEY,
    PAUSED_KEY,
    QUIET_KEY,
    World,
    a_record,
    ask,
    expect,
    make_engine,
    reverse,
    shape,
    zone_of,
)

MAPPED_TEST = "2.0.0.0.0.0.f.7.f.f.f.f" + ".0" * 20
MAPPED_NEVER = "1.0.0.0.0.0.f.7.f.f.f.f" + ".0" * 20


@settings(max_examples=200)
@given(
    strategies.worlds(),
    st.lists(
        st.tuples(
            st.sampled_from(list(KEYS)),
            st.sampled_from(["bl", "wl"]),
            strategies.spellings(),
        ),
        max_size=8,
    ),
    strategies.times,
)
def test_addresses_against_the_naive_reading(
    world: World, questions: list[tuple[str, str, list[str]]], now: float
) -> None:
    """Whatever is listed and asked, return code and address are those of the naive reading."""
    engine = make_engine(world)
    for key, kind, labels in questions:
        response = ask(engine, ".".join([*labels, zone_of(kind, key)]), now=now)
        expected = expect(world, KEYS[key], kind, labels, now)
        assert dns.rcode.to_text(response.rcode()) == expected.rcode, (labels, kind)
        assert a_record(response) == expected.address, (labels, kind)


@settings(max_examples=200)
@given(
    strategies.worlds(),
    st.lists(
        st.tuples(st.sampled_from(list(KEYS)), st.sampled_from(["dbl", "dwl"]), strategies.names),
        max_size=8,
    ),
    strategies.times,
)
def test_names_against_the_naive_reading(
    world: World, questions: list[tuple[str, str, str]], now: float
) -> None:
    """The same for host names."""
    engine = make_engine(world)
    for key, kind, name in questions:
        response = ask(engine, f"{name}.{zone_of(kind, key)}", now=now)
        expected = expect(world, KEYS[key], kind, name.split("."), now)
        assert dns.rcode.to_text(response.rcode()) == expected.rcode, (name, kind)
        assert a_record(response) == expected.address, (name, kind)


@settings(max_examples=150)
@given(
    strategies.worlds(),
    st.sampled_from(["bl", "wl", "dbl", "dwl"]),
    strategies.spellings(),
    strategies.names,
    st.sampled_from(["A", "TXT", "AAAA"]),
    st.sampled_from([KEY, QUIET_KEY]),
)
def test_nothing_is_listed_below_a_name_that_does_not_exist(
    world: World, kind: str, spelt: list[str], name: str, type_: str, key: str
) -> None:
    """RFC 8020: where NXDOMAIN is answered for a name, no name below it has a record."""
    engine = make_engine(world)
    labels = spelt if kind in ("bl", "wl") else name.split(".")
    if ask(engine, ".".join([*labels, zone_of(kind, key)]), type_).answer:
        for cut in range(1, len(labels)):
            above = ask(engine, ".".join([*labels[cut:], zone_of(kind, key)]), type_)
            assert above.rcode() == dns.rcode.NOERROR


@pytest.mark.parametrize("kind", ["bl", "wl"])
@pytest.mark.parametrize("entry", ["2.0.0.127", MAPPED_TEST])
@pytest.mark.parametrize("key", [KEY, PAUSED_KEY, QUIET_KEY])
def test_addresses_that_are_always_listed(key: str, entry: str, kind: str) -> None:
    """RFC 5782 section 5, for a server that is paused or of a suspended account too."""
    engine = make_engine(World())
    name = f"{entry}.{zone_of(kind, key)}"
    assert a_record(ask(engine, name)) == "127.0.0.2"
    assert "test entry" in shape(ask(engine, name, "TXT"))[1][0]


@pytest.mark.parametrize("kind", ["bl", "wl"])
@pytest.mark.parametrize("entry", ["1.0.0.127", MAPPED_NEVER, "1." + ".".join("0" * 31)])
def test_addresses_that_are_never_listed(entry: str, kind: str) -> None:
    """RFC 5782 section 5 and RFC 6471 section 3.5, whatever is listed around them."""
    world = World()
    world.add("0.0.0.0/0", Action.BLOCK if kind == "bl" else Action.ALLOW)
    world.add("::/0", Action.BLOCK if kind == "bl" else Action.ALLOW)
    response = ask(make_engine(world), f"{entry}.{zone_of(kind)}")
    assert response.rcode() == dns.rcode.NXDOMAIN


@pytest.mark.parametrize("kind", ["dbl", "dwl"])
def test_names_that_are_always_and_never_listed(kind: str) -> None:
    """RFC 5782 section 5: TEST is, INVALID is not, even where that whole domain is listed."""
    world = World()
    engine = make_engine(world)
    assert a_record(ask(engine, f"TEST.{zone_of(kind)}")) == "127.0.0.2"
    assert ask(engine, f"INVALID.{zone_of(kind)}").rcode() == dns.rcode.NXDOMAIN
    world.add(".invalid", Action.BLOCK if kind == "dbl" else Action.ALLOW)
    engine = make_engine(world)
    assert shape(ask(engine, f"INVALID.{zone_of(kind)}"))[:2] == ("NOERROR", [])
    assert a_record(ask(engine, f"mail.INVALID.{zone_of(kind)}")) == "127.0.1.3"


def test_return_codes() -> None:
    """Each sort of listing has its code; a listing's own comes before the account's."""
    world = World()
    world.add("192.0.2.1")
    world.add("198.51.100.0/24")
    world.add("192.0.2.2", source=Source.TRIGGER)
    world.add("192.0.2.3", source=Source.FEED)
    world.add("mail.spam.example")
    world.add(".bulk.example")
    world.add("one.trigger.example", source=Source.TRIGGER)
    world.add(".feed.example", source=Source.FEED)
    world.add("192.0.2.4", code=0x7F000063)
    engine = make_engine(world)
    codes = {
        "1.2.0.192": "127.0.0.2",
        "7.100.51.198": "127.0.0.3",
        "2.2.0.192": "127.0.0.4",
        "3.2.0.192": "127.0.0.5",
        "4.2.0.192": "127.0.0.99",
    }
    for labels, code in codes.items():
        assert a_record(ask(engine, f"{labels}.{zone_of('bl')}")) == code
        own = code if code == "127.0.0.99" else "127.0.0.9"
        assert a_record(ask(engine, f"{labels}.{zone_of('bl', OTHER_KEY)}")) == own
    names = {
        "mail.spam.example": "127.0.1.2",
        "x.bulk.example": "127.0.1.3",
        "one.trigger.example": "127.0.1.4",
        "feed.example": "127.0.1.5",
    }
    for name, code in names.items():
        assert a_record(ask(engine, f"{name}.{zone_of('dbl')}")) == code


def test_txt_tells_reason_and_link_in_utf8() -> None:
    """The reason, then the page that explains it, with the server's public reference."""
    world = World()
    world.add("203.0.113.7", reason="Überfüllt mit Spam")
    world.add("2001:db8::/32")
    world.add(".spam.example", Action.ALLOW)
    engine = make_engine(world)

    def text(name: str) -> str:
        (rrset,) = ask(engine, name, "TXT").answer
        (item,) = rrset
        return b"".join(item.strings).decode()

    assert text(f"7.113.0.203.{zone_of('bl')}") == (
        "Überfüllt mit Spam. See https://mx.example.net/why/ref1ref1/203.0.113.7"
    )
    assert text(f"{reverse('2001:db8::1')}.{zone_of('bl')}") == (
        "Blocked by the mail server's own policy. "
        "See https://mx.example.net/why/ref1ref1/2001:db8::1"
    )
    assert text(f"Mail.Spam.Example.{zone_of('dwl')}") == (
        "Allowed by the mail server's own policy. "
        "See https://mx.example.net/why/ref1ref1/mail.spam.example"
    )


@given(st.text(min_size=1, max_size=300), st.sampled_from(["bl", "dbl"]))
def test_txt_never_holds_the_key(reason: str, kind: str) -> None:
    """Neither from the reason nor from the client's name."""
    world = World()
    for target in ("203.0.113.7", f".{KEY}"):
        world.add(target, reason=f"{reason} {KEY.upper()} {OLD_KEY}")
    labels = "7.113.0.203" if kind == "bl" else f"x.{KEY}"
    response = ask(make_engine(world), f"{labels}.{zone_of(kind)}", "TXT", tcp=True)
    (rrset,) = response.answer
    text = b"".join(next(iter(rrset)).strings).decode().lower()
    assert KEY not in text
    assert OLD_KEY not in text


def test_ttl_is_the_accounts_or_what_is_left() -> None:
    """At most the server's TTL, at most what the listing has left, at least a second."""
    world = World()
    world.add("203.0.113.7", expires=int(NOW) + 90)
    engine = make_engine(world)
    name = f"7.113.0.203.{zone_of('bl')}"
    for passed, ttl in ((0, 60), (30, 60), (31, 59), (45.5, 44), (89.9, 1)):
        for type_ in ("A", "TXT"):
            (rrset,) = ask(engine, name, type_, now=NOW + passed).answer
            assert rrset.ttl == ttl, passed
    assert not ask(engine, name, now=NOW + 90).answer


def test_a_negative_answer_ends_with_the_exception_that_caused_it() -> None:
    """An allowed address in a blocked network: not listed for as long as the exception holds."""
    world = World()
    world.add("203.0.113.0/24")
    world.add("203.0.113.7", Action.ALLOW, expires=int(NOW) + 10)
    engine = make_engine(world)
    name = f"7.113.0.203.{zone_of('bl')}"
    (rrset,) = ask(engine, name).authority
    assert rrset.ttl == 10
    assert a_record(ask(engine, name, now=NOW + 10)) == "127.0.0.3"


def test_listed_names_have_other_types_empty() -> None:
    """AAAA and all the rest: NOERROR without an answer; ANY: the A record alone."""
    world = World()
    world.add("203.0.113.7")
    engine = make_engine(world)
    name = f"7.113.0.203.{zone_of('bl')}"
    for type_ in ("AAAA", "MX", "NS", "SOA", "CNAME", "TYPE65280", "DS"):
        assert shape(ask(engine, name, type_)) == ("NOERROR", [], [f"{zone_of('bl')}."])
    assert shape(ask(engine, name, "ANY"))[1] == ["127.0.0.2"]


@pytest.mark.parametrize(
    ("labels", "rcode"),
    [
        ("203", "NOERROR"),
        ("0.203", "NOERROR"),
        ("113.0.203", "NOERROR"),
        ("f", "NOERROR"),
        ("a.b.c", "NOERROR"),
        ("8.b.d.0.1.0.0.2", "NOERROR"),
        (".".join("0" * 31), "NOERROR"),
        (".".join("1" * 33), "NXDOMAIN"),
        ("256", "NXDOMAIN"),
        ("00", "NXDOMAIN"),
        ("12.f", "NXDOMAIN"),
        ("x", "NXDOMAIN"),
        ("8.113.0.203", "NXDOMAIN"),
        ("1.7.113.0.203", "NXDOMAIN"),
        ("07.113.0.203", "NXDOMAIN"),
        ("8.b.d.0.1.0.0.x", "NXDOMAIN"),
        ("1.0.0.2", "NOERROR"),
        ("2.0.0.2", "NXDOMAIN"),
    ],
)
def test_names_above_entries_exist(labels: str, rcode: str) -> None:
    """RFC 4592 section 2.2.2: a name that an entry may lie below is not denied."""
    world = World()
    world.add("203.0.113.7")
    world.add("2001:db8::/32")
    response = ask(make_engine(world), f"{labels}.{zone_of('bl')}")
    assert shape(response) == (rcode, [], [f"{zone_of('bl')}."])


def test_a_host_excepted_from_a_domain_does_not_hide_what_is_below() -> None:
    """mail.spam.example is allowed, so it is no entry, but x.mail.spam.example still is."""
    world = World()
    world.add(".spam.example")
    world.add("mail.spam.example", Action.ALLOW)
    engine = make_engine(world)
    zone = zone_of("dbl")
    assert shape(ask(engine, f"mail.spam.example.{zone}"))[:2] == ("NOERROR", [])
    assert a_record(ask(engine, f"x.mail.spam.example.{zone}")) == "127.0.1.3"
    world.add(".mail.spam.example", Action.ALLOW)
    engine = make_engine(world)
    assert ask(engine, f"mail.spam.example.{zone}").rcode() == dns.rcode.NXDOMAIN


def test_odd_labels_are_covered_by_domains_only() -> None:
    """A dot inside a label is not two labels; any bytes below a listed domain are covered."""
    world = World()
    world.add("mail.spam.example")
    world.add(".bulk.example")
    engine = make_engine(world)
    zone = zone_of("dbl")
    assert ask(engine, f"mail\\.spam.example.{zone}").rcode() == dns.rcode.NXDOMAIN
    assert a_record(ask(engine, f"\\255\\000\\(.bulk.example.{zone}")) == "127.0.1.3"
    (rrset,) = ask(engine, f"a\\032b\\.c.bulk.example.{zone}", "TXT").answer
    assert "/why/ref1ref1/a%20b.c.bulk.example" in str(rrset[0])


def test_without_a_public_url_there_is_no_link() -> None:
    """The TXT is the reason alone."""
    world = World()
    world.add("203.0.113.7", reason="Sent spam")
    config = type(CONFIG)(BASE)
    (rrset,) = ask(make_engine(world, config), f"7.113.0.203.{zone_of('bl')}", "TXT").answer
    assert str(rrset[0]) == '"Sent spam"'


def test_an_account_ends_to_the_second() -> None:
    """TTLs run down to its end; from then on nothing is listed but the test entry."""
    world = World()
    world.add("203.0.113.7")
    engine = make_engine(world)
    name = f"7.113.0.203.{zone_of('bl', ENDING_KEY)}"
    for passed, ttl in ((0, 60), (19, 60), (20.5, 59), (50, 30), (79.5, 1)):
        (rrset,) = ask(engine, name, now=NOW + passed).answer
        assert rrset.ttl == ttl
    assert ask(engine, name, now=NOW + 80).rcode() == dns.rcode.NXDOMAIN
    assert a_record(ask(engine, f"2.0.0.127.{zone_of('bl', ENDING_KEY)}", now=NOW + 80))


def test_a_block_without_a_reason_says_the_text_of_the_server() -> None:
    """What is allowed is not told it."""
    world = World()
    world.servers = (replace(MAIN, text="Not from there"), *world.servers[1:])
    world.add("203.0.113.7")
    world.add("203.0.113.8", Action.ALLOW)
    engine = make_engine(world)
    said = [
        str(ask(engine, f"{last}.113.0.203.{zone_of(kind)}", "TXT").answer[0][0])
        for last, kind in ((7, "bl"), (8, "wl"))
    ]
    assert said[0].startswith('"Not from there. See ')
    assert said[1].startswith('"Allowed by the mail server')
