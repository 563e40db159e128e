"""`check`: whom a block would hit, before it is made, and what would be better."""

from collections.abc import Iterator
from typing import Any

import click

from mailmum.cli.output import numbered_text, print_json, say
from mailmum.cli.session import Session, common, pass_session

_SHOWN = 5


@click.command(short_help="Before you list: whom would a block hit?")
@click.argument("target")
@click.option("--server", metavar="NAME", help="If it held for this server only.")
@click.option("--days", default=30, show_default=True, metavar="30", help="How far to look back.")
@common
@pass_session
def check(session: Session, target: str, server: str | None, days: int) -> None:
    """Show whom a block of TARGET would have hit lately, and what would be better.

    The first line has the verdict: safe, caution or dangerous. Nothing is changed, and the exit
    status is 0 whatever it is.
    """
    answer = session.client().get("/check", target=target, server=server, days=days)
    if session.as_json:
        print_json(answer)
        return
    for line in _lines(answer):
        say(line)


def _lines(told: dict[str, Any]) -> Iterator[str]:
    where = f" at server {told['server']}" if told["server"] else ""
    yield f"{told['target']}{where}: {told['verdict']}"
    for warning in told["warnings"]:
        yield f"  ! {warning}"
    if told["verdict"] == "safe" and told["contacts"] and told["accepted"] is not None:
        yield "  no accepted mail would have been lost"
    yield f"  {_seen(told)}"
    yield from _where(told)
    yield from _servers(told)
    yield from _who(told)
    for listing in told["covered_by"][:_SHOWN]:
        yield f"  covered by {numbered_text(listing)}"
    for listing in told["inside"][:_SHOWN]:
        yield f"  inside is {numbered_text(listing)}"
    more = len(told["inside"][_SHOWN:]) + told["more_inside"]
    if more:
        yield f"  and {more:,} more listings inside"
    yield from _better(told)


def _seen(told: dict[str, Any]) -> str:
    if not told["contacts"]:
        return f"nothing was seen of it since {told['since'][:10]}"
    accepted = told["accepted"]
    parts = (
        f"{_contacts(told)} since {told['since'][:10]}",
        "accepted unknown" if accepted is None else f"{accepted:,} accepted",
        f"{told['rejected']:,} rejected",
        f"{told['kept']:,} of the accepted kept by your allows" if told["kept"] else "",
    )
    return ", ".join(filter(None, parts))


def _where(told: dict[str, Any]) -> Iterator[str]:
    if told["addresses"] is not None:
        held = told["addresses"]
        country = f", {told['country']}" if told["country"] else ""
        # What an IPv6 network holds is no number that says anything.
        count = f"{held:,}" if held < 1 << 32 else f"2^{held.bit_length() - 1}"
        yield f"  holds {count} address{'' if held == 1 else 'es'}{country}"
    if told["reverse"]:
        yield f"  reverse name: {', '.join(told['reverse'])}"
    if told["countries"] and told["country"] is None:
        named = (f"{one['country']} {one['clients']:,}" for one in told["countries"])
        yield f"  clients by country: {', '.join(named)}"


def _servers(told: dict[str, Any]) -> Iterator[str]:
    for one in told["servers"] if told["server"] is None else ():
        accepted = "unknown" if one["accepted"] is None else f"{one['accepted']:,}"
        yield (
            f"  at {one['server']}: {_contacts(one)}, "
            f"{accepted} accepted, {one['rejected']:,} rejected"
        )


def _who(told: dict[str, Any]) -> Iterator[str]:
    for one in [hit for hit in told["hits"] if hit["accepted"]][:_SHOWN]:
        name = f" ({one['name']})" if one["name"] else ""
        kept = ", kept by an allow" if one["kept"] else ""
        yield (
            f"  delivers mail: {one['client']}{name}, {one['accepted']:,} accepted, "
            f"{one['rejected']:,} rejected{kept}"
        )
    if told["senders"]:
        named = (f"{one['domain']} {one['messages']:,}" for one in told["senders"][:_SHOWN])
        yield f"  senders of the latest accepted mail: {', '.join(named)}"
    if told["refused_senders"]:
        of = told["refused_senders"][:_SHOWN]
        named = (f"{one['domain']} {one['contacts']:,}" for one in of)
        yield f"  senders of what was turned away lately: {', '.join(named)}"
    if told["names"]:
        named = (
            one["name"] if one["verified"] else f"{one['name']} (claimed)"
            for one in told["names"][:_SHOWN]
        )
        yield f"  names: {', '.join(named)}"


def _better(told: dict[str, Any]) -> Iterator[str]:
    for one in told["better"]:
        stops = f"would have stopped {one['stops']:,} of {one['of']:,}"
        if one["way"] == "narrower":
            yield f"  better: block less; {stops} and no accepted sender"
        else:
            yield f"  better: block it, and allow who delivers mail; {stops}"
        for command in one["commands"]:
            yield f"    {command}"


def _contacts(told: dict[str, Any]) -> str:
    return f"{_number(told['contacts'], 'contact')} of {_number(told['clients'], 'client')}"


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
