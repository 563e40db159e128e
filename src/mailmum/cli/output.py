"""What commands print: JSON for programs, tables for terminals, tab-separated lines for pipes."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain, islice
from typing import Any

import click

from mailmum.cli.failures import Failure
from mailmum.cli.visible import visible

_PAGE = 500
_GAP = 3
_LEAST_TEXT = 10


def say(text: str) -> None:
    """A line on standard output, untrusted parts made visible."""
    click.echo(visible(text))


def warn(text: str) -> None:
    """A line on standard error for what is worth knowing but no failure."""
    click.echo(f"mailmum: {visible(text)}", err=True)


def print_json(value: object) -> None:
    """One JSON document."""
    click.echo(json.dumps(value, indent=2))


def print_json_list(values: Iterable[object]) -> None:
    """A JSON array as it comes, one element a line: a million listings need no memory."""
    rest = iter(values)
    # Asked for before anything is printed: most failures come with the first answer.
    first = list(islice(rest, 1))
    separator = "[\n"
    try:
        for value in chain(first, rest):
            click.echo(f"{separator}{json.dumps(value)}", nl=False)
            separator = ",\n"
    except Failure as failure:
        failure.midway = True
        raise
    click.echo("\n]" if first else "[]")


def print_rows(headers: Sequence[str], rows: Iterable[Sequence[str]], *, none: str) -> None:
    """A table.

    Args:
        headers: names of the columns.
        rows: one text a column.
        none: what to say on standard error when there are no rows.
    """
    cells = ([visible(cell) for cell in row] for row in rows)
    first = next(cells, None)
    if first is None:
        warn(none)
        return
    if sys.stdout.isatty():
        _table(headers, first, cells)
        return
    click.echo("\t".join(headers).lower())
    click.echo("\t".join(first))
    for row in cells:
        click.echo("\t".join(row))


def _table(headers: Sequence[str], first: list[str], rest: Iterator[list[str]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    page = [first, *islice(rest, _PAGE - 1)]
    while page:
        # A column that says nothing takes no room from those that do.
        used = [at for at in range(len(headers)) if any(row[at] for row in page)]
        kept = _unbroken(headers, page, used, console.width)
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for at in used:
            table.add_column(headers[at], overflow="fold", no_wrap=at in kept)
        for row in page:
            # Text, not markup: brackets in a reason stay brackets.
            table.add_row(*(Text(row[at]) for at in used))
        console.print(table)
        page = list(islice(rest, _PAGE))


def _unbroken(
    headers: Sequence[str], page: list[list[str]], used: list[int], width: int
) -> set[int]:
    """The columns to keep in one line, so that an address can be copied, where there is room."""
    words = {at for at in used if not any(" " in row[at] for row in page)}
    needed = sum(max(len(headers[at]), *(len(row[at]) for row in page)) for at in words)
    others = _LEAST_TEXT * (len(used) - len(words))
    return words if needed + others + _GAP * len(used) <= width else set()


def moment_text(moment: str | None) -> str:
    """An ISO 8601 moment of the API for people; empty for None.

    >>> moment_text("2026-11-29T15:04:05Z")
    '2026-11-29 15:04:05 UTC'
    """
    return "" if moment is None else moment.replace("T", " ").replace("Z", " UTC")


def unix_text(seconds: int) -> str:
    """A Unix time for people.

    >>> unix_text(1_790_000_000)
    '2026-09-21 14:13:20 UTC'
    """
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def scope_text(scope: str) -> str:
    """Where a listing holds, in words."""
    return "all servers" if scope == "account" else f"server {scope}"


def listing_text(listing: dict[str, Any]) -> str:
    """A listing in one line.

    >>> listing_text({"action": "block", "target": "203.0.113.7", "scope": "account"})
    'block 203.0.113.7 (all servers)'
    """
    parts = [f"{listing['action']} {listing['target']} ({scope_text(listing['scope'])})"]
    if listing.get("source", "person") != "person":
        origin = listing.get("origin")
        parts.append(f"from {listing['source']}" + (f" {origin}" if origin else ""))
    if listing.get("expires"):
        parts.append(f"until {moment_text(listing['expires'])}")
    if listing.get("code"):
        parts.append(f"code {listing['code']}")
    if not listing.get("enabled", True):
        parts.append("disabled")
    if listing.get("reason"):
        parts.append(f'"{listing["reason"]}"')
    return ", ".join(parts)


def numbered_text(listing: dict[str, Any]) -> str:
    """The same with its number; an entry of a feed has none of its own."""
    name = f"listing {listing['id']}" if listing["id"] > 0 else "an entry"
    return f"{name}: {listing_text(listing)}"
