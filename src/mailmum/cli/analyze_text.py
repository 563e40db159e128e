"""The report for a terminal; in a pipe the same without colours.

Nothing is drawn that would be hidden without colour, and no command is broken into two lines, so
that it can be copied.  What came from the log is made visible before it is printed.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import click

from mailmum.charts.moments import cut
from mailmum.cli import analyze_words as words
from mailmum.cli.analyze_plot import ASCII, BLOCKS, Ink, plot
from mailmum.cli.analyze_read import Input
from mailmum.cli.visible import visible
from mailmum.traffic.kinds import Kind
from mailmum.traffic.report import Report
from mailmum.traffic.report_advice import Candidate
from mailmum.traffic.report_figures import Figures
from mailmum.traffic.report_times import gaps
from mailmum.traffic.sightings import Delivery, Outcome

LEAST, MOST, PIPED = 60, 120, 100
_BAR = 24
_MARGIN = 10
_COLOURS = {
    Outcome.ACCEPTED: "blue",
    Outcome.DEFERRED: "bright_black",
    Outcome.AUTH_FAILED: "magenta",
}


@dataclass(frozen=True, slots=True)
class Page:
    """What the report is printed on.

    Attributes:
        width: columns.
        ink: characters that it can show.
        top: rows in each list.
        samples: whether lines that were not understood are shown.
    """

    width: int
    ink: Ink
    top: int
    samples: bool = False


def ink_for(encoding: str | None) -> Ink:
    """The best characters that a stream can show."""
    try:
        "".join((BLOCKS.accepted, BLOCKS.nothing)).encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return BLOCKS


def lines(report: Report, told: Input, page: Page) -> Iterator[str]:
    """The report, line by line."""
    for line in _lines(report, told, page):
        yield line.replace("…", "~") if page.ink is ASCII else line


def _lines(report: Report, told: Input, page: Page) -> Iterator[str]:
    yield from _head(report, told)
    if report.sightings:
        for title, section in _SECTIONS:
            body = list(section(report, told, page))
            if body:
                yield ""
                yield _title(title)
                yield from body
    if page.samples:
        yield from _samples(told)


def _head(report: Report, told: Input) -> Iterator[str]:
    named = ("standard input" if name == "-" else name for name in told.files)
    yield click.style(visible(words.some(named, 6)), bold=True)
    yield visible(words.period(report, told.zone))
    counts = [
        words.counted(told.lines, "line"),
        words.counted(report.sightings, "contact"),
        f"{'about ' if report.forgotten else ''}{words.counted(report.known[0], 'client')}",
    ]
    if told.foreign:
        counts.insert(1, f"{told.foreign:,} of other programs")
    if told.unrecognised:
        counts.insert(1, f"{told.unrecognised:,} not understood (--unrecognised shows some)")
    yield ", ".join(counts)
    if len(report.hosts) > 1:
        hosts = (f"{host or 'unnamed'} {count:,}" for host, count in report.hosts.items())
        yield visible(f"servers: {words.some(hosts, 6)}")
    for remark in words.remarks(report, told):
        yield click.style(visible(f"note: {remark}"), fg="yellow")


def _outcomes(report: Report, _: Input, page: Page) -> Iterator[str]:
    most = max(report.totals.values())
    width = max(min(_BAR, page.width - 46), 0)
    for outcome, count in sorted(report.totals.items(), key=lambda item: -item[1]):
        if not count:
            continue
        bar = page.ink.bar * max(round(width * count / most), 1)
        colour = _COLOURS.get(outcome, "red" if outcome.stopped else None)
        name, part = words.OUTCOMES[outcome], words.share(count, report.sightings)
        yield f"  {name:<18}{count:>12,}{part:>10}  {click.style(bar, fg=colour)}".rstrip()
    known = {what: count for what, count in report.deliveries.items() if count}
    if known:
        verbs = {
            Delivery.SENT: "sent on",
            Delivery.DEFERRED: "deferred",
            Delivery.BOUNCED: "bounced",
        }
        parts = (f"{count:,} {verbs[what]}" for what, count in known.items())
        yield f"  of the accepted: {', '.join(parts)}"


def _over_time(report: Report, told: Input, page: Page) -> Iterator[str]:
    if report.first is None or report.last is None:
        return
    buckets = cut(report.first, report.last, told.zone, page.width - _MARGIN)
    counts = report.times.counts(buckets.edges)
    accepted = counts[Kind.ACCEPTED]
    other = counts[Kind.NONE]
    stopped = [sum(row) for row in zip(*(counts[kind] for kind in _STOPPED), strict=True)]
    whole = [sum(row) for row in zip(accepted, stopped, other, strict=True)]
    empty = gaps(whole)
    ink = page.ink
    legend = f"{ink.stopped} stopped  {ink.accepted} accepted  {ink.other} no mail"
    yield f"  contacts {buckets.step.per}: {legend}" + (
        f"  {ink.nothing} nothing logged" if empty else ""
    )
    for line in plot(buckets, (accepted, stopped, other), ink, page.width, empty):
        yield _coloured(line, ink)


_STOPPED = (Kind.OWN, Kind.RBL, Kind.REJECT, Kind.DEFERRED, Kind.AUTH)


def _coloured(line: str, ink: Ink) -> str:
    if ink is ASCII:
        return line
    return line.replace(ink.stopped, click.style(ink.stopped, fg="red")).replace(
        ink.accepted, click.style(ink.accepted, fg="blue")
    )


def _lists(report: Report, _: Input, page: Page) -> Iterator[str]:
    used = report.overlap.lists
    if not used:
        return
    rows = [
        [
            one.zone + (" (yours)" if one.own else ""),
            f"{one.hits:,}",
            f"{one.clients:,}",
            f"{one.alone:,}",
            f"{one.good:,}",
        ]
        for one in used[: page.top]
    ]
    yield from _table(("list", "hits", "clients", "alone", "also delivered"), rows, page.width)
    yield from _more(len(used), page.top)
    for sentence in words.listed(report):
        yield from _wrapped(sentence, page.width)


def _worst(
    choose: Callable[[Report], Sequence[Figures]], which: int, named: str
) -> Callable[[Report, Input, Page], Iterator[str]]:
    def section(report: Report, _: Input, page: Page) -> Iterator[str]:
        found = [one for one in choose(report) if one.stopped]
        rows = [_row(one, which) for one in found]
        heads = (
            (named, "stopped", "accepted", "clients", "why")
            if which
            else (named, "stopped", "accepted", "name", "why")
        )
        if rows:
            yield from _table(heads, rows, page.width)
            yield from _more(report.known[which], len(found))

    return section


def _row(one: Figures, which: int) -> list[str]:
    third = f"{one.clients:,}" if which else words.who(one)
    return [one.target, f"{one.stopped:,}", f"{one.accepted:,}", third, words.why(one)]


def _allow(report: Report, told: Input, page: Page) -> Iterator[str]:
    found = report.advice.allow
    if found:
        yield from _wrapped(
            "An RBL stopped these clients, yet they also delivered accepted mail.", page.width
        )
        yield from _proposals(found, told, page)


def _block(report: Report, told: Input, page: Page) -> Iterator[str]:
    found = report.advice.block
    if found:
        yield from _wrapped(
            "These came again and again and never had mail accepted; ordered by what no list "
            "stops yet.",
            page.width,
        )
        yield from _proposals(found, told, page)


def _proposals(found: Sequence[Candidate], told: Input, page: Page) -> Iterator[str]:
    for one in found[: page.top]:
        yield ""
        yield f"  {click.style(visible(one.target), bold=True)}"
        for sentence in words.evidence(one, told.zone):
            yield from _wrapped(visible(sentence), page.width, "    ")
        yield f"    {click.style(visible(one.command(told.zone)), fg='green')}"
    yield from _more(len(found), page.top)


def _samples(told: Input) -> Iterator[str]:
    yield ""
    yield _title("Lines that were not understood")
    if not told.samples:
        yield "  none"
    for line in told.samples:
        yield f"  {visible(line)}"


_SECTIONS: tuple[tuple[str, Callable[[Report, Input, Page], Iterator[str]]], ...] = (
    ("Outcomes", _outcomes),
    ("Over time", _over_time),
    ("Hits by list", _lists),
    ("Worst clients", _worst(lambda report: report.clients, 0, "client")),
    ("Worst networks", _worst(lambda report: report.networks, 1, "network")),
    ("Worst domains of client names", _worst(lambda report: report.domains, 2, "domain")),
    ("To allow", _allow),
    ("To block", _block),
)


def _title(text: str) -> str:
    return click.style(text, bold=True, underline=False)


def _more(whole: int, shown: int) -> Iterator[str]:
    if whole > shown:
        yield f"  and {whole - shown:,} more (--top shows more)"


def _wrapped(text: str, width: int, indent: str = "  ") -> Iterator[str]:
    line = indent
    # A number and its sign of percent stay together.
    for word in text.replace(" %", "\0%").split(" "):
        if len(line) + len(word) >= width and line.strip():
            yield line.rstrip().replace("\0", " ")
            line = indent
        line += f"{word} "
    yield line.rstrip().replace("\0", " ")


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> Iterator[str]:
    """Texts left, numbers right; the last columns are cut where there is no room for them."""
    shown = [[visible(cell) for cell in row] for row in rows]
    numeric = [all(row[at].replace(",", "").isdigit() for row in shown) for at in range(len(heads))]
    widths = [max(len(head), *(len(row[at]) for row in shown)) for at, head in enumerate(heads)]
    texts = [at for at in range(1, len(heads)) if not numeric[at]]
    _fit(widths, texts, width - 2 - 2 * (len(heads) - 1))
    yield click.style(_cells(heads, widths, numeric), dim=True)
    for row in shown:
        yield _cells(row, widths, numeric)


def _fit(widths: list[int], texts: Sequence[int], room: int) -> None:
    least = 12
    for at in reversed(texts):
        over = sum(widths) - room
        if over > 0:
            widths[at] = max(widths[at] - over, least)


def _cells(row: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> str:
    cells = (
        f"{_cut(cell, width):>{width}}" if right else f"{_cut(cell, width):<{width}}"
        for cell, width, right in zip(row, widths, numeric, strict=True)
    )
    return f"  {'  '.join(cells)}".rstrip()


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"
