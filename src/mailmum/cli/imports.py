"""`import`: a file becomes one change, all or nothing, with a report of each bad line."""

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any, BinaryIO

import click

from mailmum.cli.failures import Failure
from mailmum.cli.impact_text import impact_lines
from mailmum.cli.output import print_json, say, warn
from mailmum.cli.progress import progress
from mailmum.cli.session import Session, common, pass_session

_PIECE = 256 * 1024
_SHOWN = 20


@click.command("import", short_help="List what a file holds, as one change.")
@click.argument("file", metavar="FILE")
@click.option(
    "--format",
    "format_",
    metavar="FORMAT",
    help="rbldnsd (ip4set, ip4trie, ip6trie, dnset), postfix-cidr, postfix-access, csv, json or "
    "plain; else found out from the content.",
)
@click.option("--label", metavar="NAME", help="Name of the source; else the file's name.")
@click.option("--server", metavar="NAME", help="For this server only.")
@click.option(
    "--action",
    type=click.Choice(["block", "allow"]),
    help="What entries mean where the format does not say; else block.",
)
@click.option("--mine", is_flag=True, help="As your own listings, not as those of a source.")
@click.option("--remove-missing", is_flag=True, help="Remove what has left the source since.")
@click.option("--for", "lifetime", metavar="7d", help="How long, for entries that do not say.")
@click.option("--reason", metavar="TEXT", help="Public reason for entries that have none.")
@click.option(
    "--force",
    is_flag=True,
    help="Do what is guarded: list such targets (with --mine), empty a source.",
)
@click.option(
    "--dry-run", is_flag=True, help="Only report what would change, and whom it would have hit."
)
@common
@pass_session
def import_(session: Session, /, file: str, **options: Any) -> None:
    """List what a file holds, as one change: all or nothing.

    FILE may be - for standard input. While one line is bad nothing is changed, and each bad line is
    reported with its number and the reason. Importing a file again under the same label changes
    what has changed in it; with --remove-missing also removes what has left it.
    """
    client = session.client()
    query = _query(file, options)
    with _opened(file) as source:
        size = _size(source)
        with progress(_title(options), enabled=not session.as_json) as bar:
            chunks = _counted(source, size, bar.sent)
            report = _report(client.upload("/import", chunks, size, **query), bar)
    if session.as_json:
        print_json(report)
    else:
        _tell(report)
    if report["bad"]:
        _refuse(session, report)


def _query(file: str, options: dict[str, Any]) -> dict[str, Any]:
    given = {name.rstrip("_"): value for name, value in options.items() if name != "lifetime"}
    label = options["label"] or ("standard input" if file == "-" else Path(file).name)
    return given | {"label": label, "for": options["lifetime"]}


def _opened(file: str) -> Any:
    if file == "-":
        return nullcontext(sys.stdin.buffer)
    try:
        return Path(file).open("rb")
    except OSError as error:
        raise Failure(
            f"{file} cannot be read: {error.strerror}", "check the path", code="bad-input"
        ) from None


def _size(source: BinaryIO) -> int | None:
    try:
        status = os.fstat(source.fileno())
        return status.st_size - source.tell() if stat.S_ISREG(status.st_mode) else None
    except (OSError, ValueError):  # a stream without a descriptor, as in tests
        return None


def _counted(source: BinaryIO, size: int | None, tell: Any) -> Iterator[bytes]:
    """The file in pieces: exactly the size that was promised, however the file grows meanwhile."""
    sent = 0
    while piece := source.read(_PIECE if size is None else min(_PIECE, size - sent)):
        sent += len(piece)
        yield piece
        tell(sent, size)
    if size is not None and sent < size:
        raise Failure(
            "the file became shorter while it was read; nothing was changed",
            "import it again once it is complete",
        )


def _title(options: dict[str, Any]) -> str:
    return "checking" if options["dry_run"] else "importing"


def _report(answers: Iterator[dict[str, Any]], bar: Any) -> dict[str, Any]:
    report: dict[str, Any] | None = None
    for answer in answers:
        if "progress" in answer:
            bar.told(answer["progress"])
        report = answer.get("report", report)
    if report is None:
        raise Failure(
            "the service broke off before its report",
            "see its log; whether anything was changed says: mailmum listings",
            code="unavailable",
        )
    return report


def _tell(report: dict[str, Any]) -> None:
    for warning in report["warnings"][:_SHOWN]:
        warn(f"line {warning['line']}: {_quoted(warning)}{warning['problem']}")
    _more(len(report["warnings"]), "remarks")
    if report["bad"]:
        return
    counts = ", ".join(
        f"{report[word]} {word}" for word in ("added", "changed", "unchanged", "removed")
    )
    if report.get("repeated"):
        counts += f", {report['repeated']} repeated in the file"
    where = f"{report['lines']} lines of {report['label']} ({report['format']})"
    if report["dry_run"]:
        say(f"{where} would make: {counts}; nothing was changed")
        for line in impact_lines(report["impact"]) if report.get("impact") else ():
            say(line)
    else:
        change = f" in change {report['change']}" if report["change"] is not None else ""
        say(f"{where}: {counts}{change}")


def _refuse(session: Session, report: dict[str, Any]) -> None:
    for bad in report["bad_lines"][:_SHOWN]:
        warn(f"line {bad['line']}: {_quoted(bad)}{bad['problem']}")
    _more(report["bad"], "bad lines")
    message = f"{report['bad']} of {report['lines']} lines are bad and nothing was changed"
    if session.as_json:
        # The report is the one document on standard output.
        warn(message)
        raise click.exceptions.Exit(1)
    raise Failure(message, "mend them, or take them out, and import again", code="bad-input")


def _quoted(line: dict[str, Any]) -> str:
    return f"{line['text']}: " if line.get("text") else ""


def _more(count: int, what: str) -> None:
    if count > _SHOWN:
        warn(f"and {count - _SHOWN} more {what}; --json has the first thousand")
