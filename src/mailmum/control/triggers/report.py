"""What a rule would have done, as it is told: put together from what was found of each share."""

from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from mailmum.control.accounts.access import Reading
from mailmum.control.journal.moments import moment
from mailmum.control.listings.values import scope_name
from mailmum.control.servers.queries import names_of_servers
from mailmum.control.triggers import weighing
from mailmum.control.triggers.evidence import told
from mailmum.control.triggers.known import known_since
from mailmum.control.triggers.share import SPARED, Found, Listing, in_order
from mailmum.control.triggers.weighing import Scales
from mailmum.traffic.periods import DAY, start_of
from mailmum.triggers.brake import first_stop
from mailmum.triggers.rules import Rule

SHOWN, HITS = 200, 100


@dataclass(slots=True)
class Report:
    """What a rule would have done.

    Attributes:
        since, until: the time that was looked at.
        known_since: from when on anything is known of it; None for nothing.
        exact_since: from when on single sightings were looked at; before, counts by the hour.
        rows: counts and sightings that were looked at; of a million or more about how many.
        seconds: how long it took.
        listings: how many listings it would have made.
        targets: of how many different targets.
        spared: how many different targets it would have listed but for a protection.
        contacts: what came from those listed while they would have been.
        turned_away: how many of these were turned away all the same.
        accepted: how many of them were accepted messages.
        weighed: of how many listings these are.
        hits: clients with accepted mail in this time that any of the listings hits.
        hit: how many.
        median_seconds: from the first contact that counted to the listing; None without listings.
        brake: when the brake would have stopped it first.
        brake_exact: whether that is the moment; else only the hour from there is known.
        by_day: listings that begin on each day.
        listed: the first of the listings; each says as `exact` whether its begin is the moment.
        spared_targets: the first of those spared: when first and why, and how many times; `exact`
            likewise.
    """

    since: str
    until: str
    known_since: str | None = None
    exact_since: str | None = None
    rows: int = 0
    seconds: float = 0.0
    listings: int = 0
    targets: int = 0
    spared: int = 0
    contacts: int = 0
    turned_away: int = 0
    accepted: int = 0
    weighed: int = 0
    hit: int = 0
    median_seconds: int | None = None
    brake: str | None = None
    brake_exact: bool = True
    hits: list[dict[str, Any]] = field(default_factory=list)
    by_day: list[dict[str, Any]] = field(default_factory=list)
    listed: list[dict[str, Any]] = field(default_factory=list)
    spared_targets: list[dict[str, Any]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """As API and command line show it."""
        return asdict(self)


def report_of(reading: Reading, rule: Rule, shares: list[Found], clock: float) -> Report:
    """What all shares come to together."""
    past, spared = shares[0], [one for each in shares for one in each.spared]
    stopped = first_stop(rule, sorted(at for each in shares for at in each.braked))
    begun = sorted(at for each in shares for at in each.begun)
    waits = [wait / 1000 for each in shares for wait in each.waits]
    hits = sorted(
        (one for each in shares for one in each.hits),
        key=lambda one: (-one["accepted"], one["client"]),
    )
    listed = _weighed(reading, shares, clock)
    weights = [one.weight for one in listed if one.weight is not None]
    known = known_since(reading.account.pk, rule, past.since)
    made = Report(
        since=moment(int(past.since)) or "",
        until=moment(int(past.until)) or "",
        known_since=None if known is None else moment(int(known)),
        exact_since=None if past.exact is None else moment(int(past.exact)),
        rows=sum(each.rows for each in shares),
        listings=len(begun),
        targets=sum(each.targets for each in shares),
        spared=sum(each.spared_many for each in shares),
        contacts=sum(one.contacts for one in weights),
        turned_away=sum(one.turned_away for one in weights),
        accepted=sum(one.accepted for one in weights),
        weighed=len(weights),
        hit=len(hits),
        hits=hits[:HITS],
        median_seconds=round(median(waits)) if waits else None,
        brake=None if stopped is None else moment(stopped // 1000),
        brake_exact=all(stopped not in each.by_hour for each in shares),
        by_day=_by_day(past, begun),
    )
    _tell_listed(reading, rule, listed[:SHOWN], made)
    made.spared_targets = [
        {
            "target": one.decision.target.text,
            "when": moment(one.decision.evidence.last // 1000),
            "exact": one.decision.exact,
            "reason": one.decision.reason,
            "times": one.times,
        }
        for one in sorted(spared, key=lambda one: in_order(one.decision))[:SPARED]
    ]
    return made


def _weighed(reading: Reading, shares: list[Found], clock: float) -> list[Listing]:
    """The first listings of all shares, each weighed: of those of one share more may be first."""
    listed = [one for each in shares for one in each.listed]
    listed.sort(key=lambda one: in_order(one.decision))
    del listed[weighing.WEIGHED :]
    scales: Scales | None = None
    for one in listed:
        if one.weight is None:
            scales = scales or Scales(reading.account.pk, shares[0].since, clock)
            one.weight = scales.weigh(one.decision, one.until)
    return listed


def _tell_listed(reading: Reading, rule: Rule, listed: list[Listing], made: Report) -> None:
    servers = names_of_servers(reading)
    said = {
        "metric": rule.metric.value,
        "threshold": rule.threshold,
        "window": rule.window,
        "score": rule.score,
    }
    for listing in listed:
        one, weight = listing.decision, listing.weight
        assert weight is not None
        made.listed.append(
            {
                "target": one.target.text,
                "scope": scope_name(one.scope, servers),
                "begin": moment(one.offence.begin // 1000),
                "exact": one.exact,
                "until": moment(listing.until // 1000),
                "times": one.offence.times,
                "says": told(said, asdict(one.evidence), one.offence.times),
                "contacts": weight.contacts,
                "accepted": weight.accepted,
            }
        )


def _by_day(past: Found, begun: list[int]) -> list[dict[str, Any]]:
    first = start_of(past.since, DAY)
    counts = dict.fromkeys(range(first, start_of(past.until, DAY) + 1, DAY), 0)
    for at in begun:
        counts[start_of(at / 1000, DAY)] += 1
    return [{"day": moment(day), "listings": count} for day, count in counts.items()]
