"""Alerts and reports as mail: text first, the same as HTML beside it.

Nothing a stranger wrote is ever markup or a header: texts come clean of control characters, HTML is
escaped, and the library that makes the message refuses line breaks in headers.  HTML is what every
mail client shows: tables, a few colours in `style`, no script, no picture.

Headers: RFC 3834 (`Auto-Submitted`, so that no autoresponder answers), RFC 2369 and 8058
(`List-Unsubscribe`: whoever gets what he never asked for ends it with one click).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import BaseHeader, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, Policy
from email.utils import format_datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.html import escape

from mailmum.control.alerts.conditions import Severity
from mailmum.control.alerts.watches import title_of

SUBJECT_LIMIT = 150
_COLOURS = {
    Severity.NOTICE.value: "#54575d",
    Severity.WARNING.value: "#8a5300",
    Severity.CRITICAL.value: "#a52c12",
}
_OVER = "#0a6b5e"
FONT = "font:14px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;color:#1d1e20"


class _Link(UnstructuredHeader, BaseHeader):
    """A header in one line: mail clients do not look for a link in what is encoded to be folded."""

    def fold(self, *, policy: Policy) -> str:
        return f"{_LINK}: {self}{policy.linesep}"


_LINK = "List-Unsubscribe"
_HEADERS = HeaderRegistry()
_HEADERS.map_to_type(_LINK, _Link)
_POLICY = SMTP.clone(header_factory=_HEADERS)


@dataclass(frozen=True, slots=True)
class Envelope:
    """What is the same for all messages to a receiver.

    Attributes:
        sender, receiver: addresses.
        ref: id of the message; its domain is the sender's.
        account: name of the account.
        url: where the pages of the account are.
        stop: link by which the receiver ends this.
        zone: in which times are told.
    """

    sender: str
    receiver: str
    ref: str
    account: str
    url: str
    stop: str
    zone: str


def alert_letter(envelope: Envelope, events: Iterable[dict[str, Any]], now: float) -> EmailMessage:
    """The message that tells of alerts."""
    latest = {one["id"]: one for one in events}
    rows = sorted(latest.values(), key=lambda one: (_is_over(one), -_rank(one), one["opened"]))
    text = "\n\n".join(_text_of(one, envelope) for one in rows)
    body = "".join(_html_of(one, envelope) for one in rows)
    return message(envelope, _subject(envelope, rows), text, body, now)


def message(envelope: Envelope, subject: str, text: str, body: str, now: float) -> EmailMessage:
    """A message with its headers, and a foot that says where it comes from."""
    made = EmailMessage(policy=_POLICY)
    made["From"] = envelope.sender
    made["To"] = envelope.receiver
    line = " ".join(subject.split())
    made["Subject"] = line if len(line) <= SUBJECT_LIMIT else f"{line[:SUBJECT_LIMIT]}…"
    made["Date"] = format_datetime(datetime.fromtimestamp(now, UTC))
    made["Message-ID"] = f"<{envelope.ref}@{envelope.sender.rpartition('@')[2]}>"
    made["Auto-Submitted"] = "auto-generated"
    made[_LINK] = f"<{envelope.stop}>"
    if envelope.stop.startswith("https:"):
        made["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    foot = f"MailMum, account {envelope.account}: {envelope.url}"
    made.set_content(f"{text}\n\n-- \n{foot}\nNo more of this: {envelope.stop}\n")
    made.add_alternative(_page(envelope, body), subtype="html")
    return made


def when(at: float, zone: str) -> str:
    """A moment to the minute, with its zone.

    >>> when(1_795_777_380, "Europe/Berlin")
    'Fri 27 Nov 2026, 12:03 CET'
    """
    local = datetime.fromtimestamp(at, ZoneInfo(zone))
    return f"{local:%a} {local.day} {local:%b %Y, %H:%M %Z}"


def _subject(envelope: Envelope, rows: list[dict[str, Any]]) -> str:
    if len(rows) == 1:
        state = "over: " if _is_over(rows[0]) else ""
        return f"[MailMum] {envelope.account}: {state}{rows[0]['text']}"
    over = sum(map(_is_over, rows))
    new = len(rows) - over
    parts = [f"{new} alert{'' if new == 1 else 's'}"] if new else []
    parts += [f"{over} over"] if over else []
    return f"[MailMum] {envelope.account}: {', '.join(parts)}"


def _text_of(one: dict[str, Any], envelope: Envelope) -> str:
    lines = [f"{_state(one)}: {one['text']}", f"  since {when(one['since'], envelope.zone)}"]
    if _is_over(one):
        lines[1] += f", over at {when(one['closed'], envelope.zone)}"
    lines.append(f"  {one['url']}")
    return "\n".join(lines)


def _html_of(one: dict[str, Any], envelope: Envelope) -> str:
    colour = _OVER if _is_over(one) else _COLOURS[one["severity"]]
    times = f"since {when(one['since'], envelope.zone)}"
    if _is_over(one):
        times += f", over at {when(one['closed'], envelope.zone)}"
    return (
        f'<tr><td style="border-left:4px solid {colour};padding:6px 12px;{FONT}">'
        f'<strong style="color:{colour}">{escape(_state(one))}</strong> '
        f"{escape(title_of(one['kind']))}<br>{escape(one['text'])}<br>"
        f'<span style="color:#686b71">{escape(times)}</span> '
        f'<a href="{escape(one["url"])}" style="color:#0a6b5e">Look at it</a></td></tr>'
        '<tr><td style="height:10px"></td></tr>'
    )


def _page(envelope: Envelope, body: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>MailMum</title></head>'
        f'<body style="margin:0;padding:16px;background:#ffffff;{FONT}">'
        f'<table role="presentation" cellspacing="0" cellpadding="0" style="max-width:640px">{body}'
        f'</table><p style="color:#686b71;font-size:12px">MailMum, account '
        f'<a href="{escape(envelope.url)}" style="color:#0a6b5e">{escape(envelope.account)}</a>. '
        f'<a href="{escape(envelope.stop)}" style="color:#0a6b5e">No more of this</a></p>'
        "</body></html>"
    )


def _state(one: dict[str, Any]) -> str:
    return "Over" if _is_over(one) else str(one["severity"]).capitalize()


def _is_over(one: dict[str, Any]) -> bool:
    return bool(one["event"] == "closed")


def _rank(one: dict[str, Any]) -> int:
    return Severity(one["severity"]).rank
