"""`feed`: lists of others, kept up to date."""

from pathlib import Path
from typing import Any

import click

from mailmum.cli.client import Client
from mailmum.cli.failures import Failure
from mailmum.cli.feeds_common import (
    add_verbs,
    code_option,
    every_option,
    grow_option,
    list_,
    name_argument,
    new_code_option,
    new_every_option,
    new_server_option,
    path_of,
    server_option,
    shrink_option,
    tell_changed,
    tell_outcome,
    tell_preview,
)
from mailmum.cli.output import warn
from mailmum.cli.session import Session, common, pass_session
from mailmum.cli.visible import visible


@click.group(short_help="Subscribe to lists of others.")
@common
def feed() -> None:
    """Subscribe to lists of others, and keep them up to date.

    What leaves a list leaves the feed. While a list cannot be had, or an update looks wrong, the
    last good version stays.
    """


_dry_run = click.option(
    "--dry-run",
    is_flag=True,
    help="Tell what it would bring and whom that would have hit; keep nothing.",
)


@feed.command("add")
@name_argument
@click.argument("source")
@click.option("--action", type=click.Choice(["block", "allow"]), default="block", show_default=True)
@server_option
@click.option("--format", "format_", metavar="FORMAT", default="", help="Else it is found out.")
@every_option
@click.option("--reason", metavar="TEXT", default="", help="Public: senders read it.")
@code_option
@shrink_option
@grow_option
@_dry_run
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
    upload = body.pop("upload", None)
    if dry_run:
        if upload is None:
            tell_preview(session, client.send("POST", "/feeds/preview", body, patient=True))
        else:
            query = {name: body[name] for name in ("format", "action", "server")}
            tell_preview(session, _preview(client, upload, **query))
        return
    made = client.send("POST", "/feeds", body)
    if upload is None:
        answer = client.send("POST", path_of(name, "refresh"), patient=True)
    else:
        answer = _first_upload(client, name, source, upload)
    tell_outcome(session, made | answer)


def _preview(client: Client, upload: tuple[str, bytes], **query: str | None) -> dict[str, Any]:
    filename, content = upload
    path = "/feeds/preview/upload"
    (answer,) = client.upload(path, [content], len(content), filename=filename, **query)
    return answer


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


def _upload(
    client: Client, name: str, upload: tuple[str, bytes], what: str = "upload"
) -> dict[str, Any]:
    filename, content = upload
    path = path_of(name, what)
    (answer,) = client.upload(path, [content], len(content), filename=filename)
    return answer


@feed.command()
@name_argument
@click.option("--action", type=click.Choice(["block", "allow"]), help="What becomes of entries.")
@new_server_option
@new_every_option
@click.option("--reason", metavar="TEXT", help="Public: senders read it.")
@new_code_option
@shrink_option
@grow_option
@common
@pass_session
def edit(session: Session, /, name: str, **given: Any) -> None:
    """Change a feed; options left out keep their value."""
    body = {field: value for field, value in given.items() if value is not None}
    if not body:
        raise click.UsageError("Say what to change, for example --every 1h.")
    found = session.client().send("PATCH", path_of(name), body)
    tell_changed(session, found)


@feed.command()
@name_argument
@click.argument("file", type=click.Path(path_type=Path))
@_dry_run
@common
@pass_session
def upload(session: Session, name: str, file: Path, *, dry_run: bool) -> None:
    """Renew a feed of uploads from a file."""
    given = _source(str(file))
    if given["kind"] != "upload":
        raise click.UsageError("FILE is a file here.")
    client = session.client()
    if not dry_run:
        tell_outcome(session, _upload(client, name, given["upload"]))
        return
    tell_preview(session, _upload(client, name, given["upload"], "preview"))


@feed.command("list")
@common
@pass_session
def list_feeds(session: Session) -> None:
    """List the feeds."""
    found = session.client().get("/feeds")["feeds"]
    found = [one for one in found if one["kind"] != "spf"]
    list_(session, found, "there is no feed yet; add one: mailmum feed add NAME SOURCE")


add_verbs(feed)
