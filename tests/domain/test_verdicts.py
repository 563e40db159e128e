"""Verdicts: `decide` against a naive reading of the rules, and each rule on its own.

The naive reading knows no sort key.  It walks through targets from the most to the least specific
and asks, at each, in the order in which the rules say who decides.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailmum.domain.clients import AddressSubject, NameSubject, Subject, parse_subject
from mailmum.domain.listings import WHOLE_ACCOUNT, Action, Listing, Source
from mailmum.domain.targets import parse_target
from mailmum.domain.verdicts import NO_VERDICT, Verdict, Word, combine, decide, gather, paused
from tests.domain.worlds import SERVERS, lists_of_listings, subjects, times


def naive_in_force(listing: Listing, account: int, server: int, now: float) -> bool:
    """Whether a listing counts for a server at a moment."""
    if not listing.enabled:
        return False
    if listing.expires is not None and listing.expires <= now:
        return False
    if listing.account != account:
        return False
    return listing.scope in (0, server)


def naive_targets(subject: Subject) -> Iterator[str]:
    """The text of every target that covers a subject, most specific first."""
    if isinstance(subject, AddressSubject):
        bits = 32 if subject.version == 4 else 128
        for prefix in range(bits, -1, -1):
            first = subject.address & ~((1 << (bits - prefix)) - 1)
            text = AddressSubject(subject.version, first).text
            yield text if prefix == bits else f"{text}/{prefix}"
        return
    yield subject.name
    labels = subject.name.split(".")
    while labels:
        yield "." + ".".join(labels)
        labels.pop(0)


def naive_verdict(listings: list[Listing], subject: Subject, server: int) -> str:
    """The verdict, read step by step from the rules."""
    if subject.is_loopback:
        return "none"
    for text in naive_targets(subject):
        here = [entry for entry in listings if entry.target.text == text]
        people = [entry for entry in here if entry.source == "person"]
        for scope in (server, 0):
            actions = [entry.action for entry in people if entry.scope == scope]
            if "allow" in actions:
                return "allow"
            if "block" in actions:
                return "block"
    texts = list(naive_targets(subject))
    machines = [entry for entry in listings if entry.source in ("trigger", "feed")]
    covering = [entry.action for entry in machines if entry.target.text in texts]
    for action in ("allow", "block"):
        if action in covering:
            return action
    return "none"


@settings(max_examples=200)
@given(lists_of_listings(), subjects(), st.sampled_from(SERVERS), times())
def test_decide_is_the_naive_reading(
    listings: list[Listing], subject: Subject, where: tuple[int, int], now: float
) -> None:
    """On any listings, for any client, on any server, at any moment."""
    account, server = where
    covering = gather(listings, subject, account, server, now)
    counted = [entry for entry in listings if naive_in_force(entry, account, server, now)]
    texts = set(naive_targets(subject))
    expected = [entry for entry in counted if entry.target.text in texts]
    assert covering == ([] if subject.is_loopback else expected)
    verdict = decide(covering)
    assert verdict.word == naive_verdict(counted, subject, server)
    if verdict.because is not None:
        assert verdict.because.action.value == verdict.word.value
        assert sorted([verdict.because, *verdict.overruled], key=lambda one: one.id) == sorted(
            covering, key=lambda one: one.id
        )


@settings(max_examples=200)
@given(lists_of_listings(), subjects(), st.sampled_from(SERVERS), times())
def test_a_pause_lets_blocks_go_and_nothing_else(
    listings: list[Listing], subject: Subject, where: tuple[int, int], now: float
) -> None:
    """A block becomes none with its reason overruled; an allow and none stay as they are."""
    verdict = decide(gather(listings, subject, *where, now))
    while_paused = paused(verdict)
    if verdict.word is not Word.BLOCK:
        assert while_paused is verdict
        return
    assert (while_paused.word, while_paused.because) == (Word.NONE, None)
    assert while_paused.overruled == (verdict.because, *verdict.overruled)


@given(lists_of_listings(most=6), st.data())
def test_the_order_of_storage_does_not_matter(listings: list[Listing], data: st.DataObject) -> None:
    """The same listings in any order give the same verdict, explained in the same words."""
    assert decide(data.draw(st.permutations(listings))) == decide(listings)


def listing(
    text: str,
    action: str = "block",
    source: str = "person",
    scope: int = WHOLE_ACCOUNT,
    number: int = 1,
) -> Listing:
    """A listing of account 1."""
    return Listing(number, 1, scope, Action(action), parse_target(text), Source(source))


RULES = [
    ("a block", [listing("203.0.113.7")], "block"),
    ("an allow", [listing("203.0.113.7", "allow")], "allow"),
    ("nothing", [], "none"),
    (
        "an exception inside a network",
        [listing("203.0.113.0/24"), listing("203.0.113.7", "allow")],
        "allow",
    ),
    (
        "a block inside an allowed network",
        [listing("203.0.113.0/24", "allow"), listing("203.0.113.4/30")],
        "block",
    ),
    (
        "a server that differs from its account",
        [listing("203.0.113.0/24"), listing("203.0.113.0/24", "allow", scope=11)],
        "allow",
    ),
    (
        "the more specific of the account over the server's",
        [listing("203.0.113.0/24", "allow", scope=11), listing("203.0.113.7")],
        "block",
    ),
    (
        "allow at equal specificity and scope",
        [listing("203.0.113.7"), listing("203.0.113.7", "allow")],
        "allow",
    ),
    (
        "a person's wide block over a machine's narrow allow",
        [listing("203.0.0.0/16"), listing("203.0.113.7", "allow", "feed")],
        "block",
    ),
    (
        "a person's wide allow over a machine's narrow block",
        [listing("203.0.0.0/16", "allow"), listing("203.0.113.7", "block", "trigger", 11)],
        "allow",
    ),
    (
        "a machine's wide allow over a machine's narrow block",
        [listing("203.0.0.0/16", "allow", "feed"), listing("203.0.113.7", "block", "trigger", 11)],
        "allow",
    ),
    ("a trigger's block", [listing("203.0.113.7", "block", "trigger")], "block"),
    ("a feed's block", [listing("203.0.113.0/24", "block", "feed")], "block"),
    ("another version", [listing("::/0")], "none"),
    ("another account", [replace(listing("203.0.113.7"), account=2)], "none"),
    ("another server", [listing("203.0.113.7", scope=12)], "none"),
]


@pytest.mark.parametrize(
    ("listings", "word"), [rule[1:] for rule in RULES], ids=[rule[0] for rule in RULES]
)
def test_each_rule(listings: list[Listing], word: str) -> None:
    """In whatever order the listings come."""
    numbered = [replace(entry, id=number) for number, entry in enumerate(listings, start=1)]
    for ordered in permutations(numbered):
        covering = gather(ordered, parse_subject("203.0.113.7"), 1, 11, now=0)
        assert decide(covering).word == word


def test_names_by_labels_and_a_host_before_its_domain() -> None:
    """More labels decide first; a host outranks the domain of the same name."""
    listings = [
        listing(".example", "block", number=1),
        listing(".spam.example", "allow", number=2),
        listing("mail.spam.example", "block", number=3),
        listing(".mail.spam.example", "allow", number=4),
    ]
    expected = {
        "example": 1,
        "other.example": 1,
        "spam.example": 2,
        "a.spam.example": 2,
        "mail.spam.example": 3,
        "a.mail.spam.example": 4,
    }
    for name, number in expected.items():
        verdict = decide(gather(listings, NameSubject(name), 1, 11, now=0))
        assert verdict.because is not None
        assert verdict.because.id == number


@pytest.mark.parametrize("text", ["127.0.0.1", "127.0.0.2", "::1", "localhost", "a.localhost"])
def test_loopback_has_no_verdict(text: str) -> None:
    """Whatever covers it."""
    listings = [listing("0.0.0.0/0"), listing("::/0"), listing(".localhost")]
    assert decide(gather(listings, parse_subject(text), 1, 11, now=0)) == NO_VERDICT


def test_expiry_is_exact_and_disabled_listings_do_not_count() -> None:
    """In force until the second at which it expires, not a moment longer."""
    ends = replace(listing("203.0.113.7"), expires=100)
    off = replace(listing("203.0.113.7"), enabled=False)
    subject = parse_subject("203.0.113.7")
    assert gather([ends], subject, 1, 11, now=99.999) == [ends]
    assert gather([ends], subject, 1, 11, now=100) == []
    assert gather([off], subject, 1, 11, now=0) == []


def test_the_narrowest_machine_is_named_and_then_the_lowest_number() -> None:
    """So that an explanation never depends on the order of storage."""
    wide = listing("203.0.0.0/16", "block", "feed", number=1)
    narrow = listing("203.0.113.7", "block", "feed", number=3)
    again = listing("203.0.113.7", "block", "trigger", number=2)
    verdict = decide([wide, narrow, again])
    assert (verdict.because, verdict.overruled) == (again, (narrow, wide))


class TestCombine:
    """One verdict from an address and its names."""

    blocked = decide([listing("203.0.113.7", number=1)])
    allowed = decide([listing("mail.spam.example", "allow", number=2)])

    def test_allow_beats_block(self) -> None:
        """Whichever comes first; the other is overruled."""
        for pair in permutations([self.blocked, self.allowed]):
            verdict = combine(pair)
            assert (verdict.word, verdict.because) == (Word.ALLOW, self.allowed.because)
            assert verdict.overruled == (self.blocked.because,)

    def test_none_gives_way(self) -> None:
        """To whatever there is."""
        assert combine([NO_VERDICT, self.blocked]) == self.blocked
        assert combine([NO_VERDICT, NO_VERDICT]) == NO_VERDICT
        assert combine([]) == NO_VERDICT

    @given(st.lists(lists_of_listings(most=4), max_size=4))
    def test_nothing_is_lost(self, parts: list[list[Listing]]) -> None:
        """Every listing is either the reason or overruled, and an allow among firsts wins."""
        verdicts: list[Verdict] = [decide(part) for part in parts]
        combined = combine(verdicts)
        words = {verdict.word for verdict in verdicts}
        order = (Word.ALLOW, Word.BLOCK, Word.NONE)
        assert combined.word == next(word for word in order if word in {*words, Word.NONE})
        told = [*combined.overruled, *([combined.because] if combined.because else [])]
        given = [one for part in parts for one in part]
        assert sorted(map(repr, told)) == sorted(map(repr, given))
