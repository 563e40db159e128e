"""The directives of rbldnsd's data files: lines that begin with `$`, special entries in rbldnsd(8).

Applied: `$DATASET` (what the lines below are), `$MAXRANGE4` (wider entries do not count),
`$TIMESTAMP` (the time from which the data no longer holds), and the variables of TXT templates.
Without meaning for MailMum, which serves zones of its own: `$SOA`, `$NS`, `$TTL`.
"""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mailmum.domain.errors import BadInput
from mailmum.domain.texts import shown
from mailmum.formats.rbldnsd_targets import Shape

KINDS = {
    "ip4set": Shape.IP4,
    "ip4trie": Shape.IP4,
    "ip4tset": Shape.IP4,
    "ip6trie": Shape.IP6,
    "ip6tset": Shape.IP6,
    "dnset": Shape.NAME,
}
_OTHER_KINDS = ("generic", "acl")
_IGNORED = ("soa", "ns", "nameserver", "ttl")
_UNITS = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1, "": 1}
_SPAN = re.compile(r"\+([0-9]{1,9})([wdhms]?)", re.ASCII | re.IGNORECASE)
_STAMP = re.compile(
    r"([0-9]{4})[:-]?([0-9]{1,2})[:-]?([0-9]{1,2})"
    r"(?:[:-]?([0-9]{1,2}))?(?:[:-]?([0-9]{1,2}))?(?:[:-]?([0-9]{1,2}))?[:-]?",
    re.ASCII,
)
_NO_STAMP = ("0", "-", ":")


@dataclass(slots=True)
class State:
    """What directives have set so far.

    Attributes:
        kind: the data set that the lines belong to, empty when unknown.
        skipping: whether the lines belong to a data set that holds no listings.
        largest: the number of IPv4 addresses that an entry may cover, None for any.
        expires: Unix time in seconds from which the data no longer holds, or None.
        variables: texts for `$0` to `$9` and `$=`.
        common: the variables given before the first `$DATASET`.
    """

    kind: str = ""
    skipping: bool = False
    largest: int | None = None
    expires: int | None = None
    variables: dict[str, str] = field(default_factory=dict)
    common: dict[str, str] | None = None


def apply_special(state: State, text: str) -> str:
    """Apply a directive, given without its dollar sign; the remark to make, or nothing.

    Raises:
        BadInput: unknown, or its value makes no sense.
    """
    word, *values = text.split(None, 1) or [""]
    value = values[0].strip() if values else ""
    name = word.lower()
    if name in _IGNORED:
        return "left out: MailMum serves zones, with records and TTL, of its own"
    if len(word) == 1 and word in "0123456789=" and value:
        # The first assignment holds, as in rbldnsd.
        state.variables.setdefault(word, value)
        return ""
    if name == "maxrange4":
        return _max_range(state, value)
    if name == "dataset":
        return _data_set(state, value)
    if name == "timestamp":
        return _timestamp(state, value)
    raise BadInput(f"{shown('$' + word)} is no directive of rbldnsd")


def _max_range(state: State, value: str) -> str:
    digits = value.removeprefix("/")
    number = int(digits) if re.fullmatch("[0-9]{1,10}", digits, re.ASCII) else 0
    if digits != value and number <= 32:
        number = 1 << (32 - number)
    elif digits != value:
        number = 0
    if not 0 < number <= 1 << 32:
        raise BadInput(f"{shown(value)} is no range size", fix="write for example /24 or 256")
    # It may be made smaller, never larger.
    state.largest = number if state.largest is None else min(number, state.largest)
    return ""


def _data_set(state: State, value: str) -> str:
    kind = value.partition(" ")[0].partition("\t")[0].partition(":")[0]
    if state.common is None:
        state.common = state.variables
    state.variables = dict(state.common)
    state.kind, state.skipping = kind, kind not in KINDS
    if kind in _OTHER_KINDS:
        return f"left out up to the next data set: {kind} holds no listings"
    if state.skipping:
        raise BadInput(
            f"{shown(kind)} is no data set that can be read; the lines up to the next are left out",
            fix="one of " + ", ".join(KINDS),
        )
    return ""


def _timestamp(state: State, value: str) -> str:
    made, *rest = value.split() or [""]
    start = None if made in _NO_STAMP else _moment(made)
    if not rest or rest[0] in _NO_STAMP:
        return ""
    span = _SPAN.fullmatch(rest[0])
    if span is None:
        end = _moment(rest[0])
    elif start is None:
        raise BadInput(f"{shown(rest[0])} counts from a time that is not given")
    else:
        end = start + int(span[1]) * _UNITS[span[2].lower()]
    state.expires = end if state.expires is None else min(end, state.expires)
    return ""


def _moment(text: str) -> int:
    wrong = BadInput(f"{shown(text)} is no time", fix="write for example 2030:01:31:12:00:00")
    found = _STAMP.fullmatch(text)
    if found is None:
        raise wrong
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups())
    try:
        return int(datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp())
    except ValueError:
        raise wrong from None
