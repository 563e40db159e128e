"""`provider`: the networks of mail providers, which are feeds made from SPF records."""

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
)
from mailmum.cli.output import print_json_list, print_rows
from mailmum.cli.session import Session, common, pass_session
from mailmum.cli.visible import visible

_USES = {"allow": "list", "except": "except", "warn": "warn"}


@click.group(short_help="Know the networks of mail providers.")
@common
def provider() -> None:
    """Know the networks of mail providers, from their SPF records.

    Mail of everybody comes from them: allow them, keep triggers from listing them, or be warned
    before you do.
    """


@provider.command("add")
@name_argument
@click.argument("domain", required=False)
@click.option(
    "--use",
    type=click.Choice(list(_USES)),
    default="except",
    show_default=True,
    help="Allow them; keep triggers from listing them; or warn before somebody does.",
)
@server_option
@every_option
@code_option
@shrink_option
@grow_option
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
    answer = client.send("POST", path_of(name, "refresh"), patient=True)
    tell_outcome(session, made | answer)


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
@name_argument
@click.option("--use", type=click.Choice(list(_USES)), help="What the set is for.")
@new_server_option
@new_every_option
@new_code_option
@shrink_option
@grow_option
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
    if client.get(path_of(name))["kind"] != "spf":
        raise Failure(
            f"{visible(name)} is a list, not the set of a provider",
            f"change it with: mailmum feed edit {visible(name)}",
            code="bad-input",
        )
    found = client.send("PATCH", path_of(name), body)
    tell_changed(session, found)


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


@provider.command("list")
@common
@pass_session
def list_providers(session: Session) -> None:
    """List the providers."""
    found = session.client().get("/feeds", kind="spf")["feeds"]
    list_(session, found, "there is none yet; see mailmum provider proposals")


add_verbs(provider)
