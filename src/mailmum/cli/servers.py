"""`server add | list | show | edit | rotate-key | remove`."""

from typing import Any

import click

from mailmum.cli import pauses
from mailmum.cli.client import server_path
from mailmum.cli.output import moment_text, print_json, print_json_list, print_rows, say, warn
from mailmum.cli.session import Session, common, pass_session

_LISTS = {
    "bl": "blocked addresses",
    "wl": "allowed addresses",
    "dbl": "blocked names",
    "dwl": "allowed names",
}
_ANSWERS = ("ttl", "code", "text")
_name = click.argument("name")
_addresses = click.option(
    "--address",
    "addresses",
    metavar="ADDRESS",
    multiple=True,
    help="One of its own addresses or host names, which are then never blocked by mistake.",
)


_askers = click.option(
    "--asked-from",
    "askers",
    metavar="NETWORK",
    multiple=True,
    help="An address or network that may ask its zones; all others are refused.",
)


@click.group(short_help="Add, show and remove mail servers.")
@common
def server() -> None:
    """Add, show and remove mail servers.

    Each server has zones of its own, so that it can be told apart and its key be changed.
    """


@server.command()
@_name
@_addresses
@_askers
@common
@pass_session
def add(session: Session, name: str, addresses: tuple[str, ...], askers: tuple[str, ...]) -> None:
    """Add a mail server; it gets its zones at once."""
    body: dict[str, Any] = {"name": name, "addresses": list(addresses)}
    if askers:
        body["askers"] = list(askers)
    made = session.client().send("POST", "/servers", body)
    _show(session, made)
    if not session.as_json:
        say(f"next: mailmum postfix setup --server {made['name']}")


@server.command("list")
@common
@pass_session
def list_(session: Session) -> None:
    """List the mail servers."""
    found = session.client().get("/servers")["servers"]
    if session.as_json:
        print_json_list(found)
        return
    rows = (
        [
            one["name"],
            one["key"],
            moment_text(one["last_query"]) or "never",
            " ".join(one["addresses"]),
        ]
        for one in found
    )
    none = "there is no mail server yet; add one: mailmum server add NAME"
    print_rows(("Name", "Key", "Last asked", "Own addresses"), rows, none=none)
    paused = dict.fromkeys(pauses.pause_text(one["paused"]) for one in found if one.get("paused"))
    for text in paused:
        warn(f"{text}: nothing is blocked")


@server.command()
@_name
@common
@pass_session
def show(session: Session, name: str) -> None:
    """Show a mail server with its zones."""
    _show(session, session.client().get(server_path(name)))


@server.command()
@_name
@click.option("--name", "new_name", metavar="NEW", help="Call it by another name.")
@_addresses
@click.option("--no-addresses", is_flag=True, help="Forget its own addresses.")
@_askers
@click.option("--asked-from-anywhere", is_flag=True, help="Let anyone ask its zones again.")
@click.option("--ttl", metavar="SECONDS", help="For how long its answers may be kept.")
@click.option("--code", metavar="127.0.0.9", help="Return code of listings without their own.")
@click.option("--text", metavar="TEXT", help="What senders are told where a block has no reason.")
@common
@pass_session
def edit(
    session: Session,
    /,
    name: str,
    new_name: str | None,
    addresses: tuple[str, ...],
    askers: tuple[str, ...],
    *,
    no_addresses: bool,
    asked_from_anywhere: bool,
    **own: str | None,
) -> None:
    """Rename a mail server, or replace its own addresses, who may ask, or its answers.

    --ttl, --code and --text hold on this server only; given empty, the account's hold again.
    """
    if addresses and no_addresses:
        raise click.UsageError("--address and --no-addresses exclude each other.")
    if askers and asked_from_anywhere:
        raise click.UsageError("--asked-from and --asked-from-anywhere exclude each other.")
    body: dict[str, Any] = {} if new_name is None else {"name": new_name}
    if addresses or no_addresses:
        body["addresses"] = list(addresses)
    if askers or asked_from_anywhere:
        body["askers"] = list(askers)
    given = _answers({word: value for word, value in own.items() if value is not None})
    if not body and not given:
        raise click.UsageError("Say what to change, for example with --name or --address.")
    client = session.client()
    if given:
        # The service takes all three at once, so what is left out is asked for.
        body["own"] = client.get(server_path(name))["own"] | given
    _show(session, client.send("PATCH", server_path(name), body))


def _answers(given: dict[str, str]) -> dict[str, Any]:
    """What the options say, as the service takes it; empty means the account's."""
    found: dict[str, Any] = {word: value.strip() or None for word, value in given.items()}
    if found.get("ttl") is not None:
        ttl = found["ttl"]
        if not (ttl.isascii() and ttl.isdigit() and len(ttl) < 10):
            raise click.UsageError("--ttl takes a number of seconds, or nothing: --ttl ''")
        found["ttl"] = int(ttl)
    if "text" in found:
        found["text"] = found["text"] or ""
    return found


@server.command("rotate-key")
@_name
@click.option("--keep", metavar="7d", help="How long the present key lives on; 0s ends it at once.")
@common
@pass_session
def rotate_key(session: Session, name: str, keep: str | None) -> None:
    """Give a mail server a new key, and so new zones."""
    made = session.client().send("POST", f"{server_path(name)}/rotate-key", {"keep": keep})
    _show(session, made)
    if not session.as_json:
        say(f"next: mailmum postfix setup --server {made['name']}")


@server.command()
@_name
@common
@pass_session
def remove(session: Session, name: str) -> None:
    """Remove a mail server with its own listings; its key ends at once."""
    answer = session.client().send("DELETE", server_path(name))
    if session.as_json:
        print_json(answer)
        return
    say(f"removed: server {answer['removed']} with {answer['listings']} listings of its own")


server.add_command(pauses.pause_server)
server.add_command(pauses.resume_server)


def _show(session: Session, one: dict[str, Any]) -> None:
    if session.as_json:
        print_json(one)
        return
    say(f"server {one['name']}")
    for word, meaning in _LISTS.items():
        say(f"  {word:4} {one['zones'][word]}  ({meaning})")
    if pause := one.get("paused"):
        say(f"  {pauses.pause_text(pause)}: nothing is blocked")
    if one["addresses"]:
        say(f"  own addresses: {', '.join(one['addresses'])}")
    if one["askers"]:
        say(f"  asked from: {', '.join(one['askers'])}")
    if own := [f"{word} {one['own'][word]}" for word in _ANSWERS if one["own"][word]]:
        say(f"  answers of its own: {', '.join(own)}")
    if one["barred"]:
        barred = one["barred"]
        say(
            f"  refused: {barred['queries']} lookups from elsewhere, the last by "
            f"{barred['sender']}, {moment_text(barred['last'])}"
        )
    say(f"  last asked: {moment_text(one['last_query']) or 'never'}")
    if one["last_logged"]:
        say(f"  last logged: {moment_text(one['last_logged'])}")
    for key in one["old_keys"]:
        state = "revoked since" if key["revoked"] else "still answered until"
        say(f"  old key {key['key']}: {state} {moment_text(key['until'])}")
