"""Records of the journal as sentences: who did what, and what was different before."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mailmum.domain.words import SECONDS, TYPED, said, span

_KINDS = {
    "listing.block": ("own", "o-own", "blocked"),
    "listing.allow": ("allowed", "o-allowed", "allowed"),
    "listing.set": ("listings", "", "edited"),
    "listing.unlist": ("reject", "", "removed"),
    "listing.import": ("down", "", "imported"),
    "feed.add": ("feeds", "", "subscribed to"),
    "feed.set": ("feeds", "", "changed"),
    "feed.version": ("feeds", "", "renewed"),
    "feed.drop": ("feeds", "", "did not take"),
    "feed.pause": ("pause", "", "paused"),
    "feed.resume": ("play", "", "resumed"),
    "feed.remove": ("reject", "", "removed"),
    "listing.trigger": ("own", "o-own", "blocked"),
    "listing.clear": ("reject", "", "removed"),
    "trigger.add": ("triggers", "", "added the"),
    "trigger.set": ("triggers", "", "changed the"),
    "trigger.remove": ("reject", "", "removed the"),
    "trigger.stop": ("stop", "o-warn", "stopped itself:"),
    "trigger.resume": ("triggers", "", "let go on the"),
    "server.add": ("servers", "", "added"),
    "server.set": ("servers", "", "changed"),
    "server.pause": ("pause", "", "paused"),
    "server.resume": ("play", "", "resumed"),
    "account.pause": ("pause", "", "paused"),
    "account.resume": ("play", "", "resumed"),
    "request.decline": ("inbox", "", "declined"),
    "server.rotate-key": ("servers", "", "made a"),
    "server.remove": ("reject", "", "removed"),
    "account.set": ("settings", "", "changed the"),
    "account.add": ("settings", "", "made the"),
    "people.set": ("user", "", "changed people:"),
    "people.remove": ("user", "", "changed people:"),
    "token.add": ("auth", "", "made the"),
    "token.remove": ("auth", "", "changed tokens:"),
    "suggestion.dismiss": ("idea", "", "dismissed the"),
    "rbl.add": ("rbl", "", "asks the"),
    "rbl.remove": ("rbl", "", "no longer asks the"),
    "alerts.add": ("bell", "", "added the"),
    "alerts.edit": ("bell", "", "changed the"),
    "alerts.rotate-key": ("bell", "", "made a"),
    "alerts.remove": ("bell", "", "removed the"),
    "alerts.stop": ("bell", "", "ended the"),
    "alerts.resume": ("bell", "", "wants again"),
    "alerts.set": ("bell", "", "changed"),
    "alerts.acknowledge": ("bell", "", "saw the"),
}
_LABELS = {
    "action": "action",
    "reason": "reason",
    "note": "note",
    "code": "return code",
    "expires": "end",
    "enabled": "in force",
    "name": "name",
    "addresses": "own addresses",
    "askers": "who may ask",
    "ttl": "TTL",
    "text": "text of blocks without a reason",
    "key_keep": "old keys live on",
    "contact": "contact",
    "recent_days": "days of sightings",
    "minute_days": "days of minutes",
    "hour_days": "days of hours",
    "day_days": "days of days",
    "privacy": "mail addresses",
    "takes_requests": "removal requests",
    "answer": "answer",
    "role": "role",
    "target": "address",
    "least": "least severity",
    "kinds": "kinds",
    "reports": "weekly report",
    "zone": "time zone",
    "quiet_from": "quiet from",
    "quiet_until": "quiet until",
    "digest": "alerts gathered for",
    "silent_after": "silent after",
    "spike_times": "spike, times the usual",
    "spike_least": "spike, least contacts",
    "accepted_least": "least accepted messages",
    "report_day": "day of the report",
    "report_hour": "hour of the report",
    "mode": "mode",
    "metric": "metric",
    "threshold": "threshold",
    "window": "window",
    "group": "from one",
    "lists": "lists that count",
    "score": "spam score",
    "traps": "trap addresses",
    "server": "server",
    "where": "where it is listed",
    "lifetime": "lifetime",
    "growth": "growth",
    "longest": "longest lifetime",
    "quiet": "forgiven after",
    "merge": "merged at",
    "accepted": "accepted messages that spare",
    "days": "days of these",
    "brake": "brake",
    "brake_window": "time of the brake",
    "scope": "where it holds",
    "every": "refreshed every",
    "shrink": "held back at a loss of percent",
    "grow": "held back at a gain of percent",
}
_NO_FINDINGS: Mapping[int, Sequence[dict[str, Any]]] = {}
Said = str | datetime


@dataclass(frozen=True, slots=True)
class Detail:
    """One field: what it said before (None: nothing to tell) and what it says now."""

    label: str
    before: Said | None
    after: Said


@dataclass(frozen=True, slots=True)
class RecordRow:
    """One change.

    Attributes:
        seq: its number.
        at: when.
        actor, via: who, and by which way.
        icon, css: how it is marked.
        verb, summary: what was done to what.
        where: name of the server it is about, empty when about none.
        details: what was different before, or what was said of one new listing.
        targets: the targets of a change of several listings, as far as the journal tells them.
        total: how many there were in all; `more` of them are not told.
        undoable: whether a button to undo it makes sense.
        undone_by: number of the change that undid it.
        findings: what a trigger had counted, of the first listings that it made.
    """

    seq: int
    at: datetime
    actor: str
    via: str
    icon: str
    css: str
    verb: str
    summary: str
    where: str
    details: tuple[Detail, ...]
    targets: tuple[str, ...]
    total: int
    more: int
    undoable: bool
    undone_by: int | None
    findings: Sequence[dict[str, Any]]


def record_rows(
    records: list[dict[str, Any]], findings: Mapping[int, Sequence[dict[str, Any]]] = _NO_FINDINGS
) -> list[RecordRow]:
    """Rows from what the control side shows of records, and of findings by number of the change."""
    return [_row(record, findings.get(record["seq"], ())) for record in records]


def _row(record: dict[str, Any], findings: Sequence[dict[str, Any]]) -> RecordRow:
    undid = record["summary"].startswith("undid ")
    kind = ("undo", "", "") if undid else _KINDS.get(record["what"], ("info", "", record["what"]))
    before, after = _listings(record["before"]), _listings(record["after"])
    several = [item["target"] for item in after or before] if record["count"] > 1 else []
    return RecordRow(
        seq=record["seq"],
        at=datetime.fromisoformat(record["when"]),
        actor=record["actor"],
        via=record["via"],
        icon=kind[0],
        css=kind[1],
        verb=kind[2],
        summary=record["summary"],
        where=record["server"] or "",
        details=() if undid or several else tuple(_details(record, before, after)),
        targets=tuple(several),
        total=record["count"],
        more=max(record["count"] - len(several), 0) if several else 0,
        undoable=record["undoable"],
        undone_by=record["undone_by"],
        findings=findings,
    )


def _listings(state: Any) -> list[dict[str, Any]]:
    return [item for item in state if "target" in item] if isinstance(state, list) else []


def _details(
    record: dict[str, Any], before: list[dict[str, Any]], after: list[dict[str, Any]]
) -> Iterator[Detail]:
    if isinstance(record["before"], dict) and isinstance(record["after"], dict):
        yield from _differences(record["before"], record["after"])
    elif len(before) == len(after) == 1:
        yield from _differences(before[0], after[0])
    elif len(after) == 1:
        yield from _said(after[0])


def _differences(before: dict[str, Any], after: dict[str, Any]) -> Iterator[Detail]:
    for name, label in _LABELS.items():
        if name in after and before.get(name) != after[name]:
            yield Detail(label, _text(name, before.get(name)), _text(name, after[name]))


def _said(listing: dict[str, Any]) -> Iterator[Detail]:
    for name in ("reason", "note", "code", "expires"):
        if listing.get(name):
            yield Detail(_LABELS[name], None, _text(name, listing[name]))


def _text(name: str, value: Any) -> Said:
    if name == "expires":
        return datetime.fromisoformat(value) if value else "until removed"
    if name in SECONDS and value is not None:
        return span(value)
    if name in TYPED and value:
        return said(value)
    if value is None or value in ("", []):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
