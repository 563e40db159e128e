"""Proposals as API and command line show them."""

from typing import Any

from mailmum.control.journal.moments import moment
from mailmum.control.suggestions.models import Suggestion

DOES = {
    "block": "block it for 30 days",
    "widen": "block the network for 30 days",
    "allow": "allow it",
    "shorten": "let the listing end in 30 days",
    "drop": "remove the listing",
}


def suggestion_as(one: Suggestion) -> dict[str, Any]:
    """A proposal."""
    return {
        "id": one.pk,
        "kind": one.kind,
        "target": one.target,
        "listing": one.listing,
        "does": DOES[one.kind],
        "why": one.text,
        "evidence": one.evidence,
        "made": moment(one.made),
        "decided": moment(one.decided),
        "decided_by": one.decided_by or None,
    }
