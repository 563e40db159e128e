"""`explain`: the verdict on a client, why, and what was seen of it lately."""

from typing import Any

import click

from mailmum.cli.evidence import evidence_lines
from mailmum.cli.output import numbered_text, print_json, say
from mailmum.cli.pauses import pause_text
from mailmum.cli.session import Session, common, pass_session
from mailmum.cli.sightings import sighting_text

_SHOWN = 5
_TOLD = ("verdict", "because", "overruled", "paused")


@click.command(short_help="Show the verdict on a client, and why.")
@click.argument("client")
@click.option("--server", metavar="NAME", help="At this server; else at each of them.")
@common
@pass_session
def explain(session: Session, client: str, server: str | None) -> None:
    """Show the verdict on a client, the listing that decided and those it overruled.

    CLIENT is an address or a host name. What was seen of it last follows. The exit status is 0
    whatever the verdict.
    """
    answer = session.client().get("/explain", client=client, server=server)
    if session.as_json:
        print_json(answer)
        return
    why = {one["listing"]: one for one in answer.get("evidence", [])}
    name = answer["client"]
    if answer["server"]:
        _tell(f"{name} at server {answer['server']}", answer, why)
    else:
        _tell(f"{name} at all servers", answer, why)
    for one in answer["servers"]:
        if _differs(one, answer):
            _tell(f"{name} at server {one['server']}", one, why)
    for one in answer["sightings"][:_SHOWN]:
        say(f"  seen {sighting_text(one)}")


def _differs(one: dict[str, Any], whole: dict[str, Any]) -> bool:
    return any(one.get(word) != whole.get(word) for word in _TOLD)


def _tell(subject: str, told: dict[str, Any], why: dict[int, dict[str, Any]]) -> None:
    say(f"{subject}: {told['verdict']}")
    if told["because"]:
        say(f"  because of {numbered_text(told['because'])}")
        _tell_evidence(why.get(told["because"]["id"]))
    if pause := told.get("paused"):
        say(f"  {pause_text(pause)}")
    for listing in told["overruled"]:
        say(f"  overruled: {numbered_text(listing)}")
        _tell_evidence(why.get(listing["id"]))


def _tell_evidence(finding: dict[str, Any] | None) -> None:
    """What the trigger had counted when it made a listing."""
    if finding is not None:
        for line in evidence_lines(finding):
            say(f"    {line}")
