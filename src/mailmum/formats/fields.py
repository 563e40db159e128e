"""The fields of a listing as csv and json have them, by name.

`target` is required; all others may be missing or empty.  `expires` is a time in ISO 8601 (in UTC
when it names no zone) or in Unix seconds.  `id` and `created` are written for the reader's
information and ignored when read: an import makes listings of its own.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from mailmum.domain.codes import code_text, parse_code
from mailmum.domain.errors import BadInput
from mailmum.domain.listings import Action, Source
from mailmum.domain.targets import parse_target
from mailmum.domain.texts import (
    LABEL_LIMIT,
    NOTE_LIMIT,
    REASON_LIMIT,
    clean_line,
    clean_text,
    shown,
)
from mailmum.formats.entries import Entry, ReadOptions
from mailmum.formats.rows import ExportRow
from mailmum.formats.tidy import one_line, several_lines

NAMES = (
    "id",
    "action",
    "target",
    "scope",
    "source",
    "origin",
    "reason",
    "note",
    "code",
    "expires",
    "enabled",
    "created",
)
"""All fields, in the order of the columns."""

_SECONDS = re.compile("[0-9]{9,11}", re.ASCII)
_DATE = re.compile("[0-9]{4}-", re.ASCII)
_LAST = 253_402_300_799
_FLAGS = {"true": True, "yes": True, "1": True, "": True, "false": False, "no": False, "0": False}


def entry_from(line: int, fields: Mapping[str, str], options: ReadOptions) -> Entry:
    """Make an entry of named texts.

    Raises:
        BadInput: a field cannot be understood; the message names it.
    """
    code = fields.get("code", "").strip()
    return Entry(
        line,
        _action(fields.get("action", ""), options.action),
        parse_target(fields.get("target", "")),
        clean_line(fields.get("reason", ""), field="reason", limit=REASON_LIMIT),
        clean_text(fields.get("note", ""), field="note", limit=NOTE_LIMIT),
        parse_code(code) if code else None,
        parse_time(fields.get("expires", "")),
        _source(fields.get("source", "")),
        clean_line(fields.get("origin", ""), field="origin", limit=LABEL_LIMIT),
        _flag(fields.get("enabled", "")),
        clean_line(fields.get("scope", ""), field="scope", limit=LABEL_LIMIT),
    )


def fields_of(row: ExportRow) -> dict[str, str | int | bool | None]:
    """The fields of a row by name, in the order of `NAMES`."""
    listing = row.listing
    return {
        "id": listing.id,
        "action": listing.action.value,
        "target": listing.target.text,
        "scope": one_line(row.scope),
        "source": listing.source.value,
        "origin": one_line(listing.origin),
        "reason": one_line(listing.reason),
        "note": several_lines(row.note),
        "code": None if listing.code is None else code_text(listing.code),
        "expires": None if listing.expires is None else time_text(listing.expires),
        "enabled": listing.enabled,
        "created": None if row.created is None else time_text(row.created),
    }


def parse_time(text: str) -> int | None:
    """Read a time as Unix seconds; empty is None.

    Raises:
        BadInput: not a time, or before 1970 or after the year 9999.
    """
    given = text.strip()
    if not given:
        return None
    if _SECONDS.fullmatch(given):
        return int(given)
    wrong = BadInput(
        f"{shown(given)} is no time",
        fix="write for example 2030-01-31T12:00:00Z, or Unix seconds",
        field="expires",
    )
    if not _DATE.match(given):
        raise wrong
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        raise wrong from None
    # A time without a zone would otherwise depend on where this runs.
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    seconds = int(moment.timestamp())
    if not 0 < seconds <= _LAST:
        raise wrong
    return seconds


def time_text(seconds: int) -> str:
    """Unix seconds in ISO 8601, UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def _action(text: str, default: Action) -> Action:
    given = text.strip().lower()
    try:
        return Action(given) if given else default
    except ValueError:
        raise BadInput(
            f"{shown(text)} is no action", fix="write block or allow", field="action"
        ) from None


def _source(text: str) -> Source | None:
    given = text.strip().lower()
    try:
        return Source(given) if given else None
    except ValueError:
        raise BadInput(
            f"{shown(text)} is no source", fix="write person, trigger or feed", field="source"
        ) from None


def _flag(text: str) -> bool:
    try:
        return _FLAGS[text.strip().lower()]
    except KeyError:
        raise BadInput(
            f"enabled is {shown(text)}", fix="write true or false", field="enabled"
        ) from None
