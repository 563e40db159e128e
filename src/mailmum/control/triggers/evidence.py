"""What a trigger has decided and why, as people read it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from mailmum.control.accounts.access import Reading
from mailmum.control.journal.models import Record
from mailmum.control.journal.moments import instant, moment
from mailmum.control.listings.values import scope_name
from mailmum.control.servers.queries import names_of_servers
from mailmum.control.triggers.guard import BY_TRIGGER
from mailmum.control.triggers.models import Finding
from mailmum.domain.words import plural, span
from mailmum.triggers.rules import Metric, time_text


def told(rule: Mapping[str, Any], evidence: Mapping[str, Any], times: int = 1) -> str:
    """The evidence in one sentence.

    Of who offends again the offences are told, not listings: what a trigger only observed, or heard
    of when the listing would have run out already, is an offence without one.

    >>> rule = {"metric": "auth", "threshold": 10, "window": 3600}
    >>> told(rule, {"count": 12, "parts": [], "clients": [["203.0.113.7", 12]], "others": 0}, 2)
    '12 sessions with failed logins within 1 h (10 are enough), its 2nd offence'
    """
    if evidence["parts"]:
        text = f"{evidence['count']:,} in it are listed: {', '.join(evidence['parts'][:5])}"
        text += ", ..." if len(evidence["parts"]) > 5 else ""
    else:
        enough = f"{rule['threshold']:,} {'is' if rule['threshold'] == 1 else 'are'} enough"
        text = (
            f"{Metric(rule['metric']).counted(evidence['count'], rule.get('score'))} "
            f"within {span(rule['window'])} ({enough})"
        )
        clients = len(evidence["clients"]) + evidence["others"]
        text += f", from {plural(clients, 'client')}" if clients > 1 else ""
    return f"{text}, its {_ordinal(times)} offence" if times > 1 else text


def evidence_for(reading: Reading, listings: Iterable[int]) -> dict[int, Finding]:
    """The latest finding behind each of these listings, by number; people's have none."""
    rows = Finding.objects.filter(account=reading.account.pk, listing__in=list(listings))
    # The last one of a listing stays in the dictionary.
    return {row.listing: row for row in rows.order_by("id") if row.listing is not None}


def evidence_in(
    reading: Reading, records: Iterable[Record], most: int | None = None
) -> dict[int, list[Finding]]:
    """The findings that these changes of the journal made listings of, by number of the change.

    Args:
        reading: proof that the asker may read.
        records: the changes.
        most: of how many listings of each change; None for all that it tells.
    """
    made = {
        record.seq: (record.at, {one["id"] for one in (record.after or [])[:most]})
        for record in records
        if record.what == BY_TRIGGER
    }
    numbers = sorted({number for _, listed in made.values() for number in listed})
    rows = Finding.objects.filter(account=reading.account.pk, listing__in=numbers)
    found: dict[int, list[Finding]] = {seq: [] for seq in made}
    for row in rows.order_by("id"):
        # A listing that goes on keeps its number: what was found with this very change.
        for seq, (at, listed) in made.items():
            if row.at == at and row.listing in listed:
                found[seq].append(row)
    return found


def show(reading: Reading, findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """Findings as API, command line and pages show them."""
    servers = names_of_servers(reading)
    return [_shown(one, servers) for one in findings]


def _shown(one: Finding, servers: dict[int, str]) -> dict[str, Any]:
    evidence = one.evidence
    return {
        "id": one.pk,
        "kind": one.kind,
        "when": instant(one.at),
        "target": one.target,
        "scope": scope_name(one.scope, servers),
        "times": one.times,
        "begin": moment(one.begin // 1000),
        "until": moment(one.until // 1000) if one.kind in ("list", "would", "past") else None,
        "listing": one.listing,
        "reason": one.reason,
        # Being spared is no offence: the number is that of those before.
        "says": told(one.rule, evidence, 1 if one.kind == "spare" else one.times),
        "evidence": {
            **one.rule,
            "window": time_text(one.rule["window"]),
            "count": evidence["count"],
            "first": _exact(evidence["first"]),
            "last": _exact(evidence["last"]),
            "sightings": evidence["numbers"],
            "clients": [{"client": who, "count": many} for who, many in evidence["clients"]],
            "other_clients": evidence["others"],
            "servers": [
                {"server": scope_name(number, servers), "count": many}
                for number, many in evidence["servers"]
            ],
            "lists": [{"list": name, "count": many} for name, many in evidence["lists"]],
            "parts": evidence["parts"],
        },
    }


def _exact(millis: int) -> str:
    return datetime.fromtimestamp(millis / 1000, UTC).isoformat(timespec="seconds")[:-6] + "Z"


def _ordinal(number: int) -> str:
    last = number % 10 if number // 10 % 10 != 1 else 0
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(last, 'th') }"
