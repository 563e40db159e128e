"""The report as one JSON object, and sightings as one object a line.

`lines`, `unrecognised`, `totals`, `rbl` and `clients` are a contract that scripts rely on; the rest
is there for whoever wants it.
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, tzinfo
from typing import IO, Any

from mailmum.charts.moments import cut
from mailmum.cli.analyze_read import Input
from mailmum.cli.zones import zone_name
from mailmum.traffic.report import Report
from mailmum.traffic.report_advice import Candidate
from mailmum.traffic.report_figures import Figures
from mailmum.traffic.report_lists import Overlap
from mailmum.traffic.sightings import Sighting, Update, event

SCHEMA = 1


class Events:
    """Prints each sighting as it comes."""

    def __init__(self, out: IO[str]) -> None:
        self._out = out
        self._encode = json.JSONEncoder().encode

    def take(self, sightings: Iterable[Sighting]) -> None:
        """Print sightings."""
        encode = self._encode
        self._out.writelines([f"{encode(event(seen))}\n" for seen in sightings])

    def update(self, updates: Iterable[Update]) -> None:
        """What becomes known later cannot be printed any more."""


def document(report: Report, told: Input, top: int) -> dict[str, Any]:
    """The report, its lists at most `top` long."""
    clients, networks, domains = report.known
    overlap = report.overlap
    return {
        "schema": SCHEMA,
        "files": told.files,
        "zone": zone_name(told.zone),
        "first": _time(report.first),
        "last": _time(report.last),
        "lines": told.lines,
        "foreign": told.foreign,
        "unrecognised": told.unrecognised,
        "unrecognised_samples": list(told.samples),
        "failed": told.failed,
        "damaged": told.damaged,
        "notices": told.notices,
        "outside": told.outside,
        "sightings": report.sightings,
        "stopped": report.stopped,
        "totals": dict(report.totals),
        "deliveries": dict(report.deliveries),
        "hosts": report.hosts,
        "rbl": {one.zone: one.hits for one in overlap.lists},
        "lists": _lists(overlap),
        "known": {"clients": clients, "networks": networks, "domains": domains},
        "forgotten": report.forgotten,
        "clients": [_figures("client", one) for one in report.clients],
        "networks": [_figures("network", one) for one in report.networks],
        "domains": [_figures("domain", one) for one in report.domains],
        "allow": [_candidate(one, told.zone) for one in report.advice.allow[:top]],
        "block": [_candidate(one, told.zone) for one in report.advice.block[:top]],
        "guarded": report.advice.guarded,
        "over_time": _over_time(report, told.zone),
    }


def _time(time: float | None) -> str | None:
    if time is None:
        return None
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _figures(what: str, one: Figures) -> dict[str, Any]:
    found: dict[str, Any] = {
        what: one.target,
        "contacts": one.contacts,
        "stopped": one.stopped,
        "accepted": one.accepted,
        "outcomes": dict(one.outcomes),
        "rbl": list(one.lists),
        "rbl_stopped": one.caught,
        "first": _time(one.first),
        "last": _time(one.last),
    }
    if what == "client":
        score = None if one.score is None else round(one.score, 2)
        return found | {
            "client_name": one.name,
            "helo": one.helo,
            "sender_domains": list(one.senders),
            "last_accepted": _time(one.accepted_last),
            "score": score,
        }
    return found | {"clients": one.clients, "offenders": one.offenders}


def _candidate(one: Candidate, zone: tzinfo) -> dict[str, Any]:
    what = "client" if one.evidence.clients == 1 else "target"
    evidence = _figures(what, one.evidence)
    evidence.pop(what)
    return {
        "target": one.target,
        "reason": one.reason,
        "note": one.note(zone),
        "command": one.command(zone),
        "accepted_before_listed": one.early,
        "evidence": evidence,
    }


def _lists(overlap: Overlap) -> dict[str, Any]:
    return {
        "listed_clients": overlap.listed,
        "on_several": overlap.several,
        "uses": [
            {
                "zone": one.zone,
                "own": one.own,
                "hits": one.hits,
                "warned": one.warned,
                "clients": one.clients,
                "alone": one.alone,
                "alone_hits": one.alone_hits,
                "named": one.named,
                "sole": one.sole,
                "also_delivered": one.good,
            }
            for one in overlap.lists
        ],
        "enough": [
            {"zone": one.zone, "added": one.added, "together": one.together}
            for one in overlap.covers
        ],
        "both": [{"zones": [one, two], "clients": clients} for one, two, clients in overlap.both],
    }


def _over_time(report: Report, zone: tzinfo) -> dict[str, Any] | None:
    if report.first is None or report.last is None:
        return None
    buckets = cut(report.first, report.last, zone)
    counts = report.times.counts(buckets.edges)
    return {
        "begins": [_time(edge) for edge in buckets.edges[:-1]],
        "ends": _time(buckets.edges[-1]),
        "counts": {kind.value: row for kind, row in counts.items()},
    }
