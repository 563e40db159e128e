"""`export`: listings in a format of other programs."""

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click

from mailmum.cli.failures import Failure
from mailmum.cli.output import print_json
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
    size = _replace(output, pieces)
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


def _replace(path: Path, pieces: Iterator[bytes]) -> int:
    """Write beside the file and put it in place when complete: a reader never sees half a list."""
    size = 0
    partial = ""
    try:
        handle, partial = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            for piece in pieces:
                size += file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        # Other programs read it: as readable as a file that a shell would have written, or as the
        # one that it replaces.
        Path(partial).chmod(_mode(path))
        Path(partial).replace(path)
    except OSError as error:
        raise Failure(
            f"{path} cannot be written: {error.strerror}", "check folder and owner"
        ) from None
    finally:
        if partial:
            Path(partial).unlink(missing_ok=True)
    return size


def _mode(path: Path) -> int:
    if path.exists():
        return path.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
