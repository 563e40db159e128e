"""Feeds in words: a row, a page, and what became of a version."""

from collections.abc import Iterator
from typing import Any

from mailmum.cli.impact_text import SHOWN, counted, impact_lines
from mailmum.cli.output import moment_text, scope_text
from mailmum.domain.words import said


def row_of(one: dict[str, Any]) -> list[str]:
    """A feed in a list of them."""
    return [
        one["name"],
        one["state"],
        does_text(one),
        str(one["entries"]),
        moment_text(one["changed"]) or "never",
        source_text(one),
    ]


def source_text(one: dict[str, Any]) -> str:
    """Where it comes from, as `feed add` takes it."""
    return f"file:{one['source']}" if one["kind"] == "file" else one["source"] or "uploads"


def does_text(one: dict[str, Any]) -> str:
    """What becomes of its entries."""
    if one["use"] != "list":
        does = {"except": "triggers leave them out", "warn": "warns"}[one["use"]]
        return does if one["scope"] == "account" else f"{does} at {scope_text(one['scope'])}"
    return f"{one['action']}s at {scope_text(one['scope'])}"


def lines_of(one: dict[str, Any]) -> Iterator[str]:
    """A feed with its versions."""
    yield f"{one['name']}: {one['state']}, {entries_text(one)}, {does_text(one)}"
    yield f"from {one['source']}, every {said(one['every'])}" if one["source"] else "from uploads"
    if one["reason"]:
        yield f"reason: {one['reason']}"
    if one["code"]:
        yield f"return code: {one['code']}"
    if one["problem"]:
        yield f"failing since {moment_text(one['failing'])}: {one['problem']}"
    for label, moment in (("checked", one["checked"]), ("next", one["next"])):
        if moment:
            yield f"{label}: {moment_text(moment)}"
    for version in one["versions"]:
        yield (
            f"{moment_text(version['at'])}: {version['state']}, {entries_text(version)}, "
            f"{version['added']} added, {version['removed']} removed"
        )
        yield from details_of(version)


def entries_text(told: dict[str, Any]) -> str:
    """How many entries there are."""
    count, left_out = told["entries"], told.get("kept_out", 0)
    if left_out:
        does = "it covers" if left_out == 1 else "they cover"
        some = f"{count:,} of {count + left_out:,} entries"
        return f"{some} ({left_out:,} left out: {does} own servers)"
    return counted(count, "entry", "entries")


def details_of(version: dict[str, Any]) -> Iterator[str]:
    """What was left out of a version, and why."""
    if version["state"] == "held":
        yield f"  held back: {version['held']}"
    for reason, count in version["left_out"].items():
        yield f"  {count:,} left out: {reason}"
    if version["own_servers"]:
        yield f"  left out for the own servers: {', '.join(version['own_servers'][:SHOWN])}"
    for bad in version["bad_lines"][:SHOWN]:
        yield f"  line {bad['line']} cannot be read: {bad['problem']}"
    if version.get("bad", 0) > SHOWN:
        yield f"  and {counted(version['bad'] - SHOWN, 'further line', 'further lines')}"
    if missing := version.get("missing"):
        yield f"  left out, depends on the sender: {', '.join(missing[:SHOWN])}"
    if undenied := version.get("undenied"):
        yield f"  may hold too much, denied to some senders by: {', '.join(undenied[:SHOWN])}"


def preview_lines(found: dict[str, Any]) -> Iterator[str]:
    """What a list would bring, and whom it would have hit."""
    yield f"{entries_text(found)}, read as {found['format']}; nothing was kept"
    if found.get("added") is not None:
        yield f"  {found['added']:,} added, {found['removed']:,} removed"
    for target in found["sample"][:SHOWN]:
        yield f"  {target}"
    if found["entries"] > SHOWN:
        yield f"  and {found['entries'] - SHOWN:,} more"
    yield from details_of(found | {"state": ""})
    if found["impact"] is not None:
        yield from impact_lines(found["impact"])
