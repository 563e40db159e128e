"""What `feed` and `provider` have in common: the verbs for one that is there, and what is said."""

from collections.abc import Callable
from typing import Any

import click

from mailmum.cli.client import segment
from mailmum.cli.failures import Failure
from mailmum.cli.feeds_text import (
    details_of,
    does_text,
    entries_text,
    lines_of,
    preview_lines,
    row_of,
)
from mailmum.cli.output import print_json, print_json_list, print_rows, say, warn
from mailmum.cli.session import Session, common, pass_session
from mailmum.cli.visible import visible
from mailmum.domain.words import said

name_argument = click.argument("name")
every_option = click.option("--every", metavar="6h", default="", help="How often to refresh it.")
server_option = click.option("--server", metavar="NAME", help="For this server only; else for all.")
shrink_option = click.option(
    "--shrink", type=int, metavar="50", help="Hold back what loses more percent."
)
grow_option = click.option(
    "--grow", type=int, metavar="100", help="Hold back what gains more percent."
)
code_option = click.option("--code", metavar="127.0.0.9", help="Return code of the DNS answer.")
new_server_option = click.option(
    "--server", metavar="NAME", help="For this server only; account for all."
)
new_every_option = click.option("--every", metavar="6h", help="How often to refresh it.")
new_code_option = click.option(
    "--code", metavar="127.0.0.9", help="Return code of the DNS answer; empty: the usual one."
)


def list_(session: Session, found: list[dict[str, Any]], none: str) -> None:
    """Those of one kind, or what to do where there are none."""
    if session.as_json:
        print_json_list(found)
        return
    print_rows(
        ("Name", "State", "Does", "Entries", "Changed", "From"), map(row_of, found), none=none
    )


def _show(session: Session, name: str) -> None:
    """Show one with its versions."""
    found = session.client().get(path_of(name))
    if session.as_json:
        print_json(found)
        return
    for line in lines_of(found):
        say(line)


def _refresh(session: Session, name: str) -> None:
    """Refresh one now."""
    tell_outcome(session, session.client().send("POST", path_of(name, "refresh"), patient=True))


def _release(session: Session, name: str, *, drop: bool) -> None:
    """Put in force the update that is held back, or drop it."""
    found = session.client().send("POST", path_of(name, "release"), {"drop": drop})
    tell(session, found, "dropped" if drop else f"in force with {entries_text(found)}")


def _pause(session: Session, name: str) -> None:
    """Let one rest: its entries hold no more."""
    tell(session, session.client().send("POST", path_of(name, "pause")), "rests")


def _resume(session: Session, name: str) -> None:
    """Let one go on."""
    tell(session, session.client().send("POST", path_of(name, "resume")), "goes on")


def _remove(session: Session, name: str) -> None:
    """Remove one; its entries are gone at once."""
    done = session.client().send("DELETE", path_of(name))
    if session.as_json:
        print_json(done)
    else:
        say(f"removed {name}")


def add_verbs(group: click.Group) -> None:
    """Give a group the verbs for one that is there."""
    for name, run in _VERBS.items():
        command: Any = pass_session(run)
        if name == "release":
            command = click.option("--drop", is_flag=True, help="Do not take it.")(command)
        group.command(name, help=run.__doc__)(name_argument(common(command)))


_VERBS: dict[str, Callable[..., None]] = {
    "show": _show,
    "refresh": _refresh,
    "release": _release,
    "pause": _pause,
    "resume": _resume,
    "remove": _remove,
}


def tell_changed(session: Session, found: dict[str, Any]) -> None:
    """How one stands after it has been changed."""
    code = f", code {found['code']}" if found["code"] else ""
    every = "" if found["kind"] == "upload" else f", every {said(found['every'])}"
    tell(session, found, f"{found['state']}, {does_text(found)}{every}{code}")


def path_of(name: str, verb: str = "") -> str:
    """The path of a feed.

    Raises:
        Failure: no feed has such a name; it would name another resource.
    """
    if not name or not name.strip(".") or "/" in name:
        raise Failure(f"there is no feed {visible(name)!r}", "see the list", code="not-found")
    return f"/feeds/{segment(name)}" + (f"/{verb}" if verb else "")


def tell(session: Session, found: dict[str, Any], words: str) -> None:
    """What has been done to one."""
    if session.as_json:
        print_json(found)
    else:
        say(f"{found['name']}: {words}")


def tell_outcome(session: Session, found: dict[str, Any]) -> None:
    """What a refresh came to; a failure is one of the command, though the feed stays."""
    outcome, told = found["outcome"], found["told"]
    if session.as_json:
        print_json(found)
    elif outcome in ("current", "unchanged"):
        say(f"{found['name']}: {entries_text(found)}, {outcome}")
        newest = found["versions"][0] if found["versions"] else None
        for line in details_of(newest) if newest and outcome == "current" else ():
            say(line)
    if outcome == "held":
        warn(f"{found['name']}: held back, since {told or 'a person has to look at it'}")
        warn(f"see mailmum feed show {found['name']}, then mailmum feed release {found['name']}")
    if outcome == "failed":
        stands = f"stays as it was ({entries_text(found)})"
        if not found["versions"]:
            stands = "has nothing yet, and is tried again"
        warn(f"{found['name']} {stands}: {told}")
        raise click.exceptions.Exit(1)


def tell_preview(session: Session, found: dict[str, Any]) -> None:
    """What one would bring."""
    if session.as_json:
        print_json(found)
        return
    for line in preview_lines(found):
        say(line)
