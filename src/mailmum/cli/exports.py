"""`export`: listings in a format of other programs."""

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from mailmum.cli.output import print_json
from mailmum.cli.replacing import replace_file
from mailmum.cli.session import Session, common, pass_session


@click.command(short_help="Write listings in a format of other programs.")
@click.option(
    "--format",
    "format_",
    metavar="FORMAT",
    help="rbldnsd (ip4set, ip4trie, ip6trie, dnset), postfix-cidr, postfix-access, csv, json or "
    "plain.",
)
@click.option("--server", metavar="NAME", help="What holds for this server; else for all servers.")
@click.option(
    "--action",
    type=click.Choice(["block", "allow"]),
    help="Which list, where the format holds one; else blocks.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write this file, replaced only when all of it has come.",
)
@common
@pass_session
def export(
    session: Session,
    format_: str | None,
    server: str | None,
    action: str | None,
    output: Path | None,
) -> None:
    """Write listings in a format of other programs.

    With --json and without --output the format is json.
    """
    chosen = _format(session, format_, output)
    pieces = session.client().download("/export", format=chosen, server=server, action=action)
    if output is None:
        _print(pieces)
        return
    size = replace_file(output, pieces)
    if session.as_json:
        print_json({"format": chosen, "file": str(output), "bytes": size})


def _format(session: Session, given: str | None, output: Path | None) -> str:
    if session.as_json and output is None:
        if given not in (None, "json"):
            raise click.UsageError(f"--json prints JSON, not {given}: leave one of them out.")
        return "json"
    if given is None:
        raise click.UsageError("Say which --format.")
    return given


def _print(pieces: Iterator[bytes]) -> None:
    out = sys.stdout.buffer
    for piece in pieces:
        out.write(piece)
    out.flush()
