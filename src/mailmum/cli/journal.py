"""`journal list | show | undo`: who changed what and when, and taking a change back."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import click

from mailmum.cli.evidence import evidence_lines
from mailmum.cli.output import (
    listing_text,
    moment_text,
    print_json,
    print_json_list,
    print_rows,
    say,
    scope_text,
    unix_text,
)
from mailmum.cli.session import Session, common, pass_session
from mailmum.domain.words import SECONDS, TYPED, said, span

_SHOWN = 20
_KINDS = click.Choice(
    ["listings", "imports", "triggers", "servers", "account", "people", "tokens", "undone"]
)
_change = click.argument("change", type=click.IntRange(1, 2**62))


@click.group(short_help="Show changes, and undo them.")
@common
def journal() -> None:
    """Show who changed what and when, and undo a change.

    Every change has a number, which commands tell. An undo is a change itself, and can be undone.
    """


@journal.command("list")
@click.option("--server", metavar="NAME", help="Only about this mail server.")
@click.option("--target", metavar="TARGET", help="Only of listings of exactly this target.")
@click.option("--kind", type=_KINDS, help="Only of this kind.")
@click.option(
    "--limit",
    type=click.IntRange(0),
    default=50,
    show_default=True,
    metavar="N",
    help="At most so many; 0: all.",
)
@common
@pass_session
def list_(
    session: Session, *, server: str | None, target: str | None, kind: str | None, limit: int
) -> None:
    """List changes, newest first."""
    asked = {"server": server, "target": target, "kind": kind}
    size = min(limit or 1000, 1000)
    found = session.client().pages("/journal", "records", **asked, limit=size)
    shown = islice(found, limit or None)
    if session.as_json:
        print_json_list(shown)
        return
    rows = (
        [
            str(one["seq"]),
            moment_text(one["when"]),
            one["actor"],
            one["what"],
            one["server"] or "",
            one["summary"],
            _undone(one),
        ]
        for one in shown
    )
    titles = ("Change", "When", "Who", "What", "Server", "About", "Undone")
    print_rows(titles, rows, none="there is no such change")


@journal.command()
@_change
@common
@pass_session
def show(session: Session, change: int) -> None:
    """Show a change: what was before and after, with the reasons of a trigger."""
    one = session.client().get(f"/journal/{change}")
    if session.as_json:
        print_json(one)
        return
    via = f" ({one['via']})" if one["via"] else ""
    say(f"change {one['seq']}: {one['what']} by {one['actor']}{via}, {moment_text(one['when'])}")
    say(f"  {one['summary']}" + (f" ({scope_text(one['server'])})" if one["server"] else ""))
    for line in _changed(one["before"], one["after"]):
        say(f"  {line}")
    for finding in one["evidence"][:_SHOWN]:
        say(f"  why {finding['target']}:")
        for line in evidence_lines(finding):
            say(f"    {line}")
    if one["count"] > _SHOWN:
        say(f"  {one['count']:,} in all; --json has more of them")
    if one["undoable"]:
        say(f"to undo it: mailmum journal undo {one['seq']}")
    else:
        say(_undone(one) or "it cannot be undone by itself")


@journal.command()
@_change
@common
@pass_session
def undo(session: Session, change: int) -> None:
    """Undo a change, as a change of its own; refused where a later one stands in the way."""
    made = session.client().send("POST", f"/journal/{change}/undo")
    if session.as_json:
        print_json(made)
        return
    say(f"{made['summary']}, in change {made['change']}")


def _undone(one: dict[str, Any]) -> str:
    return f"undone by {one['undone_by']}" if one["undone_by"] else ""


def _changed(before: Any, after: Any) -> Iterator[str]:
    """What a change changed, a line each: values by name, or listings."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in [*before, *(after.keys() - before.keys())]:
            was, now = before.get(name), after.get(name)
            if was != now:
                yield f"{name}: {_field(name, was)} -> {_field(name, now)}"
        return
    for word, told in (("before", before), ("after", after)):
        yield from (f"{word}: {line}" for line in _state(told))


def _state(told: Any) -> Iterator[str]:
    if isinstance(told, dict):
        yield from (f"{name} {_field(name, value)}" for name, value in told.items() if value)
        return
    for one in (told or [])[:_SHOWN]:
        if not isinstance(one, dict) or "action" not in one:
            yield _value(one)
            continue
        note = f", note: {one['note']}" if one.get("note") else ""
        yield f"listing {one['id']}: {listing_text(one)}{note}"


def _field(name: str, value: Any) -> str:
    """What a field holds, for people: lengths of time and moments as they read them elsewhere."""
    if value and name in TYPED:
        return said(value)
    if value is not None and name in SECONDS:
        return span(value)
    if name == "blocks_from":
        return "somebody resumes" if value is None else unix_text(value) if value else "now"
    return moment_text(value) if name == "expires" and value else _value(value)


def _value(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(str(one) for one in value) or "none"
    return "none" if value in (None, "") else str(value)
