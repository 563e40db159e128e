"""Headers of log lines: who wrote the line, when and where, in each format of the field.

Each is brought to one form, a head `STAMP HOST TAG` and the text after it, so that all that follows
knows one format only:

    BSD syslog      Nov 25 10:00:07 mx1 postfix/smtpd[123]: connect from ...
    RFC 3339        2026-11-25T10:00:07.123456+01:00 mx1 postfix/smtpd[123]: connect from ...
    RFC 5424        <22>1 2026-11-25T10:00:07Z mx1 postfix/smtpd 123 - - connect from ...
    rspamd.log      2026-11-25 10:00:07 #1234(normal) <5adc66>; task; rspamd_task_write_log: ...
    journald        {"__REALTIME_TIMESTAMP": "...", "_PID": "123", "MESSAGE": "connect ...", ...}

`maillog_file` of Postfix and docker write the first; rsyslog's default of today is the second.  A
leading `<PRI>` is passed over, Solaris' `[ID 197553 mail.info]` too.  The log that Rspamd writes
itself names no host.
"""

import json
import re
from typing import Any, NamedTuple

from mailmum.postfix.log.bounds import LINE
from mailmum.postfix.log.clock import stamp_of

_MAX_HOST = 255
_PRIORITY = re.compile(r"<\d{1,3}>", re.ASCII)
_SYSLOG = re.compile(
    # BSD, also with a fraction (journalctl -o short-precise)
    r"([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d{1,9})?"
    r"|\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:[.,]\d{1,12})?(?:[Zz]|[+-]\d\d:?\d\d)?)"
    r" (\S{1,255}) (.*)",
    re.ASCII | re.DOTALL,
)
_TAG = re.compile(r"([^\s:\[\]]{1,200}(?:\[\d{1,20}\])?): ?(.*)", re.ASCII | re.DOTALL)
_STRUCTURED = re.compile(
    r"1 (\S{1,64}) (\S{1,255}) (\S{1,200}) (\S{1,128}) \S{1,255} (.*)", re.ASCII | re.DOTALL
)
_MARK = re.compile(r'["\]]|\\.', re.DOTALL)
_SOLARIS = re.compile(r"\[ID \d{1,9} [a-z0-9.]{1,32}\] ", re.ASCII)
_RSPAMD = re.compile(
    r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,9})?) (?:\[[a-z]{1,20}\] )?"
    r"#(\d{1,20})\([a-z_]{1,40}\) (.*)",
    re.ASCII | re.DOTALL,
)
_WORD = re.compile(r"[^\s:\[\]]{1,200}", re.ASCII)
_DIGITS = re.compile(r"\d{1,20}", re.ASCII)
_REPEATED = re.compile(r"last message repeated (\d{1,9}) times?", re.ASCII)


class Entry(NamedTuple):
    """A line in the one form.

    Attributes:
        stamp: its time as text that `Clock` reads.
        host: the machine that wrote it; empty where that is not told.
        tag: program and process id, as `postfix/smtpd[123]`; empty where syslog itself speaks.
        text: what it says.
    """

    stamp: str
    host: str
    tag: str
    text: str

    @property
    def head(self) -> str:
        """Stamp, host and tag, as in lines of syslog."""
        return f"{self.stamp} {self.host} {self.tag}"


def entry(line: str) -> Entry | None:
    """What the header of a line says; None when it has none that is known.

    >>> entry("Nov  5 10:00:07 mx1 postfix/smtpd[12]: connect from unknown[192.0.2.1]").tag
    'postfix/smtpd[12]'
    """
    if line.startswith("{"):
        return _journal(line)
    if line.startswith("<"):
        priority = _PRIORITY.match(line)
        if priority is not None:
            line = line[priority.end() :]
            structured = _STRUCTURED.match(line)
            if structured is not None:
                return _rfc5424(structured)
    found = _SYSLOG.match(line)
    if found is None:
        own = _RSPAMD.match(line)
        return Entry(own[1], "", f"rspamd[{own[2]}]", own[3]) if own is not None else None
    stamp, host, rest = found.groups()
    tagged = _TAG.match(rest)
    if tagged is None:
        return Entry(stamp, host, "", rest) if _REPEATED.fullmatch(rest) else None
    tag, text = tagged.groups()
    solaris = _SOLARIS.match(text) if text.startswith("[ID ") else None
    return Entry(stamp, host, tag, text[solaris.end() :] if solaris else text)


def repeats(text: str) -> int:
    """How often syslog says the line before came again; 0 when it does not."""
    found = _REPEATED.fullmatch(text)
    return int(found[1]) if found else 0


def _rfc5424(found: re.Match[str]) -> Entry | None:
    stamp, host, program, process, rest = found.groups()
    if rest.startswith("- ") or rest == "-":
        text = rest[2:]
    else:
        end = _structured_end(rest)
        if not end:
            return None
        text = rest[end + 1 :]
    tag = program if process == "-" else f"{program}[{process}]"
    return Entry(stamp, host, tag, text.removeprefix("\ufeff"))


def _structured_end(rest: str) -> int:
    """Where structured data ends, `[a b="c"][d]`; 0 when it is none."""
    end = 0
    while rest.startswith("[", end):
        quoted = False
        for mark in _MARK.finditer(rest, end):
            if mark[0] == '"':
                quoted = not quoted
            elif mark[0] == "]" and not quoted:
                end = mark.end()
                break
        else:
            return 0
    return end


def _journal(line: str) -> Entry | None:
    try:
        fields = json.loads(line)
        micros = int(_text(fields["__REALTIME_TIMESTAMP"]))
        stamp = stamp_of(micros / 1e6)
    except (ValueError, KeyError, TypeError, OverflowError, OSError, RecursionError):
        return None
    program = _text(fields.get("SYSLOG_IDENTIFIER", fields.get("_COMM")))
    process = _text(fields.get("SYSLOG_PID", fields.get("_PID")))
    host = _text(fields.get("_HOSTNAME"))[:_MAX_HOST] or "-"
    if not _WORD.fullmatch(program) or not _WORD.fullmatch(host):
        return None
    tag = f"{program}[{process}]" if _DIGITS.fullmatch(process) else program
    return Entry(stamp, host, tag, _text(fields.get("MESSAGE")).replace("\n", " "))


def _text(value: Any) -> str:
    """A field of the journal: text, or an array of bytes where it is not clean UTF-8."""
    if isinstance(value, str):
        return value[:LINE]
    if isinstance(value, list) and all(isinstance(byte, int) and 0 <= byte < 256 for byte in value):
        return bytes(value).decode("utf-8", "replace")
    return ""
