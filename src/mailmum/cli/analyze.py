"""`analyze`: logs to a report, in one pass, without an account, a service or a network."""

import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mailmum.cli.failures import Failure
from mailmum.cli.output import print_json, say, warn
from mailmum.cli.progress import progress
from mailmum.cli.session import Session, common, pass_session

if TYPE_CHECKING:
    from datetime import tzinfo

    from mailmum.cli.analyze_read import Input, Sink
    from mailmum.cli.analyze_window import Window
    from mailmum.traffic.report import Report

TOP_TEXT, TOP_PAGE, TOP_JSON = 10, 25, 100
# Zones below it are MailMum's own wherever it runs with the base that it has by default.
OWN_BASE = "mailmum.internal"


@click.command(short_help="Read Postfix logs and report on them.")
@click.argument("logs", nargs=-1, required=True, metavar="LOG...")
@click.option("--events", is_flag=True, help="Print one JSON object a sighting, and no report.")
@click.option("--html", metavar="FILE", help="Write the report as one page; - is standard output.")
@click.option("--top", type=click.IntRange(1, 10_000), metavar="N", help="Rows in each list.")
@click.option("--since", metavar="WHEN", help="Only from then on: 2026-11-20, 7d (ago).")
@click.option("--until", metavar="WHEN", help="Only before then; a day counts whole.")
@click.option("--days", type=click.IntRange(1, 36_500), metavar="N", help="Only the last N days.")
@click.option(
    "--least",
    type=click.IntRange(1),
    default=10,
    metavar="N",
    help="Refused contacts from which on a block is proposed; else 10.",
)
@click.option("--own", multiple=True, metavar="BASE", help="Base of RBLs of your own.")
@click.option("--zone", metavar="NAME", help="Time zone, as in Europe/Berlin; else this machine's.")
@click.option("--unrecognised", is_flag=True, help="Show lines that were not understood.")
@common
@pass_session
def analyze(session: Session, /, logs: tuple[str, ...], **options: Any) -> None:
    """Read Postfix logs and report on them.

    LOG is a mail log, plain or packed with gzip, xz, bzip2 or zstd; - is standard input. Several
    are read oldest first, in whatever order they are named. Nothing else is needed: no account, no
    service, no network.
    """
    _check(session, logs, options)
    zone = _zone(options["zone"])
    window = _window(options, zone)
    if options["events"]:
        told = _events(logs, zone, window)
    else:
        told = _report(session, logs, options, zone, window)
    if told.damaged:
        for sentence in told.damaged:
            warn(sentence)
        raise click.exceptions.Exit(1)


def _check(session: Session, logs: tuple[str, ...], options: dict[str, Any]) -> None:
    if logs.count("-") > 1:
        raise click.UsageError("Standard input (-) can be read only once.")
    if options["events"] and options["html"]:
        raise click.UsageError("--events prints no report: leave out --html, or run it twice.")
    if session.as_json and options["html"] == "-":
        raise click.UsageError("--json and --html - both want standard output: name a file.")
    if options["days"] and options["since"]:
        raise click.UsageError("--days and --since say the same: leave one of them out.")


def _zone(name: str | None) -> "tzinfo":
    from mailmum.cli.visible import visible
    from mailmum.cli.zones import find_zone, local_zone

    if name is None:
        return local_zone()
    zone = find_zone(name)
    if zone is None:
        raise Failure(
            f"{visible(name)} is no time zone that is known here",
            "write it as in Europe/Berlin, or UTC",
            code="bad-input",
            field="zone",
        )
    return zone


def _window(options: dict[str, Any], zone: "tzinfo") -> "Window":
    from mailmum.cli.analyze_window import Window, moment

    now = time.time()
    since = f"{options['days']}d" if options["days"] else options["since"]
    window = Window(
        None if since is None else moment(since, now, zone),
        None if options["until"] is None else moment(options["until"], now, zone, ends=True),
    )
    if window.since is not None and window.until is not None and window.until <= window.since:
        raise click.UsageError("--until is not after --since.")
    return window


def _events(logs: tuple[str, ...], zone: "tzinfo", window: "Window") -> "Input":
    from mailmum.cli.analyze_json import Events

    out = sys.stdout
    # On a terminal the lines themselves show how far it is.
    return _read(logs, zone, window, Events(out), watched=not out.isatty())


def _report(
    session: Session,
    logs: tuple[str, ...],
    options: dict[str, Any],
    zone: "tzinfo",
    window: "Window",
) -> "Input":
    from mailmum.traffic.report import Limits, Tally

    tally = Tally(Limits(least=options["least"], own=(OWN_BASE, *_bases(options["own"]))))
    told = _read(logs, zone, window, tally, watched=True)
    usual = TOP_JSON if session.as_json else TOP_PAGE if options["html"] else TOP_TEXT
    top = options["top"] or usual
    report = tally.report(top)
    if options["html"]:
        _page(options["html"], report, told, top, samples=options["unrecognised"])
    if session.as_json:
        from mailmum.cli.analyze_json import document

        print_json(document(report, told, top))
    elif not options["html"]:
        _print(report, told, top, samples=options["unrecognised"])
    elif options["html"] != "-":
        say(f"wrote {options['html']}")
    return told


def _read(
    logs: tuple[str, ...], zone: "tzinfo", window: "Window", sink: "Sink", *, watched: bool
) -> "Input":
    from mailmum.cli.analyze_read import read
    from mailmum.postfix.log.reader import Settings

    settings = Settings(now=time.time(), zone=zone, hold=None)
    with progress("reading", enabled=watched) as bar:
        return read(logs, settings, window, sink, bar)


def _bases(given: tuple[str, ...]) -> list[str]:
    from mailmum.domain.names import parse_name

    return [parse_name(base.removeprefix("."), field="own") for base in given]


def _page(file: str, report: "Report", told: "Input", top: int, *, samples: bool) -> None:
    from mailmum.cli.analyze_page import page
    from mailmum.cli.replacing import replace_file

    text = page(report, told, top, samples=samples)
    if file == "-":
        click.echo(text)
    else:
        replace_file(Path(file), [f"{text}\n".encode()])


def _print(report: "Report", told: "Input", top: int, *, samples: bool) -> None:
    from mailmum.cli.analyze_text import LEAST, MOST, PIPED, Page, ink_for, lines

    out = sys.stdout
    width = min(max(shutil.get_terminal_size((PIPED, 24)).columns, LEAST), MOST)
    for line in lines(report, told, Page(width, ink_for(out.encoding), top, samples)):
        click.echo(line)
