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
    assert len(found.missing) == 3


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


PREFIXES = st.sampled_from([28, 29, 30, 31, 32])
NETS = st.builds(
    lambda low, prefix: str(ipaddress.ip_network((f"192.0.2.{low}", prefix), strict=False)),
    st.integers(0, 15),
    PREFIXES,
)
SIGNS = st.sampled_from(["", "+", "-", "~", "?"])
ENDS = st.sampled_from(["", " -all", " ~all", " redirect=last.example"])


@st.composite
def zones(draw: st.DrawFn) -> dict[tuple[str, str], tuple[str, ...]]:
    """Records that include each other in one direction."""
    names = ["one", "two", "last"]
    zone: dict[tuple[str, str], tuple[str, ...]] = {}
    for at, name in enumerate(names):
        others = [f"include:{other}.example" for other in names[at + 1 :]]
        term = NETS.map(lambda net: f"ip4:{net}")
        mechanisms = st.one_of(term, term, st.sampled_from(others)) if others else term
        words = draw(st.lists(st.builds(str.__add__, SIGNS, mechanisms), max_size=4))
        end = draw(ENDS if others else st.just(" -all"))
        zone[f"{name}.example", "TXT"] = (f"v=spf1 {' '.join(words)}{end}",)
    return zone


def naive(zone: Zone, domain: str, address: ipaddress.IPv4Address) -> bool:
    """Section 4.6.2 as it stands: one address, term by term; whether the result is pass."""
    (record,) = zone[domain, "TXT"]
    words = record.split()[1:]
    for word in words:
        sign, term = (word[0], word[1:]) if word[0] in "+-~?" else ("+", word)
        if term == "all":
            return sign == "+"
        if term.startswith("ip4:"):
            matches = address in ipaddress.ip_network(term[4:])
        elif term.startswith("include:"):
            matches = naive(zone, term[8:], address)
        else:
            continue
        if matches:
            return sign == "+"
    for word in words:
        if word.startswith("redirect="):
            return naive(zone, word[9:], address)
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
    return sum(1 + needed(zone, other) for other in others)


@given(zones())
def test_the_set_is_that_of_the_addresses_that_pass(zone: Zone) -> None:
    """Every address of the small world, asked one by one."""
    if needed(zone, "one.example") > LOOKUPS:
        with pytest.raises(BadInput, match="more than 10 look-ups"):
            resolved("one.example", zone)
        return
    found = resolved("one.example", zone).networks
    for address in ipaddress.ip_network("192.0.2.0/28"):
        inside = any(network.covers(4, int(address)) for network in found)
        assert inside == naive(zone, "one.example", ipaddress.IPv4Address(address))
