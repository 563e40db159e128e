"""Proposals as API and command line show them."""

from typing import Any

from mailmum.control.journal.moments import moment
from mailmum.control.suggestions.inbox import LIFE
from mailmum.control.suggestions.models import Suggestion

DOES = {
    "block": f"block it for {LIFE}",
    "widen": f"block the network for {LIFE}",
    "allow": "allow it",
    "shorten": f"let the listing end in {LIFE}",
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
