"""A report as text for terminals and mail, and as HTML that every mail client shows.

Bars are table cells with a width and a colour: no picture, no script, nothing that a client would
have to load.
"""

from collections.abc import Iterator, Sequence
from email.message import EmailMessage
from itertools import zip_longest
from textwrap import wrap

from django.utils.html import escape

from mailmum.control.alerts.letters import FONT, Envelope, message, when
from mailmum.control.alerts.report import Report, Section

WIDEST = 56
"""Characters of a column of text; what is longer goes on in the next line."""
_BAR = "#0a6b5e"
_LINE = 78


def report_letter(envelope: Envelope, report: Report, now: float) -> EmailMessage:
    """The message with a report."""
    subject = f"[MailMum] {envelope.account}: {report.headline.rstrip('.')}"
    return message(
        envelope, subject, as_text(report, envelope.zone), as_html(report, envelope.zone), now
    )


def as_text(report: Report, zone: str) -> str:
    """A report as plain text."""
    title = f"MailMum: account {report.account}"
    period = f"{when(report.since, zone)} to {when(report.until, zone)}"
    parts = [f"{title}\n{period}\n\n{report.headline}"]
    parts += ["\n".join(_lines(section)) for section in report.sections]
    return "\n\n".join(parts)


def as_html(report: Report, zone: str) -> str:
    """A report as rows of the table that the mail consists of."""
    period = f"{when(report.since, zone)} to {when(report.until, zone)}"
    head = (
        f'<tr><td style="{FONT}"><p style="color:#686b71;margin:0">{escape(period)}</p>'
        f'<p style="font-size:18px;margin:8px 0">{escape(report.headline)}</p></td></tr>'
    )
    return head + "".join(map(_section, report.sections))


def _lines(section: Section) -> Iterator[str]:
    yield section.title
    yield "=" * len(section.title)
    if not section.rows:
        yield section.none
        return
    rows = [section.columns, *section.rows]
    lines = [line for row in rows for line in _broken(row)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(section.columns))]
    for line in lines:
        cells = [
            cell.rjust(width) if numbers else cell.ljust(width)
            for cell, width, numbers in zip(line, widths, section.numbers, strict=True)
        ]
        yield "  ".join(cells).rstrip()
    yield from wrap(section.note, _LINE)


def _section(section: Section) -> str:
    head = f'<tr><td style="{FONT};padding-top:20px"><strong>{escape(section.title)}</strong>'
    if not section.rows:
        return f'{head}<p style="color:#54575d;margin:4px 0">{escape(section.none)}</p></td></tr>'
    right = section.numbers
    shares: Sequence[float | None] = section.shares or (None,) * len(section.rows)
    names = "".join(
        f'<th style="{FONT};font-size:12px;color:#686b71;{_align(numbers)}">{escape(name)}</th>'
        for name, numbers in zip(section.columns, right, strict=True)
    )
    rows = "".join(_row(row, right, share) for row, share in zip(section.rows, shares, strict=True))
    bar = "<th></th>" if section.shares else ""
    note = f'<p style="color:#54575d;margin:4px 0">{escape(section.note)}</p>' * bool(section.note)
    return (
        f'{head}<table cellspacing="0" cellpadding="0" style="border-collapse:collapse;width:100%">'
        f"<tr>{names}{bar}</tr>{rows}</table>{note}</td></tr>"
    )


def _row(row: Sequence[str], right: Sequence[bool], share: float | None) -> str:
    cells = "".join(
        f'<td style="{FONT};border-top:1px solid #e6e2d9;{_align(numbers)}">{escape(cell)}</td>'
        for cell, numbers in zip(row, right, strict=True)
    )
    return f"<tr>{cells}{'' if share is None else _bar(share)}</tr>"


def _bar(share: float) -> str:
    width = max(round(120 * min(share, 1)), 1)
    return (
        '<td style="border-top:1px solid #e6e2d9;width:130px;padding:4px 0 4px 10px">'
        '<table role="presentation" cellspacing="0" cellpadding="0"><tr>'
        f'<td style="width:{width}px;height:10px;background:{_BAR};font-size:0">&nbsp;</td>'
        "</tr></table></td>"
    )


def _align(numbers: bool) -> str:
    return f"padding:4px 10px 4px 0;text-align:{'right' if numbers else 'left'}"


def _broken(row: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """A row as lines."""
    return zip_longest(*(wrap(cell, WIDEST) or [""] for cell in row), fillvalue="")
