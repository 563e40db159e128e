"""`rbl list | add | remove | check | health | compare`."""

from typing import Any

import click

from mailmum.cli.client import segment
from mailmum.cli.failures import Failure
from mailmum.cli.output import moment_text, print_json, print_json_list, print_rows, say
from mailmum.cli.session import Session, common, pass_session

_zone = click.argument("zone")


@click.group(short_help="Ask public RBLs, and compare what they catch.")
@common
def rbl() -> None:
    """Ask public RBLs about clients, see whether they can be trusted, compare what they catch.

    None is asked until you add it: who is asked learns whom you deal with.
    """


@rbl.command("list")
@common
@pass_session
def list_(session: Session) -> None:
    """List the public RBLs that are asked."""
    found = session.client().get("/rbls")
    if session.as_json:
        print_json(found)
        return
    _table(found)
    if found["proposals"]:
        say(f"not asked, but used by your mail servers: {', '.join(found['proposals'])}")


@rbl.command()
@_zone
@common
@pass_session
def add(session: Session, zone: str) -> None:
    """Ask a public RBL from now on; whether it works is looked at first."""
    found = session.client().send("POST", "/rbls", {"zone": zone})
    if session.as_json:
        print_json(found)
        return
    # With many lists the one that matters now would be lost among the others.
    name = zone.lower().rstrip(".")
    added = [one for one in found["lists"] if one["zone"] == name]
    _table(found | {"lists": added or found["lists"]})


@rbl.command()
@_zone
@common
@pass_session
def remove(session: Session, zone: str) -> None:
    """Ask a public RBL no longer."""
    if not zone.strip(".") or "/" in zone:
        raise Failure(f"there is no list {zone!r}", "see: mailmum rbl list")
    session.client().send("DELETE", f"/rbls/{segment(zone)}")
    if session.as_json:
        print_json({"removed": zone})
        return
    say(f"removed: {zone}")


@rbl.command()
@click.argument("client")
@common
@pass_session
def check(session: Session, client: str) -> None:
    """Show what the public RBLs say of an address."""
    found = session.client().get("/rbls/check", client=client)
    if session.as_json:
        print_json(found)
        return
    none = "no public RBL is asked; add one: mailmum rbl add ZONE"
    words = {True: "listed", False: "not listed", None: "not known"}
    rows = (
        [one["zone"], words[one["listed"]], " ".join(one["codes"]), one["note"]]
        for one in found["lists"]
    )
    print_rows(("List", "Says", "Codes", "Note"), rows, none=none)


@rbl.command()
@common
@pass_session
def health(session: Session) -> None:
    """Look now whether the public RBLs work, and are to be believed."""
    found = session.client().send("POST", "/rbls/health")
    if session.as_json:
        print_json_list(found["lists"])
        return
    _table(found)


@rbl.command()
@click.option("--days", default=30, show_default=True, metavar="30", help="How far to look back.")
@common
@pass_session
def compare(session: Session, days: int) -> None:
    """Show what each list caught, your own among them: alone, together, and wrongly perhaps."""
    found = session.client().get("/rbls/compare", days=days)
    if session.as_json:
        print_json(found)
        return
    rows = (
        [
            f"{one['zone']} (your own)" if one["own"] else one["zone"],
            f"{one['stopped']:,}",
            f"{one['clients']:,}",
            f"{one['alone']:,}",
            f"{one['senders']:,}",
            f"{one['accepted']:,}",
        ]
        for one in found["lists"]
    )
    headers = ("List", "Stopped", "Clients", "Alone", "Also senders", "Their mail")
    print_rows(headers, rows, none="no list has stopped anything")
    for one in found["lists"]:
        _about(one)
    if not found["complete"]:
        say(f"there is very much of it: compared since {moment_text(found['since'])}")


def _about(one: dict[str, Any]) -> None:
    if one["together"]:
        others = ", ".join(f"{it['zone']} {it['clients']:,}" for it in one["together"][:5])
        say(f"{one['zone']}: of its clients were stopped by others, too: {others}")
    for it in one["examples"][:5]:
        say(
            f"{one['zone']}: stopped {it['client']} ({it['stopped']:,}), which delivered accepted "
            f"mail ({it['accepted']:,})"
        )


def _table(found: dict[str, Any]) -> None:
    rows = (
        [one["zone"], one["state"], one["says"], moment_text(one["checked"])]
        for one in found["lists"]
    )
    none = "no public RBL is asked; add one: mailmum rbl add ZONE"
    print_rows(("List", "State", "Meaning", "Looked at"), rows, none=none)
