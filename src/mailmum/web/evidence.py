"""What triggers have decided, as pages show it."""

from collections.abc import Sequence
from typing import Any

from mailmum.control.accounts.access import Reading
from mailmum.control.journal.moments import moment
from mailmum.control.triggers.evidence import show
from mailmum.control.triggers.models import Finding
from mailmum.domain.words import span
from mailmum.traffic.sightings import Outcome
from mailmum.triggers.rules import Metric
from mailmum.web.asked import search_query

LOOKS = {
    "list": ("own", "o-own", "Listed"),
    "would": ("info", "", "Would have listed"),
    "past": ("clock", "", "Too late to list"),
    "spare": ("allowed", "o-allowed", "Spared"),
    "stop": ("stop", "o-own", "Stopped itself before"),
}


_OUTCOMES = {
    Metric.UNKNOWN: Outcome.UNKNOWN_RECIPIENT,
    Metric.RELAY: Outcome.RELAY_DENIED,
    Metric.AUTH: Outcome.AUTH_FAILED,
    Metric.PROTOCOL: Outcome.PROTOCOL,
}
"""What is counted, where one outcome says it."""


def _search(one: Finding) -> str:
    """What to ask the search for to see what was counted; of a network in place of parts nothing.

    Where public lists were asked, that was after what was seen.
    """
    metric = Metric(one.rule["metric"])
    if one.evidence["parts"] or metric is Metric.ASKED:
        return ""
    outcome = _OUTCOMES.get(metric)
    return search_query(
        q=one.target,
        what=outcome.value if outcome else "",
        since=moment(one.evidence["first"] // 1000) or "",
        until=moment(one.evidence["last"] // 1000 + 1) or "",
    )


def finding_rows(access: Reading, findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """Findings with their mark, and with moments that can be shown in the reader's zone."""
    return [
        {
            **told,
            "look": LOOKS[one.kind],
            "window": span(one.rule["window"]),
            "at": one.at,
            "first": one.evidence["first"] // 1000,
            "last": one.evidence["last"] // 1000,
            "search": _search(one),
        }
        for told, one in zip(show(access, findings), findings, strict=True)
    ]
