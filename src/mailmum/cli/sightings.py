"""`sightings`: what reached the mail servers, newest first; and what `tail` shares with it."""

import sys
from collections.abc import Iterator
from itertools import islice
from typing import Any

import click

from mailmum.cli.output import moment_text, print_json_list, print_rows
from mailmum.cli.session import Session, common, pass_session, together

OUTCOMES = (
    "accepted", "rejected", "deferred", "relay-denied", "unknown-recipient", "auth-failed",
    "protocol", "lost", "connected", "warned", "listed", "allowed", "unlisted",
)  # fmt: skip
SOURCES = ("log", "dns", "policy")
_PAGE = 1000
_HEADERS = ("Time", "Server", "Outcome", "Client", "Name", "Sender", "Recipient", "Because")


filters = together(
    click.option("--server", metavar="NAME", help="Of this server only."),
    click.option("--client", metavar="ADDRESS", help="Of this address or network."),
    click.option("--name", metavar="HOST", help="Of this host, or with a dot this domain."),
    click.option("--helo", metavar="TEXT", help="With this in what the client called itself."),
    click.option("--sender", metavar="TEXT", help="With this in the sender."),
    click.option("--recipient", metavar="TEXT", help="With this in the recipient."),
    click.option(
        "--outcome",
        type=click.Choice(OUTCOMES),
        multiple=True,
        metavar="WORD",
        help=f"With this outcome; more than once for more: {', '.join(OUTCOMES)}.",
    ),
    click.option(
        "--source",
        type=click.Choice(SOURCES),
        multiple=True,
        metavar="WORD",
        help="Seen by the log, dns or policy; more than once for more.",
    ),
    click.option("--rbl", metavar="ZONE", help="Decided by this public list."),
)
"""The options that say which sightings."""


@click.command(short_help="Search what reached your mail servers.")
@filters
@click.option("--since", metavar="2h", help="Since then: 2h, 7d, a day or a moment.")
@click.option("--until", metavar="1h", help="Before then.")
@click.option("--limit", metavar="N", default=100, show_default=True, help="At most; 0 for all.")
@click.option("--csv", "as_csv", is_flag=True, help="Print all as CSV.")
@common
@pass_session
def sightings(session: Session, /, limit: int, as_csv: bool, **wanted: Any) -> None:
    """Search what reached your mail servers: one line a contact, newest first.

    Of contacts that only a lookup told about, the outcome is what was answered: listed, allowed or
    unlisted.
    """
    if as_csv:
        for block in session.client().download("/sightings/export", **wanted):
            sys.stdout.buffer.write(block)
        return
    size = min(limit, _PAGE) if limit else _PAGE
    found = session.client().pages("/sightings", "sightings", **wanted, limit=size)
    some = islice(found, limit) if limit else found
    if session.as_json:
        print_json_list(some)
        return
    print_rows(_HEADERS, _rows(some), none="nothing was seen")


def _rows(found: Iterator[dict[str, Any]]) -> Iterator[list[str]]:
    for one in found:
        yield [
            moment_text(one["time"]),
            one["server"],
            outcome_text(one),
            one["client"] or "",
            one["client_name"] or one["helo"] or "",
            _address(one["sender"]),
            _address(one["recipient"]),
            one["rbl"] or one["reason"] or "",
        ]


def outcome_text(one: dict[str, Any]) -> str:
    """What became of it, with how often for counted lookups."""
    times = f" x {one['count']}" if one["count"] > 1 else ""
    how = f" ({one['delivery']})" if one["delivery"] else ""
    return f"{one['outcome']}{how}{times}"


def sighting_text(one: dict[str, Any]) -> str:
    """A sighting in one line."""
    client = " ".join(filter(None, (one["client"], one["client_name"] or one["helo"])))
    mail = " -> ".join(filter(None, (_address(one["sender"]), _address(one["recipient"]))))
    because = one["rbl"] or (None if one["outcome"] == "accepted" else one["reason"])
    parts = (one["server"], outcome_text(one), client, mail, because)
    return "  ".join([moment_text(one["time"]), *filter(None, parts)])


def _address(address: str | None) -> str:
    return "" if address is None else f"<{address}>"
