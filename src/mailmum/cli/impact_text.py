"""Whom a whole list would have hit, in words: of a feed, or of an import."""

from collections.abc import Iterator
from typing import Any

SHOWN = 5


def impact_lines(impact: dict[str, Any]) -> Iterator[str]:
    """As `check` says it of one target."""
    yield f"to block all of it: {impact['verdict']}"
    for warning in impact["warnings"]:
        yield f"  ! {warning}"
    since = impact["since"][:10]
    if not impact["contacts"]:
        yield f"  nothing was seen of it since {since}"
        return
    contacts = counted(impact["contacts"], "contact", "contacts")
    clients = counted(impact["clients"], "client", "clients")
    accepted = "unknown" if impact["accepted"] is None else f"{impact['accepted']:,}"
    kept = f", {impact['kept']:,} of these kept by your allows" if impact["kept"] else ""
    yield (
        f"  {contacts} of {clients} since {since}, {accepted} accepted{kept}, "
        f"{impact['rejected']:,} rejected"
    )
    for one in [hit for hit in impact["hits"] if hit["accepted"]][:SHOWN]:
        kept = ", kept by an allow" if one["kept"] else ""
        yield (
            f"  delivers mail: {one['client']}, {one['accepted']:,} accepted, "
            f"{one['rejected']:,} rejected{kept}"
        )


def counted(count: int, one: str, many: str) -> str:
    """A number with its noun."""
    return f"{count:,} {one if count == 1 else many}"
