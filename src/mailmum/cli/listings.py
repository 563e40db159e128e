"""`block`, `allow`, `unlist` and `listings`."""

import sys
from typing import Any

import click

from mailmum.cli.output import (
    listing_text,
    moment_text,
    print_json,
    print_json_list,
    print_rows,
    say,
    scope_text,
    warn,
)
from mailmum.cli.session import Session, common, pass_session, together
from mailmum.cli.targets import read_targets

_NEVER = "never"
_PAGE = 1000

server_option = click.option("--server", metavar="NAME", help="For this server only.")
_targets = click.argument("targets", metavar="TARGET...", nargs=-1, required=True)


_wish_options = together(
    server_option,
    click.option("--for", "lifetime", metavar="7d", help="How long, as 12h, 7d, 2w or never."),
    click.option("--reason", metavar="TEXT", help="Public: senders read it in the reply."),
    click.option("--note", metavar="TEXT", help="Private: for you and your colleagues."),
    click.option("--code", metavar="127.0.0.9", help="Return code of the DNS answer."),
    click.option("--force", is_flag=True, help="List guarded targets too."),
    common,
)


@click.command(short_help="Block addresses, networks, hosts or domains.")
@_targets
@_wish_options
@pass_session
def block(session: Session, /, targets: tuple[str, ...], **wish: Any) -> None:
    """Block addresses, networks, hosts or domains.

    A target that is listed already is changed, and what it was is told; options left out keep
    their value then.
    """
    _list(session, "block", targets, wish)


@click.command(short_help="Allow addresses, networks, hosts or domains.")
@_targets
@_wish_options
@pass_session
def allow(session: Session, /, targets: tuple[str, ...], **wish: Any) -> None:
    """Allow addresses, networks, hosts or domains.

    An allow overrides every block of a wider target, and other blacklists too where Postfix was
    set up with `mailmum postfix setup`.
    """
    _list(session, "allow", targets, wish)


@click.command(short_help="Remove listings of exactly these targets.")
@_targets
@server_option
@common
@pass_session
def unlist(session: Session, targets: tuple[str, ...], server: str | None) -> None:
    """Remove listings of exactly these targets.

    Without --server those that hold for all servers, with it those of that server. A target that is
    not listed is told and is no failure.
    """
    wanted = _read(targets)
    if not wanted:
        _print_removed(session, {"change": None, "removed": [], "not_listed": []}, server)
        return
    body = {"targets": wanted, "server": server}
    _print_removed(session, session.client().send("POST", "/listings/remove", body), server)


@click.command(short_help="Show listings.")
@click.option("--server", metavar="NAME", help="Only those that hold for this server.")
@click.option("--covering", metavar="CLIENT", help="Only those that cover this address or name.")
@click.option("--action", type=click.Choice(["block", "allow"]), help="Only blocks or allows.")
@common
@pass_session
def listings(
    session: Session, server: str | None, covering: str | None, action: str | None
) -> None:
    """Show listings, newest first.

    With --server those of that server and those of all servers.
    """
    found = session.client().pages(
        "/listings", "listings", server=server, covering=covering, action=action, limit=_PAGE
    )
    if session.as_json:
        print_json_list(found)
        return
    headers = ("Id", "Target", "Action", "Scope", "Source", "Code", "Expires", "Reason")
    print_rows(headers, (_row(listing) for listing in found), none="nothing is listed")


def _row(listing: dict[str, Any]) -> list[str]:
    source = " ".join(filter(None, (listing["source"], listing["origin"])))
    return [
        str(listing["id"]),
        listing["target"],
        listing["action"] if listing["enabled"] else f"{listing['action']} (disabled)",
        listing["scope"],
        source,
        listing["code"] or "",
        moment_text(listing["expires"]),
        listing["reason"],
    ]


def _read(words: tuple[str, ...]) -> list[str]:
    wanted = read_targets(words, sys.stdin.buffer)
    if not wanted:
        warn("there was no target on standard input, so there is nothing to do")
    return wanted


def _list(session: Session, action: str, words: tuple[str, ...], wish: dict[str, Any]) -> None:
    wanted = _read(words)
    answer: dict[str, Any] = {"change": None, "listings": []}
    if wanted:
        body = {"targets": wanted, "action": action} | _fields(wish)
        answer = session.client().send("POST", "/listings", body)
    made = [
        {**one["listing"], "outcome": one["outcome"], "was": one["was"]}
        for one in answer["listings"]
    ]
    if session.as_json:
        print_json({"change": answer["change"], "listings": made})
        return
    for listing in made:
        say(_outcome_text(listing))
    if len(made) > 1:
        say(_summary(answer["change"], [listing["outcome"] for listing in made]))


def _fields(wish: dict[str, Any]) -> dict[str, Any]:
    # What is left out keeps its value, so only what was given is sent.
    given = {
        name: wish[name] for name in ("server", "reason", "note", "code") if wish[name] is not None
    }
    if wish["lifetime"] is not None:
        lifetime = wish["lifetime"].strip().lower()
        given["for"] = None if lifetime == _NEVER else wish["lifetime"]
    if wish["force"]:
        given["force"] = True
    return given


def _outcome_text(listing: dict[str, Any]) -> str:
    text = f"{listing['outcome']}: {listing_text(listing)}"
    return f"{text}; was: {listing_text(listing['was'])}" if listing["was"] else text


def _summary(change: int | None, outcomes: list[str]) -> str:
    counts = [f"{outcomes.count(word)} {word}" for word in ("added", "changed", "unchanged")]
    where = f" in change {change}" if change is not None else ""
    return f"{', '.join(counts)}{where}"


def _print_removed(session: Session, answer: dict[str, Any], server: str | None) -> None:
    if session.as_json:
        print_json(answer)
        return
    for listing in answer["removed"]:
        say(f"removed: {listing_text(listing)}")
    where = scope_text(server or "account")
    for target in answer["not_listed"]:
        say(f"not listed: {target} ({where})")
