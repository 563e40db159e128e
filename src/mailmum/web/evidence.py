"""What triggers have decided, as pages show it."""

from collections.abc import Sequence
from typing import Any

from mailmum.control.accounts.access import Reading
from mailmum.control.triggers.evidence import show
from mailmum.control.triggers.models import Finding
from mailmum.domain.words import span
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
    first, last = (one.evidence[name] // 1000 for name in ("first", "last"))
    return {
        "numbers": few if len(numbers) <= _FEW else f"{numbers[0]} to {numbers[-1]}",
        # A moment is as exact as a second: the last one belongs to it.
        "query": search_query(q=one.target, since=moment_text(first), until=moment_text(last + 1)),
    }
