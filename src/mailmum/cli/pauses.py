"""`pause`, `resume`, `server pause` and `server resume`: the panic switch."""

from typing import Any

import click

from mailmum.cli.client import server_path
from mailmum.cli.output import moment_text, print_json, say
from mailmum.cli.session import Session, common, pass_session

_for = click.option("--for", "lifetime", metavar="2h", help="For how long; else until you resume.")
_name = click.argument("name")


@click.command(short_help="Block nothing for a while: the panic switch.")
@_for
@common
@pass_session
def pause(session: Session, lifetime: str | None) -> None:
    """Block nothing on any server of the account; what is allowed stays allowed.

    Effective at once in DNS and policy service. Resolvers may keep an answer they have for as long
    as its TTL says, postscreen for up to an hour.
    """
    _tell(session, session.client().send("POST", "/pause", {"for": lifetime}))


@click.command(short_help="End the pause of the account.")
@common
@pass_session
def resume(session: Session) -> None:
    """Let listings of the account block again; a server that is paused itself stays so."""
    _tell(session, session.client().send("DELETE", "/pause"), ended="the account")


@click.command("pause")
@_name
@_for
@common
@pass_session
def pause_server(session: Session, name: str, lifetime: str | None) -> None:
    """Block nothing on one mail server; what is allowed stays allowed."""
    _tell(session, session.client().send("POST", f"{server_path(name)}/pause", {"for": lifetime}))


@click.command("resume")
@_name
@common
@pass_session
def resume_server(session: Session, name: str) -> None:
    """End the pause of one mail server."""
    answer = session.client().send("DELETE", f"{server_path(name)}/pause")
    _tell(session, answer, ended=f"server {name}")


def pause_text(paused: dict[str, Any]) -> str:
    """A pause in words."""
    scope = paused["scope"]
    whose = "the account" if scope == "account" else f"server {scope}"
    until = moment_text(paused["until"])
    return f"blocking is paused for {whose} until {until or 'you resume it'}"


def _tell(session: Session, answer: dict[str, Any], *, ended: str = "") -> None:
    if session.as_json:
        print_json(answer)
        return
    paused, change = answer["paused"], answer["change"]
    if ended and change is not None:
        say(f"resumed: listings of {ended} block again")
    elif ended:
        say(f"{ended} was not paused itself")
    if paused is not None:
        say(pause_text(paused) + ("" if change is not None or ended else ", as before"))
