"""`postfix setup`: the lines that make a Postfix ask this service, and those that undo them."""

import sys
from dataclasses import asdict
from typing import Any

import click

from mailmum.cli.client import Client, segment
from mailmum.cli.endpoints import endpoint, is_loopback
from mailmum.cli.output import print_json, warn
from mailmum.cli.session import Session, common, pass_session
from mailmum.cli.visible import visible


@click.group(short_help="Set Postfix up to ask this service.")
@common
def postfix() -> None:
    """Set Postfix up to ask this service."""


@postfix.command()
@click.option("--server", metavar="NAME", required=True, help="Which of your servers it is.")
@click.option("--trial", is_flag=True, help="Blocks only log what they would reject.")
@click.option(
    "--postscreen/--no-postscreen",
    default=None,
    help="Set postscreen up or leave it alone; else set up where it is in use.",
)
@click.option(
    "--resolver",
    metavar="ADDR[:PORT]",
    help="Where the mail server's resolver reaches this service; else where the service answers.",
)
@click.option(
    "--way",
    type=click.Choice(["dns", "policy", "both"]),
    help="How it asks: DNS lookups, the policy protocol, or both; else as it does, or DNS.",
)
@click.option(
    "--policy",
    metavar="ADDR:PORT",
    help="Where the mail server reaches the policy service; else as it does, or where it answers.",
)
@click.option("--config-dir", metavar="DIR", help="Folder of main.cf, for another instance.")
@click.option(
    "--here/--elsewhere",
    default=None,
    help="Merge with this machine's Postfix, or print for another; else here where there is one.",
)
@common
@pass_session
def setup(
    session: Session, /, server: str, *, config_dir: str | None, here: bool | None, **how: Any
) -> None:
    """Print the postconf lines for a mail server, and the lines that undo them.

    Nothing is changed: look the lines over, then run them. On the mail server itself they are
    merged with what stands, and no restriction that stands is dropped. Run it again after a key was
    rotated.
    """
    from mailmum.cli.postfix_here import read_if_there, read_postfix
    from mailmum.postfix.setup import Options, Way, plan, render
    from mailmum.postfix.setup_ways import way_of

    client = session.client()
    me = client.get("/me")
    host, port = endpoint(how["resolver"] or me["dns"][0])
    current = None
    if here is not False:
        current = (read_postfix if here else read_if_there)(config_dir or "")
    # Run again, as after a key was rotated, it must not turn to another way by itself.
    way, service = (Way.DNS, "") if current is None else way_of(current)
    if how["policy"] or not service:
        service = f"inet:{how['policy'] or me['policy']}"
    options = Options(
        dns_host=host,
        dns_port=port,
        trial=how["trial"],
        postscreen=how["postscreen"],
        config_dir=config_dir or "",
        way=Way(how["way"] or way),
        policy=service,
    )
    made = plan(zones_of(client, server, me["zone"]), current, options)
    text = render(made)
    if session.as_json:
        print_json({**asdict(made), "text": text})
        return
    if current is None and options.way is not Way.POLICY and is_loopback(host):
        warn(
            f"the service answers DNS at {host} only, which no other machine reaches: for a mail "
            "server elsewhere start it with --dns ADDRESS:PORT, or name a way with --resolver"
        )
    asked = options.way is not Way.DNS and not how["policy"]
    if current is None and asked and is_loopback(endpoint(me["policy"])[0]):
        warn(
            f"the policy service answers at {me['policy']} only, which no other machine reaches: "
            "for a mail server elsewhere start it with --policy ADDRESS:PORT, or name it with "
            "--policy"
        )
    _print(text)


def zones_of(client: Client, server: str, base: str) -> Any:
    """The zones of a server of that name.

    Raises:
        Failure: there is no such server, or the service cannot be asked.
    """
    from mailmum.postfix.setup import ServerZones

    found = client.get(f"/servers/{segment(server)}")
    return ServerZones(name=found["name"], base=base, **found["zones"])


def _print(text: str) -> None:
    # A script for a shell is passed on as it is; a terminal gets nothing that moves its cursor.
    if sys.stdout.isatty():
        text = "".join(f"{visible(line)}\n" for line in text.splitlines())
    click.echo(text, nl=False)
