"""Words that the report uses on a terminal and on a page."""

from collections.abc import Iterable
from datetime import datetime, tzinfo

from mailmum.charts.moments import day_text
from mailmum.cli.analyze_read import Input
from mailmum.cli.zones import zone_name
from mailmum.domain.listings import Action
from mailmum.traffic.report import Report
from mailmum.traffic.report_advice import Candidate
from mailmum.traffic.report_figures import Figures
from mailmum.traffic.report_lists import Overlap
from mailmum.traffic.sightings import Outcome

OUTCOMES = {
    Outcome.ACCEPTED: "accepted",
    Outcome.REJECTED: "rejected",
    Outcome.DEFERRED: "deferred",
    Outcome.RELAY_DENIED: "relay denied",
    Outcome.UNKNOWN_RECIPIENT: "unknown recipient",
    Outcome.AUTH_FAILED: "login failed",
    Outcome.PROTOCOL: "protocol error",
    Outcome.LOST: "connection lost",
    Outcome.CONNECTED: "connected only",
    Outcome.WARNED: "warned only",
    Outcome.LISTED: "listed",
    Outcome.ALLOWED: "allowed",
    Outcome.UNLISTED: "unlisted",
}
_FEW = 3


def counted(count: int, one: str, many: str = "") -> str:
    """A number with its noun.

    >>> counted(1, "client"), counted(2000, "client")
    ('1 client', '2,000 clients')
    """
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def share(part: int, whole: int) -> str:
    """A part in percent.

    >>> share(1, 3), share(1, 30000), share(0, 0)
    ('33.3 %', '< 0.1 %', '')
    """
    if not whole:
        return ""
    percent = 100 * part / whole
    return f"{percent:.1f} %" if percent >= 0.1 or not part else "< 0.1 %"


def some(words: Iterable[str], most: int = _FEW) -> str:
    """The first few of a list, and how many more there are.

    >>> some("abcde")
    'a, b, c and 2 more'
    """
    given = list(words)
    shown = ", ".join(given[:most])
    return shown if len(given) <= most else f"{shown} and {len(given) - most} more"


def moment(time: float, zone: tzinfo) -> str:
    """A moment to the minute."""
    local = datetime.fromtimestamp(time, zone)
    return f"{day_text(local)} {local.year} {local:%H:%M}"


def short(time: float, zone: tzinfo) -> str:
    """The same where the year is clear."""
    local = datetime.fromtimestamp(time, zone)
    return f"{local.day} {local:%b %H:%M}"


def period(report: Report, zone: tzinfo) -> str:
    """From the first contact to the last."""
    if report.first is None or report.last is None:
        return "no contact"
    first, last = moment(report.first, zone), moment(report.last, zone)
    return f"{first} to {last} ({span(report.last - report.first)}), {zone_name(zone)}"


def span(seconds: float) -> str:
    """A length of time in its two largest units.

    >>> span(200000), span(59)
    ('2 days 7 h', '59 s')
    """
    if seconds < 60:
        return f"{int(seconds)} s"
    minutes = int(seconds) // 60
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        name = "day" if days == 1 else "days"
        return f"{days} {name} {hours} h" if hours else f"{days} {name}"
    return f"{hours} h {rest} min" if hours else f"{rest} min"


def why(seen: Figures) -> str:
    """What became of the contacts that were stopped, most frequent first."""
    parts = [
        (count, OUTCOMES[outcome]) for outcome, count in seen.outcomes.items() if outcome.stopped
    ]
    if len(parts) == 1:
        text = parts[0][1]
    else:
        text = some(f"{word} {count:,}" for count, word in sorted(parts, key=lambda one: -one[0]))
    return f"{text} ({some(seen.lists, 2)})" if seen.lists and text else text


def who(seen: Figures) -> str:
    """The best name of a client: verified, else what it called itself in quotes."""
    if seen.name:
        return seen.name
    return f'"{seen.helo}"' if seen.helo else ""


def evidence(one: Candidate, zone: tzinfo) -> list[str]:
    """What speaks for a proposal, a sentence each."""
    seen = one.evidence
    told = [_counts(one)]
    name = who(seen)
    if name and seen.clients == 1:
        told.append(f"name {seen.name}" if seen.name else f"HELO {name}, no verified name")
    if one.action is Action.ALLOW:
        told += _merits(one, zone)
    first, last = short(seen.first, zone), short(seen.last, zone)
    return [*told, f"seen {first}" if first == last else f"seen {first} to {last}"]


def _counts(one: Candidate) -> str:
    seen = one.evidence
    if one.action is Action.ALLOW:
        return f"{seen.accepted:,} accepted, {seen.caught:,} stopped by {some(seen.lists, 2)}"
    of = f" from {_addresses(seen)}" if seen.clients > 1 else ""
    already = f"; a list stops {seen.caught:,} of it already" if seen.caught else ""
    if seen.caught == seen.offences:
        already = "; a list stops all of it already"
    return f"{seen.offences:,} refused{of}, none accepted: {why(seen)}{already}"


def _addresses(seen: Figures) -> str:
    whole = counted(seen.clients, "address", "addresses")
    return whole if seen.offenders == seen.clients else f"{seen.offenders:,} of {whole}"


def _merits(one: Candidate, zone: tzinfo) -> list[str]:
    seen = one.evidence
    told = []
    if seen.accepted_last is not None:
        last = f"last accepted {short(seen.accepted_last, zone)}"
        told.append(f"{last}, before any list stopped it" if one.early else last)
    if seen.senders:
        told.append(f"from {some(seen.senders)}")
    if seen.score is not None:
        told.append(f"mean spam score {seen.score:.1f}")
    return told


def remarks(report: Report, told: Input) -> list[str]:
    """What one should know about how far the report can be trusted."""
    found = [*told.damaged, *told.notices]
    if told.outside and told.outside_first is not None and told.outside_last is not None:
        first, last = (moment(time, told.zone) for time in (told.outside_first, told.outside_last))
        found.append(
            f"{counted(told.outside, 'contact')} outside of the chosen time, "
            f"between {first} and {last}"
        )
    if report.forgotten:
        found.append(
            f"more clients than are kept at a time: {report.forgotten:,} with few contacts were "
            "left out of the lists below, and what is said of single clients may be too low; "
            "all sums are exact"
        )
    if report.advice.guarded:
        count = counted(report.advice.guarded, "proposal")
        found.append(f"{count} left out: private or otherwise guarded space")
    return found


def listed(report: Report) -> list[str]:
    """What the overlap of lists comes to, in sentences."""
    overlap = report.overlap
    if not overlap.lists or not overlap.covers:
        return []
    first = overlap.covers[0]
    told = []
    if len(overlap.lists) > 1:
        told.append(
            f"{first.zone} alone would have named {first.together:,} of the {overlap.listed:,} "
            f"listed clients ({share(first.together, overlap.listed)})" + _next_covers(report)
        )
        told.append(_limits(report))
    if overlap.known:
        told.append(_soles(overlap))
    return told


def _soles(overlap: Overlap) -> str:
    """What each list alone caught, where postscreen asked them all."""
    alone = sorted((one for one in overlap.lists if one.named), key=lambda one: -one.sole)
    each = [f"{one.zone} {one.sole:,}" for one in alone[:_FEW] if one.sole]
    several = overlap.known - sum(one.sole for one in alone)
    told = f"Of {overlap.known:,} contacts postscreen logged every list that named the client: "
    told += f"{counted(several, 'was', 'were')} named by several"
    return told + (f", by one alone {', '.join(each)}." if each else ".")


def _next_covers(report: Report) -> str:
    overlap = report.overlap
    more = [
        f"with {one.zone} {share(one.together, overlap.listed)}" for one in overlap.covers[1:_FEW]
    ]
    enough = len(overlap.covers)
    rest = f"; {enough} lists name them all"
    if enough == len(overlap.lists) or overlap.covers[0].together == overlap.listed:
        rest = ""
    return (f", {', '.join(more)}" if more else "") + rest + "."


def _limits(report: Report) -> str:
    if not report.overlap.several:
        return (
            "No client was named by two lists in this log. Postfix logs only the first list that "
            "rejects, so what the others would have said is not known: put warn_if_reject before "
            "a list to learn it."
        )
    return (
        "Postfix logs only the first list that rejects: overlap is known of clients that came "
        "again, of warnings and of several servers. A list asked later looks weaker than it is."
    )
