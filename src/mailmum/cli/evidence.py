"""What a trigger had counted when it made a listing, in two lines for people."""

from collections.abc import Iterator
from typing import Any

from mailmum.cli.output import moment_text

_SHOWN, _TOLD = 5, 50
"""So many sightings are named one by one; the service tells no more than so many."""


def evidence_lines(finding: dict[str, Any]) -> Iterator[str]:
    """The reason with its time, and where it was counted and which sightings these are."""
    evidence = finding["evidence"]
    first, last = moment_text(evidence["first"]), moment_text(evidence["last"])
    yield f"{finding['says']}: {first} to {last}"
    parts = [f"{one['server']} {one['count']:,}" for one in evidence["servers"]]
    parts += [f"{one['list']} {one['count']:,}" for one in evidence["lists"]]
    if numbers := evidence["sightings"]:
        parts.append(_sightings(numbers, sum(one["count"] for one in evidence["servers"])))
    if parts:
        yield ", ".join(parts)


def _sightings(numbers: list[int], counted: int) -> str:
    few = ", ".join(map(str, numbers))
    several = few if len(numbers) <= _SHOWN else f"{numbers[0]} to {numbers[-1]}"
    latest = f"of them the latest {_TOLD}: " if len(numbers) == _TOLD < counted else ""
    return f"{latest}{'sighting' if len(numbers) == 1 else 'sightings'} {several}"
