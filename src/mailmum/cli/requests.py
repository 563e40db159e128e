"""`requests list | show | accept | decline`: what rejected senders ask for."""

from typing import Any

import click

from mailmum.cli.output import (
    listing_text,
    moment_text,
    print_json,
    print_json_list,
    print_rows,
    say,
)
from mailmum.cli.session import Session, common, pass_session

_number = click.argument("number", type=click.IntRange(1, 2**62))


@click.group(short_help="Answer rejected senders who ask for removal.")
@common
def requests() -> None:
    """Answer rejected senders who ask for removal.

    They come from the page that a reject links to. What they write is theirs: anybody can ask.
    """


@requests.command("list")
@click.option("--all", "every", is_flag=True, help="Answered ones too.")
@common
@pass_session
def list_(session: Session, *, every: bool) -> None:
    """List requests that wait for an answer, newest first."""
    state = "all" if every else "open"
    found = list(session.client().pages("/requests", "requests", state=state))
    if session.as_json:
        print_json_list(found)
        return
    rows = (
        [
            str(one["id"]),
            one["state"],
            one["client"],
            one["server"],
            moment_text(one["created"]) or "",
            one["text"].replace("\n", " ")[:60],
        ]
        for one in found
    )
    titles = ("Number", "State", "Client", "Server", "Asked", "Says")
    print_rows(titles, rows, none="no request waits for an answer")


@requests.command()
@_number
@common
@pass_session
def show(session: Session, number: int) -> None:
    """Show a request, the listing that blocks the client, and what was seen of it."""
    one = session.client().get(f"/requests/{number}")
    if session.as_json:
        print_json(one)
        return
    say(f"request {one['id']}: {one['client']} at server {one['server']}, {one['state']}")
    say(f"  asked {moment_text(one['created'])} from {one['from'] or 'an unknown address'}")
    if one["reply_to"]:
        say(f"  answers to: {one['reply_to']}")
    for line in one["text"].splitlines():
        say(f"  | {line}")
    _tell_because(one)
    if one["answered"]:
        say(f"  answered {moment_text(one['answered'])} by {one['answered_by']}")
        if one["answer"]:
            say(f"  answer: {one['answer']}")


@requests.command()
@_number
@click.option("--unlist", is_flag=True, help="Remove the listing that blocks it, instead.")
@click.option("--everywhere", is_flag=True, help="Allow it on all servers.")
@click.option("--for", "lifetime", metavar="30d", help="For how long to allow it.")
@common
@pass_session
def accept(
    session: Session, number: int, *, unlist: bool, everywhere: bool, lifetime: str | None
) -> None:
    """Allow the client at the server that refused it, or remove the block."""
    if unlist and (everywhere or lifetime):
        raise click.UsageError("--unlist excludes --everywhere and --for.")
    how = "unlist" if unlist else "allow"
    body = {"how": how, "everywhere": everywhere, "for": lifetime}
    _tell(session, session.client().send("POST", f"/requests/{number}/accept", body))


@requests.command()
@_number
@click.option("--answer", metavar="TEXT", default="", help="Public: who asked may read it.")
@common
@pass_session
def decline(session: Session, number: int, answer: str) -> None:
    """Leave things as they are."""
    sent = session.client().send("POST", f"/requests/{number}/decline", {"answer": answer})
    _tell(session, sent)


def _tell(session: Session, answer: dict[str, Any]) -> None:
    if session.as_json:
        print_json(answer)
        return
    one, change = answer["request"], answer["change"]
    told = f"request {one['id']} about {one['client']}: {one['state']}"
    say(told + (f" in change {change}" if change else ""))
    if answer["still"]:
        say(f"  still blocked by listing {answer['still']['id']}: {listing_text(answer['still'])}")


def _tell_because(one: dict[str, Any]) -> None:
    if one["because"]:
        say(f"  blocked by listing {one['because']['id']}: {listing_text(one['because'])}")
    else:
        say("  no listing blocks it there now")
    seen = one["seen"]
    if seen:
        accepted = (
            "accepted mail not known"
            if seen["accepted"] is None
            else (f"{seen['accepted']} accepted")
        )
        say(
            f"  in 30 days: {seen['contacts']} contacts, {accepted}, {seen['rejected']} turned away"
        )
