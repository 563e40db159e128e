"""What triggers have decided, as pages show it."""

from collections.abc import Sequence
from typing import Any

from mailmum.control.accounts.access import Reading
from mailmum.control.triggers.evidence import show
from mailmum.control.triggers.models import Finding
from mailmum.domain.words import span
from mailmum.traffic.sightings import Outcome
from mailmum.triggers.rules import Metric
from mailmum.web.asked import search_query
from mailmum.web.stretches import moment_text

_FEW = 5
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
    first, last = (one.evidence[name] // 1000 for name in ("first", "last"))
    return search_query(
        q=one.target,
        what=outcome.value if outcome else "",
        since=moment_text(first),
        # A moment is as exact as a second: the last one belongs to it.
        until=moment_text(last + 1),
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
            "seen": _seen(one),
        }
        for told, one in zip(show(access, findings), findings, strict=True)
    ]


def _seen(one: Finding) -> dict[str, str] | None:
    """The numbers of the sightings that counted, and what asks Search for that time."""
    if not (numbers := one.evidence["numbers"]):
        return None
    few = ", ".join(map(str, numbers))
    return {
        "numbers": few if len(numbers) <= _FEW else f"{numbers[0]} to {numbers[-1]}",
        "query": _search(one),
    }
