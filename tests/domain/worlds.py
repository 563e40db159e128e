"""Small worlds of listings in which everything collides: few targets, deeply nested."""

from dataclasses import replace

from hypothesis import strategies as st

from mailmum.domain.clients import AddressSubject, NameSubject, Subject
from mailmum.domain.listings import Action, Listing, Source
from mailmum.domain.targets import NameTarget, NetworkTarget, Target

ACCOUNTS = {1: (11, 12), 2: (21,)}
SERVERS = [(account, server) for account, servers in ACCOUNTS.items() for server in servers]
HORIZON = 8

_FIRST4 = 0xCB007100
_FIRST6 = 0x20010DB8 << 96
_LABELS = ["a", "mail", "spam"]


def addresses4() -> st.SearchStrategy[int]:
    """A few neighbours in 203.0.113.0/24, seldom another address, seldom loopback."""
    near = st.integers(0, 7).map(lambda low: _FIRST4 | low)
    return st.one_of(near, near, st.sampled_from([0, 0x7F000002, 0xFFFFFFFF, _FIRST4 - 1]))


def addresses6() -> st.SearchStrategy[int]:
    """Neighbours in the lowest and in the middle bits of 2001:db8::/32."""
    low, middle = st.integers(0, 3), st.integers(0, 3)
    near = st.builds(lambda one, other: _FIRST6 | other << 64 | one, low, middle)
    return st.one_of(near, near, st.sampled_from([0, 1, (1 << 128) - 1]))


def names() -> st.SearchStrategy[str]:
    """One to four labels, seldom below localhost."""
    below = st.lists(st.sampled_from(_LABELS), max_size=3)
    top = st.sampled_from(["example", "example", "example", "top", "localhost"])
    return st.builds(lambda labels, last: ".".join([*labels, last]), below, top)


def subjects() -> st.SearchStrategy[Subject]:
    """Addresses and names."""
    return st.one_of(
        addresses4().map(lambda address: AddressSubject(4, address)),
        addresses6().map(lambda address: AddressSubject(6, address)),
        names().map(NameSubject),
    )


def subject_in(target: Target, *, last: bool) -> Subject:
    """A subject that a target covers: at its beginning or at its end."""
    if isinstance(target, NetworkTarget):
        return AddressSubject(target.version, target.last if last else target.first)
    return NameSubject(f"a.{target.name}" if last and target.whole else target.name)


def _network(version: int, address: int, prefix: int) -> NetworkTarget:
    open_bits = (32 if version == 4 else 128) - prefix
    return NetworkTarget(version, address >> open_bits << open_bits, prefix)


def targets() -> st.SearchStrategy[Target]:
    """Networks around the addresses, and the names with the domains."""
    prefixes4 = st.sampled_from([32, 32, 31, 30, 29, 24, 8, 0])
    prefixes6 = st.sampled_from([128, 128, 127, 126, 64, 63, 48, 32, 1, 0])
    return st.one_of(
        st.builds(_network, st.just(4), addresses4(), prefixes4),
        st.builds(_network, st.just(6), addresses6(), prefixes6),
        st.builds(NameTarget, names(), st.booleans()),
    )


def times() -> st.SearchStrategy[float]:
    """Moments at, just before and after those at which listings expire."""
    return st.one_of(st.integers(0, HORIZON), st.floats(0, HORIZON))


@st.composite
def listings(draw: st.DrawFn, number: int = 0, target: Target | None = None) -> Listing:
    """A listing of any kind, in any account and scope."""
    account = draw(st.sampled_from(sorted(ACCOUNTS)))
    source = draw(st.sampled_from([Source.PERSON, Source.PERSON, Source.TRIGGER, Source.FEED]))
    return Listing(
        id=number or draw(st.integers(1, 1 << 40)),
        account=account,
        scope=draw(st.sampled_from([0, 0, *ACCOUNTS[account]])),
        action=draw(st.sampled_from(Action)),
        target=draw(targets()) if target is None else target,
        source=source,
        origin="" if source is Source.PERSON else draw(st.sampled_from(["one", "other"])),
        reason=draw(st.sampled_from(["", "spam", "Bücher"])),
        code=draw(st.sampled_from([None, None, 0x7F000009])),
        expires=draw(st.one_of(st.none(), st.none(), st.integers(1, HORIZON))),
        enabled=draw(st.sampled_from([True, True, True, False])),
    )


@st.composite
def feeds(draw: st.DrawFn) -> tuple[Listing, list[Target]]:
    """A subscription, as a listing without a target of its own, and the entries of its feed."""
    entries = draw(st.lists(targets(), min_size=1, max_size=8))
    said = draw(listings(draw(st.integers(1, 9))))
    name = draw(st.sampled_from(["drop", "own"]))
    return replace(said, source=Source.FEED, origin=name, expires=None, enabled=True), entries


@st.composite
def lists_of_listings(draw: st.DrawFn, most: int = 25) -> list[Listing]:
    """Many listings, each with a number of its own, in any order of numbers."""
    numbers = draw(st.lists(st.integers(1, 300), unique=True, max_size=most))
    return [draw(listings(number)) for number in numbers]
