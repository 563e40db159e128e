"""The report of some days: what was stopped and by what, what changed, what is worth a look.

A report is a few tables of plain texts.  So mail, pages and the command line show the same, and one
that waits to be sent stays as it was made.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from mailmum.control.accounts.access import Reading
from mailmum.control.alerts.conditions import Severity
from mailmum.control.alerts.models import Alert
from mailmum.control.alerts.watches import title_of
from mailmum.control.journal.models import Record
from mailmum.control.listings.models import Version
from mailmum.control.monitor import changes, overview
from mailmum.control.monitor.alike import Alike, alike
from mailmum.control.monitor.hits import stale
from mailmum.control.monitor.ranges import Range
from mailmum.control.suggestions.inbox import open_suggestions
from mailmum.control.suggestions.show import DOES
from mailmum.control.traffic.reading import tolerant
from mailmum.traffic.groups import Group
from mailmum.traffic.periods import DAY, HOUR, start_of

DAYS, LONGEST = 7, 90
ROWS = 10
_SOON = 7 * DAY
_NUMBER = frozenset("0123456789,.% ")


@dataclass(frozen=True, slots=True)
class Section:
    """One table.

    Attributes:
        title: its heading.
        columns: names of the columns; the first is text, the others are numbers where they can be.
        rows: texts.
        shares: of each row how much of the whole it is, 0 to 1; empty when there is nothing to
            compare.
        none: what to say when there are no rows.
        note: what has to be known to read it, empty for nothing.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    shares: tuple[float, ...] = ()
    none: str = "Nothing."
    note: str = ""

    @property
    def numbers(self) -> tuple[bool, ...]:
        """Of each column whether it holds numbers only."""
        return tuple(
            bool(self.rows) and all(row[at] and set(row[at]) <= _NUMBER for row in self.rows)
            for at in range(len(self.columns))
        )


@dataclass(frozen=True, slots=True)
class Report:
    """What happened in some days.

    Attributes:
        account: name of the account.
        since, until: Unix time; a whole hour, and when it was made.
        headline: the most important in a sentence.
        sections: tables.
    """

    account: str
    since: int
    until: int
    headline: str
    sections: tuple[Section, ...]


def report(reading: Reading, *, days: int = DAYS, now: float | None = None) -> Report:
    """The report of the last days, with the hour that is under way."""
    clock = time.time() if now is None else now
    begun = start_of(clock, HOUR)
    until = begun + HOUR if clock > begun else begun
    wanted = Range(until - days * DAY, until, HOUR)
    found = overview.overview(reading, wanted, now=clock)
    return Report(
        account=reading.account.name,
        since=wanted.since,
        until=int(clock),
        headline=_headline(found),
        sections=(
            _became(found, alike(reading, found, now=clock)),
            _lists(reading, wanted, clock),
            _servers(reading, wanted, clock),
            _worst(reading, wanted, clock),
            _changed(reading, wanted),
            _alerts(reading, wanted),
            _review(reading, clock),
        ),
    )


def report_as(one: Report) -> dict[str, Any]:
    """A report as JSON has it."""
    return asdict(one)


def report_from(kept: dict[str, Any]) -> Report:
    """A report that was kept as JSON."""
    sections = tuple(
        Section(
            one["title"],
            tuple(one["columns"]),
            tuple(tuple(row) for row in one["rows"]),
            tuple(one["shares"]),
            one["none"],
            one.get("note", ""),
        )
        for one in kept["sections"]
    )
    return Report(kept["account"], kept["since"], kept["until"], kept["headline"], sections)


GROUPS = {
    Group.ACCEPTED: "Accepted",
    Group.ALLOWED: "Allowed by your own list",
    Group.OWN: "Stopped by your own lists",
    Group.RBL: "Stopped by public RBLs",
    Group.REJECTED: "Rejected for other reasons",
    Group.DEFERRED: "Deferred",
    Group.AUTH: "Failed logins",
    Group.OTHER: "Without a verdict",
}


def _headline(found: overview.Overview) -> str:
    stopped = sum(count for group, count in found.groups.items() if group.stopped)
    if not found.contacts:
        return "Nothing was seen."
    share = round(100 * stopped / found.contacts)
    return (
        f"{stopped:,} of {found.contacts:,} contacts were stopped ({share}\u00a0%), "
        f"{found.groups.get(Group.OWN, 0):,} of them by your own lists."
    )


def _became(found: overview.Overview, like: Alike) -> Section:
    """What became of contacts, beside the time before where that can be compared."""
    before = like.before or {}
    shown = [one for one in Group if found.groups.get(one) or before.get(one)]
    sides = {"Contacts": found.groups}
    if like.before is not None:
        # Without this one the contacts that are compared are those that stand there already.
        sides |= {"Compared": like.now} if like.without else {}
        sides["Before"] = like.before
    return Section(
        "What was stopped",
        ("What became of contacts", *sides),
        tuple(
            (GROUPS[one], *(f"{side.get(one, 0):,}" for side in sides.values())) for one in shown
        ),
        tuple(found.groups.get(one, 0) / (found.contacts or 1) for one in shown),
        "Nothing was seen.",
        like.says,
    )


def _lists(reading: Reading, wanted: Range, now: float) -> Section:
    found = overview.by_list(reading, wanted, now=now)[:ROWS]
    return _table(
        "By what",
        ("List", "Stopped"),
        [(("Your own lists" if one.own else one.name), one.hits) for one in found],
        "No list stopped anything.",
    )


def _servers(reading: Reading, wanted: Range, now: float) -> Section:
    lines = sorted(overview.by_server(reading, wanted, now=now), key=lambda one: -one.contacts)
    rows = [
        (one.server, f"{one.contacts:,}", f"{one.accepted:,}", f"{one.stopped:,}")
        for one in lines[:ROWS]
    ]
    columns = ("Server", "Contacts", "Accepted", "Stopped")
    return Section("Servers", columns, tuple(rows), none="There is no server yet.")


def _worst(reading: Reading, wanted: Range, now: float) -> Section:
    found = overview.worst(reading, wanted, limit=ROWS, now=now)
    rows = [
        (
            one.network.text + (f" ({one.country})" if one.country else ""),
            f"{one.stopped:,}",
            f"{one.accepted:,}",
        )
        for one in found
    ]
    most = max((one.stopped for one in found), default=1) or 1
    shares = tuple(one.stopped / most for one in found)
    columns = ("Network", "Stopped", "Accepted")
    return Section("Worst networks", columns, tuple(rows), shares, "Nobody was turned away.")


_DID = {
    "listing.block": "Blocks made",
    "listing.trigger": "Blocks made by triggers",
    "listing.allow": "Allows made",
    "listing.set": "Listings edited",
    "listing.unlist": "Listings removed",
    "listing.clear": "Listings removed",
    "listing.import": "Imports",
    "feed.version": "Updates of feeds",
}


def _changed(reading: Reading, wanted: Range) -> Section:
    made = Record.objects.filter(
        account=reading.account,
        at__gte=datetime.fromtimestamp(wanted.since, UTC),
        at__lt=datetime.fromtimestamp(wanted.until, UTC),
    )
    sums: Counter[str] = Counter()
    actors: dict[str, set[str]] = {}
    for what, actor, count in made.values_list("what", "actor", "count").iterator():
        word = _DID.get(what, "Other changes")
        sums[word] += count if what.startswith("listing.") else 1
        actors.setdefault(word, set()).add(actor)
    rows = tuple(
        (word, f"{sums[word]:,}", _some(sorted(actors[word])))
        for word in dict.fromkeys((*_DID.values(), "Other changes"))
        if sums[word]
    )
    return Section("What changed", ("Change", "How many", "By"), rows, none="Nothing was changed.")


def _alerts(reading: Reading, wanted: Range) -> Section:
    found = Alert.objects.filter(
        account=reading.account, opened__gte=wanted.since, opened__lt=wanted.until
    )
    rows = tuple(
        (title_of(one.kind), _sentence(one.text), "open" if one.closed is None else "over")
        for one in found.order_by("-id")[:ROWS]
    )
    return Section("Alerts", ("Kind", "What", "State"), rows, none="There was no alert.")


def _review(reading: Reading, now: float) -> Section:
    """What somebody should look at."""
    rows: list[tuple[str, str, str]] = []
    for look in REVIEWS:
        rows += list(look(reading, now))[:ROWS]
    columns = ("Worth a look", "What", "Why")
    return Section("To review", columns, tuple(rows), none="Nothing waits for you.")


Review = Callable[[Reading, float], Iterable[tuple[str, str, str]]]


def _open_alerts(reading: Reading, _now: float) -> Iterable[tuple[str, str, str]]:
    found = Alert.objects.filter(account=reading.account, closed=None, acknowledged=None)
    graver = sorted(found.order_by("id"), key=lambda one: -Severity(one.severity).rank)
    return [("Open alert", _sentence(one.text), title_of(one.kind)) for one in graver]


def _ending(reading: Reading, now: float) -> Iterable[tuple[str, str, str]]:
    found = changes.ending(reading, within=_SOON, limit=ROWS, now=now)
    return [("Listing ends soon", one.target, one.reason or "no reason given") for one in found]


def _stale(reading: Reading, now: float) -> Iterable[tuple[str, str, str]]:
    nothing: tuple[Version, ...] = ()
    found = tolerant(lambda: stale(reading, limit=ROWS, now=now), nothing)
    return [("Listing without hits", one.target, "it decided nothing in 30 days") for one in found]


def _suggested(reading: Reading, _now: float) -> Iterable[tuple[str, str, str]]:
    found = open_suggestions(reading)[:ROWS]
    return [(f"Suggestion: {DOES[one.kind]}", one.target, one.text) for one in found]


REVIEWS: tuple[Review, ...] = (_open_alerts, _suggested, _ending, _stale)


def _table(title: str, columns: tuple[str, ...], rows: list[tuple[str, int]], none: str) -> Section:
    most = max((count for _, count in rows), default=1) or 1
    texts = tuple((name, f"{count:,}") for name, count in rows)
    return Section(title, columns, texts, tuple(count / most for _, count in rows), none)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3:,} more" if len(names) > 3 else "")
