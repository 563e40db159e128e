"""`suggestions list | accept | dismiss`."""

from collections.abc import Iterable, Iterator
from typing import Any

import click

from mailmum.cli.output import moment_text, print_json, print_json_list, print_rows, say
from mailmum.cli.session import Session, common, pass_session

_numbers = click.argument(
    "suggestions", nargs=-1, required=True, metavar="SUGGESTION...", type=click.IntRange(1)
)


@click.group(short_help="Proposals from what was seen.")
@common
def suggestions() -> None:
    """Show proposals from what was seen, accept or dismiss them.

    Offenders worth a block, senders worth an exception, listings that decide nothing.
    """


@suggestions.command("list")
@click.option("--dismissed", is_flag=True, help="Those that were dismissed.")
@common
@pass_session
def list_(session: Session, *, dismissed: bool) -> None:
    """List what is proposed."""
    found = session.client().get("/suggestions", dismissed=dismissed)["suggestions"]
    if session.as_json:
        print_json_list(found)
        return
    rows = (
        [str(one["id"]), one["target"], one["does"], one["why"], moment_text(one["made"])]
        for one in found
    )
    none = "nothing was dismissed" if dismissed else "nothing is proposed"
    print_rows(("Suggestion", "Target", "Accepting it will", "Why", "Made"), rows, none=none)


@suggestions.command()
@_numbers
@common
@pass_session
def accept(session: Session, suggestions: tuple[int, ...]) -> None:
    """Do what is proposed, one after the other."""
    for number, one in _decided(session, "accept", suggestions):
        say(f"accepted: {number}" + (f", change {one['change']}" if one["change"] else ""))


@suggestions.command()
@_numbers
@common
@pass_session
def dismiss(session: Session, suggestions: tuple[int, ...]) -> None:
    """Do not propose these again, unless the change is undone."""
    for _, one in _decided(session, "dismiss", suggestions):
        say(f"dismissed: {one['kind']} {one['target']}, change {one['change']}")


def _decided(
    session: Session, verb: str, numbers: Iterable[int]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Decide one after the other; what has been done is told though a later one is refused."""
    client = session.client()
    done: list[dict[str, Any]] = []
    for number in numbers:
        done.append(client.send("POST", f"/suggestions/{number}/{verb}"))
        if not session.as_json:
            yield number, done[-1]
    if session.as_json:
        print_json(done)
