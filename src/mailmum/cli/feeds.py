"""`feed` and `provider`: lists of others, and the networks of mail providers, kept up to date."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from mailmum.cli.client import Client, segment
from mailmum.cli.failures import Failure
from mailmum.cli.feeds_text import SHOWN, details_of, does_text, entries_text, lines_of, row_of
from mailmum.cli.output import (
    print_json,
    print_json_list,
    print_rows,
    say,
    warn,
)
from mailmum.cli.session import Session, common, pass_session
from mailmum.cli.visible import visible
from mailmum.domain.words import said

_USES = {"allow": "list", "except": "except", "warn": "warn"}
_name = click.argument("name")
_every = click.option("--every", metavar="6h", default="", help="How often to refresh it.")
_server = click.option("--server", metavar="NAME", help="For this server only; else for all.")


@click.group(short_help="Subscribe to lists of others.")
@common
def feed() -> None:
    """Subscribe to lists of others, and keep them up to date.

    What leaves a list leaves the feed. While a list cannot be had, or an update looks wrong, the
    last good version stays.
    """


@click.group(short_help="Know the networks of mail providers.")
@common
def provider() -> None:
    """Know the networks of mail providers, from their SPF records.

    Mail of everybody comes from them: allow them, keep triggers from listing them, or be warned
    before you do.
    """


@feed.command("add")
@_name
@click.argument("source")
@click.option("--action", type=click.Choice(["block", "allow"]), default="block", show_default=True)
@_server
@click.option("--format", "format_", metavar="FORMAT", default="", help="Else it is found out.")
@_every
@click.option("--reason", metavar="TEXT", default="", help="Public: senders read it.")
@click.option("--code", metavar="127.0.0.9", help="Return code of the DNS answer.")
@click.option("--shrink", type=int, metavar="50", help="Hold back what loses more percent.")
@click.option("--grow", type=int, metavar="100", help="Hold back what gains more percent.")
@click.option(
    "--dry-run", is_flag=True, help="Fetch it, tell what it would bring, and keep nothing."
)
@common
@pass_session
def add(session: Session, /, name: str, source: str, *, dry_run: bool, **options: Any) -> None:
    """Subscribe to a list.

    SOURCE is an address (https://...); or a file here, whose content is handed in; or, with file:
    before it, the name of a file in the account's folder for feeds in the service's data.
    """
    body = {"name": name, **options, "format": options["format_"]} | _source(source)
    del body["format_"]
    client = session.client()
    if dry_run and "upload" in body:
        raise Failure(
            "--dry-run looks at what is fetched, and this file is handed in",
            f"see what is in it with: mailmum import {visible(source)} --dry-run",
            code="bad-input",
        )
    if dry_run:
        _tell_preview(session, client.send("POST", "/feeds/preview", body, patient=True))
        return
    upload = body.pop("upload", None)
    made = client.send("POST", "/feeds", body)
    if upload is None:
        answer = client.send("POST", _path(name, "refresh"), patient=True)
    else:
        answer = _first_upload(client, name, source, upload)
    _tell_outcome(session, made | answer)


def _first_upload(
    client: Client, name: str, source: str, upload: tuple[str, bytes]
) -> dict[str, Any]:
    try:
        return _upload(client, name, upload)
    except Failure:
        told = f"{visible(name)} is there and has nothing yet; hand in its list by: "
        warn(f"{told}mailmum feed upload {visible(name)} {visible(source)}")
        raise


def _source(text: str) -> dict[str, Any]:
    if "://" in text:
        return {"kind": "url", "source": text}
    if not text.strip():
        raise Failure("the source is empty", "give an https:// address or a file", code="bad-input")
    if text.startswith("file:"):
        return {"kind": "file", "source": text.removeprefix("file:")}
    path = Path(text)
    try:
        return {"kind": "upload", "upload": (path.name, path.read_bytes())}
    except OSError as error:
        raise Failure(
            f"{text} cannot be read: {error.strerror}", "check the path", code="bad-input"
        ) from None


def _upload(client: Client, name: str, upload: tuple[str, bytes]) -> dict[str, Any]:
    filename, content = upload
    path = _path(name, "upload")
    (answer,) = client.upload(path, [content], len(content), filename=filename)
    return answer


@feed.command()
@_name
@click.option("--action", type=click.Choice(["block", "allow"]), help="What becomes of entries.")
@click.option("--server", metavar="NAME", help="For this server only; account for all.")
@click.option("--every", metavar="6h", help="How often to refresh it.")
@click.option("--reason", metavar="TEXT", help="Public: senders read it.")
@click.option("--shrink", type=int, metavar="50", help="Hold back what loses more percent.")
@click.option("--grow", type=int, metavar="100", help="Hold back what gains more percent.")
@common
@pass_session
def edit(session: Session, /, name: str, **given: Any) -> None:
    """Change a feed; options left out keep their value."""
    body = {field: value for field, value in given.items() if value is not None}
    if not body:
        raise click.UsageError("Say what to change, for example --every 1h.")
    found = session.client().send("PATCH", _path(name), body)
    _tell(session, found, f"{found['state']}, {does_text(found)}, every {said(found['every'])}")


@feed.command()
@_name
@click.argument("file", type=click.Path(path_type=Path))
@common
@pass_session
def upload(session: Session, name: str, file: Path) -> None:
    """Renew a feed of uploads from a file."""
    given = _source(str(file))
    if given["kind"] != "upload":
        raise click.UsageError("FILE is a file here.")
    _tell_outcome(session, _upload(session.client(), name, given["upload"]))


@provider.command("add")
@_name
@click.argument("domain", required=False)
@click.option(
    "--use",
    type=click.Choice(list(_USES)),
    default="except",
    show_default=True,
    help="Allow them; keep triggers from listing them; or warn before somebody does.",
)
@_server
@_every
@common
@pass_session
def add_provider(
    session: Session, /, name: str, domain: str | None, use: str, **options: Any
) -> None:
    """Know the networks of a provider, from the SPF record of DOMAIN.

    NAME may be one of those that `mailmum provider proposals` shows; then DOMAIN is known.
    """
    client = session.client()
    if domain is None:
        name, domain = _proposed(client, name)
    body = {"name": name, "kind": "spf", "source": domain, "use": _USES[use], **options}
    made = client.send("POST", "/feeds", body)
    answer = client.send("POST", _path(name, "refresh"), patient=True)
    _tell_outcome(session, made | answer)


def _proposed(client: Client, name: str) -> tuple[str, str]:
    for one in client.get("/providers")["providers"]:
        if one["name"].lower() == name.lower():
            return one["name"], one["domain"]
    raise Failure(
        f"{visible(name)} is no provider that is known here",
        "see mailmum provider proposals, or give the domain too",
        code="not-found",
    )


@provider.command("edit")
@_name
@click.option("--use", type=click.Choice(list(_USES)), help="What the set is for.")
@click.option("--server", metavar="NAME", help="For this server only; account for all.")
@click.option("--every", metavar="6h", help="How often to refresh it.")
@common
@pass_session
def edit_provider(session: Session, /, name: str, **given: Any) -> None:
    """Change what the set of a provider is for; options left out keep their value."""
    body = {field: value for field, value in given.items() if value is not None}
    if not body:
        raise click.UsageError("Say what to change, for example --use warn.")
    if "use" in body:
        body["use"] = _USES[body["use"]]
    client = session.client()
    if client.get(_path(name))["kind"] != "spf":
        raise Failure(
            f"{visible(name)} is a list, not the set of a provider",
            f"change it with: mailmum feed edit {visible(name)}",
            code="bad-input",
        )
    found = client.send("PATCH", _path(name), body)
    _tell(session, found, f"{found['state']}, {does_text(found)}, every {said(found['every'])}")


@provider.command()
@common
@pass_session
def proposals(session: Session) -> None:
    """Show well-known providers."""
    found = session.client().get("/providers")["providers"]
    if session.as_json:
        print_json_list(found)
        return
    rows = ([one["name"], one["domain"]] for one in found)
    print_rows(("Name", "Domain"), rows, none="there are none")


@feed.command("list")
@common
@pass_session
def list_feeds(session: Session) -> None:
    """List the feeds."""
    found = session.client().get("/feeds")["feeds"]
    found = [one for one in found if one["kind"] != "spf"]
    _list(session, found, "there is no feed yet; add one: mailmum feed add NAME SOURCE")


@provider.command("list")
@common
@pass_session
def list_providers(session: Session) -> None:
    """List the providers."""
    found = session.client().get("/feeds", kind="spf")["feeds"]
    _list(session, found, "there is none yet; see mailmum provider proposals")


def _list(session: Session, found: list[dict[str, Any]], none: str) -> None:
    if session.as_json:
        print_json_list(found)
        return
    print_rows(
        ("Name", "State", "Does", "Entries", "Changed", "From"), map(row_of, found), none=none
    )


def _show(session: Session, name: str) -> None:
    """Show one with its versions."""
    found = session.client().get(_path(name))
    if session.as_json:
        print_json(found)
        return
    for line in lines_of(found):
        say(line)


def _refresh(session: Session, name: str) -> None:
    """Refresh one now."""
    _tell_outcome(session, session.client().send("POST", _path(name, "refresh"), patient=True))


def _release(session: Session, name: str, *, drop: bool) -> None:
    """Put in force the update that is held back, or drop it."""
    found = session.client().send("POST", _path(name, "release"), {"drop": drop})
    _tell(session, found, "dropped" if drop else f"in force with {entries_text(found)}")


def _pause(session: Session, name: str) -> None:
    """Let one rest: its entries hold no more."""
    _tell(session, session.client().send("POST", _path(name, "pause")), "rests")


def _resume(session: Session, name: str) -> None:
    """Let one go on."""
    _tell(session, session.client().send("POST", _path(name, "resume")), "goes on")


def _remove(session: Session, name: str) -> None:
    """Remove one; its entries are gone at once."""
    done = session.client().send("DELETE", _path(name))
    if session.as_json:
        print_json(done)
    else:
        say(f"removed {name}")


def _verb(group: click.Group, name: str, run: Callable[..., None]) -> None:
    """Both groups have the same verbs for one that is there."""
    command: Any = pass_session(run)
    if name == "release":
        command = click.option("--drop", is_flag=True, help="Do not take it.")(command)
    group.command(name, help=run.__doc__)(_name(common(command)))


for _group in (feed, provider):
    _verb(_group, "show", _show)
    _verb(_group, "refresh", _refresh)
    _verb(_group, "release", _release)
    _verb(_group, "pause", _pause)
    _verb(_group, "resume", _resume)
    _verb(_group, "remove", _remove)


def _path(name: str, verb: str = "") -> str:
    """The path of a feed.

    Raises:
        Failure: no feed has such a name; it would name another resource.
    """
    if not name or not name.strip(".") or "/" in name:
        raise Failure(f"there is no feed {visible(name)!r}", "see the list", code="not-found")
    return f"/feeds/{segment(name)}" + (f"/{verb}" if verb else "")


def _tell(session: Session, found: dict[str, Any], words: str) -> None:
    if session.as_json:
        print_json(found)
    else:
        say(f"{found['name']}: {words}")


def _tell_outcome(session: Session, found: dict[str, Any]) -> None:
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


def _tell_preview(session: Session, found: dict[str, Any]) -> None:
    if session.as_json:
        print_json(found)
        return
    say(f"{entries_text(found)}, read as {found['format']}; nothing was kept")
    for target in found["sample"][:SHOWN]:
        say(f"  {target}")
    for line in details_of(found | {"state": ""}):
        say(line)
