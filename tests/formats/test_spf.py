"""SPF records and the networks they stand for, held against evaluating them for every address."""

import ipaddress
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmum.domain.errors import BadInput
from mailmum.formats.spf import expand, is_spf, read_record
from mailmum.formats.spf_sets import LOOKUPS, Answer, SpfSet, networks_of

Zone = Mapping[tuple[str, str], tuple[str, ...]]


def resolved(domain: str, zone: Zone) -> SpfSet:
    """The set of a domain in a zone."""
    walk = networks_of(domain)
    question = next(walk)
    while True:
        try:
            question = walk.send(Answer(zone.get((question.name, question.type), ())))
        except StopIteration as end:
            found: SpfSet = end.value
            return found


def texts(domain: str, zone: Zone) -> list[str]:
    """Its networks."""
    return [network.text for network in resolved(domain, zone).networks]


def spf(**records: str) -> dict[tuple[str, str], tuple[str, ...]]:
    """A zone of TXT records; a name is given without .example."""
    return {(f"{name}.example", "TXT"): (text,) for name, text in records.items()}


def test_networks_includes_and_redirects() -> None:
    """Of all records, in their order."""
    zone = spf(
        a="v=spf1 ip4:192.0.2.0/25 include:b.example redirect=c.example",
        b="v=spf1 ip6:2001:db8::/32 ?ip4:198.51.100.0/24 -all",
        c="V=SPF1 ip4:203.0.113.7 ~all",
    )
    assert texts("a.example", zone) == ["192.0.2.0/25", "2001:db8::/32", "203.0.113.7"]
    assert resolved("a.example", zone).lookups == 2


def test_hosts_and_mail_exchangers() -> None:
    """With the lengths that the record gives, and the current domain where it names none."""
    zone = spf(a="v=spf1 a mx/24//64 a:%{d}/31 -all") | {
        ("a.example", "A"): ("192.0.2.9",),
        ("a.example", "MX"): ("mx1.example", "mx2.example"),
        ("mx1.example", "A"): ("198.51.100.7",),
        ("mx2.example", "AAAA"): ("2001:db8::1",),
    }
    assert texts("a.example", zone) == [
        "192.0.2.9",
        "198.51.100.0/24",
        "2001:db8::/64",
        "192.0.2.8/31",
    ]


def test_what_is_denied_first_is_no_part() -> None:
    """The first match counts."""
    zone = spf(a="v=spf1 -ip4:192.0.2.0/31 ip4:192.0.2.0/30 ~ip4:192.0.2.2 -all")
    assert texts("a.example", zone) == ["192.0.2.2/31"]


def test_all_ends_a_record_and_its_redirect() -> None:
    """Section 6.1: a redirect beside `all` is ignored."""
    zone = spf(a="v=spf1 -all ip4:192.0.2.1 redirect=b.example", b="v=spf1 ip4:192.0.2.2")
    assert texts("a.example", zone) == []


def test_what_depends_on_the_sender_is_noted() -> None:
    """The rest of the record still counts."""
    zone = spf(a="v=spf1 exists:%{i}.b.example include:%{ir}.c.example ptr ip4:192.0.2.1 ?all")
    found = resolved("a.example", zone)
    assert [one.text for one in found.networks] == ["192.0.2.1"]
    assert found.missing == ["exists:%{i}.b.example", "include:%{ir}.c.example", "ptr:a.example"]
    assert found.undenied == []


@pytest.mark.parametrize(
    ("record", "undenied", "missing"),
    [
        ("-exists:%{i}.x.example ip4:192.0.2.1 -all", ["exists:%{i}.x.example"], []),
        ("~a:%{i}.x.example ip4:192.0.2.1 -all", ["a:%{i}.x.example"], []),
        ("ip4:192.0.2.1 -exists:%{i}.x.example -all", [], []),
        ("?ptr exists:%{i}.x.example -all", [], ["exists:%{i}.x.example"]),
        ("-include:b.example ip4:192.0.2.1", ["ptr:b.example"], ["exists:%{s}.b.example"]),
    ],
)
def test_what_is_denied_to_some_senders_is_told(
    record: str, undenied: list[str], missing: list[str]
) -> None:
    """Where something is allowed after it; and of who denies a denial what that allows."""
    zone = spf(a=f"v=spf1 {record}", b="v=spf1 ptr -exists:%{s}.b.example ip4:192.0.2.9 -all")
    found = resolved("a.example", zone)
    assert (found.undenied, found.missing) == (undenied, missing)


def test_a_name_that_exists_for_everybody_matches_everybody() -> None:
    """Section 5.7: then it is like `all`; one that does not exist matches nobody."""
    zone = spf(a="v=spf1 -exists:%{d} ip4:192.0.2.1", b="v=spf1 exists:a.example")
    zone |= {("a.example", "A"): ("127.0.0.2",)}
    assert texts("a.example", zone) == []
    with pytest.raises(BadInput, match="all the world may send"):
        resolved("b.example", zone)
    zone |= spf(c="v=spf1 -exists:gone.example ip4:192.0.2.1")
    assert texts("c.example", zone) == ["192.0.2.1"]
    assert not resolved("c.example", zone).undenied


@pytest.mark.parametrize(
    ("zone", "told"),
    [
        (spf(), "no SPF record"),
        (spf(a="v=spf10 +all"), "no SPF record"),
        ({("a.example", "TXT"): ("v=spf1 -all", "v=spf1 ~all")}, "more than one"),
        (spf(a="v=spf1 +all"), "all the world may send"),
        (spf(a="v=spf1 include:a.example"), "includes itself"),
        (spf(a="v=spf1 redirect=b.example", b="v=spf1 include:a.example"), "includes itself"),
        (spf(a="v=spf1 include:b.example -all"), "no SPF record"),
        (spf(a="v=spf1 a:x.example a:y.example a:z.example -all"), "more than 2 names"),
        (
            spf(a="v=spf1 " + "include:b.example " * 11, b="v=spf1 ip4:192.0.2.1"),
            "more than 10 look-ups",
        ),
        (
            spf(a="v=spf1 mx") | {("a.example", "MX"): tuple(f"m{n}.example" for n in range(11))},
            "more than 10 MX hosts",
        ),
        (spf(a="v=spf1 ip4:192.0.2.1 foo:bar"), "nothing that an SPF record may have"),
    ],
)
def test_records_that_receivers_give_up_on(zone: Zone, told: str) -> None:
    """They give no set, so the last good one stays."""
    with pytest.raises(BadInput, match=told):
        resolved("a.example", zone)


def test_ten_look_ups_and_two_void_ones_are_allowed() -> None:
    """The limits themselves pass."""
    zone = spf(a="v=spf1 " + "include:b.example " * 10, b="v=spf1 ip4:192.0.2.1")
    assert len(texts("a.example", zone)) == 10
    assert texts("a.example", spf(a="v=spf1 a:x.example mx:y.example -all")) == []


@pytest.mark.parametrize(
    "word",
    [
        "ip4", "ip4:", "ip4:300.1.1.1", "ip4:192.0.2.1/33", "ip6:192.0.2.1", "ip4:2001:db8::1",
        "include", "include:", "include:a.example/24", "all:a.example", "all/8", "a/33", "a//129",
        "mx:", "exists", "+redirect=a.example", "x:y", "a:b/", "-", "redirect=a redirect=b",
    ],
)  # fmt: skip
def test_terms_that_no_record_may_have(word: str) -> None:
    """Section 4.6: a syntax error anywhere spoils the record."""
    with pytest.raises(BadInput, match="nothing that an SPF record may have"):
        read_record(f"v=spf1 {word}")


def test_unknown_modifiers_are_ignored() -> None:
    """Section 6: they may come to mean something."""
    assert [one.name for one in read_record("v=spf1 x-new=1 exp=why.example a")] == ["a"]


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Never another error."""
    for record in (text, f"v=spf1 {text}"):
        try:
            read_record(record)
            expand(text, "a.example")
        except BadInput:
            continue
        assert is_spf(record) or record == text


FREE = st.integers(0, 4)
NETS = st.one_of(
    st.builds(lambda low, free: f"ip4:192.0.2.{low}/{32 - free}", st.integers(0, 15), FREE),
    st.builds(lambda low, free: f"ip6:2001:db8::{low:x}/{128 - free}", st.integers(0, 15), FREE),
)
WORLD = [*ipaddress.ip_network("192.0.2.0/28"), *ipaddress.ip_network("2001:db8::/124")]
UNKNOWN = ["ptr", "exists:%{i}.x.example", "a:%{l}.x.example"]
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Matches = set[tuple[str, Address]]
SIGNS = st.sampled_from(["", "+", "-", "~", "?"])
ENDS = st.sampled_from(["", " -all", " ~all", " redirect=last.example"])


@st.composite
def zones(draw: st.DrawFn) -> dict[tuple[str, str], tuple[str, ...]]:
    """Records that include each other in one direction."""
    names = ["one", "two", "last"]
    zone: dict[tuple[str, str], tuple[str, ...]] = {}
    for at, name in enumerate(names):
        others = [f"include:{other}.example" for other in names[at + 1 :]]
        term = st.one_of(NETS, NETS, NETS, st.sampled_from(UNKNOWN))
        mechanisms = st.one_of(term, term, st.sampled_from(others)) if others else term
        words = draw(st.lists(st.builds(str.__add__, SIGNS, mechanisms), max_size=4))
        end = draw(ENDS if others else st.just(" -all"))
        zone[f"{name}.example", "TXT"] = (f"v=spf1 {' '.join(words)}{end}",)
    return zone


def naive(zone: Zone, domain: str, address: Address, unknown: Matches) -> bool:
    """Section 4.6.2 as it stands: one address, term by term; whether the result is pass.

    What depends on the sender matches those that it is said to match.
    """
    (record,) = zone[domain, "TXT"]
    words = record.split()[1:]
    for word in words:
        sign, term = (word[0], word[1:]) if word[0] in "+-~?" else ("+", word)
        if term == "all":
            return sign == "+"
        if term.startswith("ip"):
            matches = address in ipaddress.ip_network(term[4:], strict=False)
        elif term.startswith("include:"):
            matches = naive(zone, term[8:], address, unknown)
        elif term in UNKNOWN:
            matches = (term, address) in unknown
        else:
            continue
        if matches:
            return sign == "+"
    for word in words:
        if word.startswith("redirect="):
            return naive(zone, word[9:], address, unknown)
    return False


def needed(zone: Zone, domain: str) -> int:
    """How many terms of a record, and of those it names, need the DNS."""
    (record,) = zone[domain, "TXT"]
    words = record.split()[1:]
    ends = [at for at, word in enumerate(words) if word.endswith("all")]
    others = [
        word.split("include:")[1]
        for word in words[: ends[0] if ends else None]
        if "include" in word
    ]
    others += [word[9:] for word in words if word.startswith("redirect=") and not ends]
    unknown = [
        word for word in words[: ends[0] if ends else None] if word.lstrip("+-~?") in UNKNOWN
    ]
    return len(unknown) + sum(1 + needed(zone, other) for other in others)


@given(zones(), st.sets(st.tuples(st.sampled_from(UNKNOWN), st.sampled_from(WORLD)), max_size=40))
def test_the_set_is_that_of_the_addresses_that_pass(zone: Zone, unknown: Matches) -> None:
    """Every address of a small world, asked one by one; too many or too few only if it is told."""
    if needed(zone, "one.example") > LOOKUPS:
        with pytest.raises(BadInput, match="more than 10 look-ups"):
            resolved("one.example", zone)
        return
    found = resolved("one.example", zone)
    for address in WORLD:
        inside = any(one.covers(address.version, int(address)) for one in found.networks)
        passes = naive(zone, "one.example", address, unknown)
        assert passes or not inside or found.undenied
        assert inside or not passes or found.missing
