"""Random listings for the tests of formats: few targets, so that they nest and collide."""

import random
from collections.abc import Iterable, Sequence

from hypothesis import strategies as st

from mailmum.domain.clients import AddressSubject, NameSubject, Subject
from mailmum.domain.listings import WHOLE_ACCOUNT, Action, Listing, Source
from mailmum.domain.targets import NameTarget, NetworkTarget, Target
from mailmum.domain.verdicts import Word, decide, gather
from mailmum.formats.entries import BadLine, Entry, Item, Remark
from mailmum.formats.rows import ExportRow

ACCOUNT, SERVER = 1, 7
NOW = 1_750_000_000
BASE_4 = 0xCB007000  # 203.0.112.0
BASE_6 = 0x20010DB8 << 96
LABELS = ("a", "b", "mx-1", "_x", "xn--bcher-kva")
TOPS = ("spam.example", "ham.example", "top")


def network_4(bits: int, prefix: int) -> NetworkTarget:
    """A network in or around 203.0.112.0/20, from 12 random bits."""
    address = BASE_4 | (bits & 0xFFF)
    return NetworkTarget(4, address >> (32 - prefix) << (32 - prefix), prefix)


def network_6(bits: int, prefix: int) -> NetworkTarget:
    """A network in or around 2001:db8::/32: random bits at both ends of what lies below."""
    address = BASE_6 | (bits & 0xFF) << 60 | (bits >> 8 & 0xF)
    return NetworkTarget(6, address >> (128 - prefix) << (128 - prefix), prefix)


def name_target(labels: Sequence[str], top: str, whole: bool) -> NameTarget:
    """A host or domain; a single label is always a domain."""
    name = ".".join([*labels, top])
    return NameTarget(name, whole or "." not in name)


PREFIXES_4 = (0, 6, 8, 15, 16, 20, 21, 22, 24, 25, 26, 28, 30, 31, 32, 32)
PREFIXES_6 = (0, 3, 16, 29, 32, 48, 60, 64, 65, 127, 128, 128)

networks_4 = st.builds(network_4, st.integers(0, 0xFFF), st.sampled_from(PREFIXES_4))
networks_6 = st.builds(network_6, st.integers(0, 0xFFF), st.sampled_from(PREFIXES_6))
networks = st.one_of(networks_4, networks_6)
names = st.builds(
    name_target,
    st.lists(st.sampled_from(LABELS), max_size=3),
    st.sampled_from(TOPS),
    st.booleans(),
)
targets: st.SearchStrategy[Target] = st.one_of(networks, names)

# What the domain lets through as a text: no control characters, no blanks at the ends.
_CHARACTERS = st.characters(
    codec="utf-8",
    categories=("L", "N", "P", "S", "Zs"),
)
texts = st.one_of(
    st.just(""),
    st.text(_CHARACTERS, max_size=40).map(str.strip),
    st.text("$=#;:!\"'\\ 5.71ab@+-,", max_size=20).map(str.strip),
)
notes = st.text(st.one_of(_CHARACTERS, st.sampled_from("\n\t\"'=,;")), max_size=60).map(str.strip)
codes = st.one_of(st.none(), st.integers(0x7F000002, 0x7F0000FF))


@st.composite
def listings(draw: st.DrawFn, targets: st.SearchStrategy[Target] = targets) -> Listing:
    """One listing of the account or of one server."""
    source = draw(st.sampled_from(Source))
    return Listing(
        draw(st.integers(1, 10**6)),
        ACCOUNT,
        draw(st.sampled_from((WHOLE_ACCOUNT, SERVER))),
        draw(st.sampled_from(Action)),
        draw(targets),
        source,
        "" if source is Source.PERSON else draw(texts),
        draw(texts),
        draw(codes),
        draw(st.one_of(st.none(), st.integers(NOW - 5, NOW + 5), st.integers(1, 10**10))),
        draw(st.booleans()),
    )


@st.composite
def export_rows(draw: st.DrawFn, targets: st.SearchStrategy[Target] = targets) -> ExportRow:
    """One listing with what the database adds."""
    listing = draw(listings(targets))
    scope = "account" if listing.scope == WHOLE_ACCOUNT else draw(st.sampled_from(("mx1", "=mx")))
    return ExportRow(listing, scope, draw(notes), draw(st.one_of(st.none(), st.integers(1, NOW))))


def random_rows(source: random.Random, count: int) -> list[ExportRow]:
    """Listings in force, of all sources and both scopes."""
    rows = []
    for number in range(1, count + 1):
        target = random_target(source)
        origin = source.choice(list(Source))
        rows.append(
            ExportRow(
                Listing(
                    number,
                    ACCOUNT,
                    source.choice((WHOLE_ACCOUNT, SERVER)),
                    source.choice((Action.BLOCK, Action.BLOCK, Action.ALLOW)),
                    target,
                    origin,
                    "" if origin is Source.PERSON else "list",
                    source.choice(("", "spam", f"$ {number}", f"=see $1 {number}", "für # ; :2:")),
                    source.choice((None, None, 0x7F000009)),
                )
            )
        )
    return rows


def random_target(source: random.Random) -> Target:
    """A target of the small universe."""
    kind = source.random()
    if kind < 0.45:
        # The widest are rare, or nothing else would ever decide.
        prefix = source.choice(PREFIXES_4[4:] if source.random() < 0.95 else PREFIXES_4)
        return network_4(source.getrandbits(12), prefix)
    if kind < 0.75:
        prefix = source.choice(PREFIXES_6[4:] if source.random() < 0.95 else PREFIXES_6)
        return network_6(source.getrandbits(12), prefix)
    labels = [source.choice(LABELS) for _ in range(source.randrange(4))]
    return name_target(labels, source.choice(TOPS), source.random() < 0.5)


def subjects_near(source: random.Random, targets: Iterable[Target]) -> list[Subject]:
    """For each target a client inside and one just outside."""
    found: list[Subject] = []
    for target in targets:
        if isinstance(target, NameTarget):
            below = f"{source.choice(LABELS)}.{target.name}"
            found += [NameSubject(target.name), NameSubject(below), NameSubject(f"q.{below}")]
            continue
        inside = source.randint(target.first, target.last)
        for address in (target.first, target.last, inside, target.last + 1, target.first - 1):
            if 0 <= address < 1 << target.bits:
                found.append(AddressSubject(target.version, address))
    return found


def word(rows: Iterable[ExportRow], subject: Subject, now: float = NOW) -> Word:
    """The verdict of the domain."""
    covering = gather((row.listing for row in rows), subject, ACCOUNT, SERVER, now)
    return decide(covering).word


def as_person(entries: Iterable[Entry]) -> list[ExportRow]:
    """Rows as an import of one's own makes them: of several with one target, the first."""
    kept: dict[Target, ExportRow] = {}
    for number, entry in enumerate(entries, start=1):
        listing = Listing(
            number,
            ACCOUNT,
            WHOLE_ACCOUNT,
            entry.action,
            entry.target,
            reason=entry.reason,
            code=entry.code,
            expires=entry.expires,
        )
        kept.setdefault(entry.target, ExportRow(listing))
    return list(kept.values())


def entry_of(row: ExportRow, line: int) -> Entry:
    """What should be read of a row."""
    listing = row.listing
    return Entry(
        line,
        listing.action,
        listing.target,
        listing.reason,
        row.note,
        listing.code,
        listing.expires,
        listing.source,
        listing.origin,
        listing.enabled,
        row.scope,
    )


def only_entries(items: Iterable[Item]) -> list[Entry]:
    """The entries, and no bad line among them; remarks are left out."""
    found = list(items)
    assert not [item for item in found if isinstance(item, BadLine)]
    return [item for item in found if isinstance(item, Entry)]


def sorted_out(items: Iterable[Item]) -> tuple[list[Entry], list[BadLine], list[Remark]]:
    """Items by their kind."""
    found = list(items)
    return (
        [item for item in found if isinstance(item, Entry)],
        [item for item in found if isinstance(item, BadLine)],
        [item for item in found if isinstance(item, Remark)],
    )
