"""What somebody wants of a trigger, read and checked: web, API and command line all come here."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from mailmum.control.accounts.access import Reading
from mailmum.control.accounts.models import Account
from mailmum.control.listings.values import ACCOUNT_SCOPE
from mailmum.control.servers.queries import find_server
from mailmum.control.triggers.values import TIMES, stored_rule, to_rule
from mailmum.control.witnesses.models import Witness
from mailmum.domain.errors import BadInput
from mailmum.domain.lifetimes import parse_keep
from mailmum.domain.names import parse_name
from mailmum.domain.texts import NOTE_LIMIT, REASON_LIMIT, clean_line, clean_text, shown
from mailmum.domain.words import plural
from mailmum.traffic.privacy import NO_LOCAL_PARTS
from mailmum.triggers.presets import PRESETS, Preset
from mailmum.triggers.rules import NAMING, Group, Metric, Mode, Rule, Where, name_of

WHOLE = ("threshold", "growth", "merge", "accepted", "days", "brake")
TEXTS = ("reason", "note")
FIELDS = (*(one.name for one in fields(Rule)), "mode", *TEXTS)
"""All that can be said of a trigger but its name."""
_KINDS: dict[str, type[StrEnum]] = {"metric": Metric, "group": Group, "where": Where, "mode": Mode}
_ADDRESS_LIMIT = 320
_WHOLE = re.compile(r"-?[0-9]{1,30}", re.ASCII)
_NEEDED = {
    "metric": ("what is counted", Metric.UNKNOWN.value),
    "threshold": ("how many are enough", "20"),
    "window": ("within which time", "10m"),
}
"""Fields that no trigger is without: what they say, and an example."""
_BELONG: tuple[tuple[str, Any, tuple[Metric, ...]], ...] = (
    ("score", None, (Metric.SCORE,)),
    ("traps", (), (Metric.TRAP,)),
    ("lists", (), NAMING),
)
"""Fields that belong to some metrics only, and how they are empty."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A trigger as it is to be."""

    rule: Rule
    mode: Mode
    reason: str
    note: str


def find_preset(name: str) -> Preset:
    """A ready-made trigger by name.

    Raises:
        BadInput: there is none of this name.
    """
    found = next((one for one in PRESETS if one.name == name.strip()), None)
    if found is None:
        known = ", ".join(one.name for one in PRESETS)
        raise BadInput(
            f"there is no preset {shown(name)}", fix=f"choose one of {known}", field="preset"
        )
    return found


def draft_of(
    reading: Reading, given: Mapping[str, Any], was: Draft | None = None, preset: str = ""
) -> Draft:
    """What somebody wants.

    Args:
        reading: who asks; servers are theirs.
        given: fields as people write them, in text or JSON's types; what is left out stays.
        was: the trigger as it is, None for a new one.
        preset: name of a ready-made one to start from, for a new one.

    Raises:
        BadInput: a field is not understood, or does not fit the others.
        NotFound: no such server.
    """
    chosen = find_preset(preset) if preset and was is None else None
    _check_asks(chosen, given)
    start = was or _start(chosen)
    values = stored_rule(start.rule) | {"server": start.rule.server} if start else {}
    read = {name: _read(reading, name, value) for name, value in given.items() if name in FIELDS}
    mode = read.pop("mode", start.mode if start else Mode.OFF)
    reason = read.pop("reason", start.reason if start else "")
    note = read.pop("note", start.note if start else "")
    values |= read
    for name, (about, example) in _NEEDED.items():
        if name not in values:
            raise BadInput(
                f"the {name} is missing: {about}",
                fix=f"give it, for example {example}, or start from a preset",
                field=name,
            )
    _forget_what_is_not_asked(values, read)
    rule = to_rule(values)
    _check_terms(reading.account, rule)
    return Draft(rule, mode, reason, note)


def _start(preset: Preset | None) -> Draft | None:
    return Draft(preset.rule, Mode.OFF, preset.reason, "") if preset else None


def _check_asks(preset: Preset | None, given: Mapping[str, Any]) -> None:
    """What stands in a preset for something of one's own lists nobody, or strangers."""
    if preset is None or not preset.asks or given.get(preset.asks):
        return
    raise BadInput(
        f"the preset {preset.name} takes an address of yours that nobody uses",
        fix="name it, for example trap@example.net",
        field=preset.asks,
    )


def _forget_what_is_not_asked(values: dict[str, Any], given: Mapping[str, Any]) -> None:
    """Another metric than before has no use for what belonged to that one."""
    metric = Metric(values["metric"])
    values |= {
        name: empty
        for name, empty, metrics in _BELONG
        if metric not in metrics and not given.get(name)
    }


def _read(reading: Reading, name: str, value: Any) -> Any:
    if name == "server":
        return _server(reading, value)
    return _READERS[name](name, value)


def _word(name: str, value: Any) -> StrEnum:
    kind = _KINDS[name]
    try:
        return kind(str(value).strip())
    except ValueError:
        known = ", ".join(kind)
        raise BadInput(
            f"the {name_of(name)} {_given(value)} is not known",
            fix=f"choose one of {known}",
            field=name,
        ) from None


def _whole(name: str, value: Any) -> int:
    text = str(value).strip().replace(",", "")
    # How many there may be is the rule's to say; that it is no number, ours.
    if isinstance(value, bool) or not _WHOLE.fullmatch(text):
        raise BadInput(
            f"the {name_of(name)} {_given(value)} is not a whole number",
            fix="write for example 20",
            field=name,
        )
    return int(text)


def _score(_: str, value: Any) -> float | None:
    if value is None or not str(value).strip():
        return None
    try:
        score = float(str(value))
    except ValueError:
        score = math.nan
    if not math.isfinite(score):
        raise BadInput(
            f"{shown(str(value))} is no score", fix="write for example 15", field="score"
        )
    return score


def _server(reading: Reading, value: Any) -> int:
    name = "" if value is None else str(value).strip()
    return 0 if name in ("", ACCOUNT_SCOPE) else find_server(reading, name).pk


def _names(field: str, value: Any) -> tuple[str, ...]:
    given = value if isinstance(value, list | tuple) else str(value or "").replace(",", " ").split()
    read = _list_name if field == "lists" else _trap
    return tuple(dict.fromkeys(read(str(one).strip()) for one in given if str(one).strip()))


def _reason(field: str, value: Any) -> str:
    return clean_line(str(value), field=field, limit=REASON_LIMIT)


def _note(field: str, value: Any) -> str:
    return clean_text(str(value), field=field, limit=NOTE_LIMIT)


def _lifetime(field: str, value: Any) -> int:
    try:
        # How long it may be is the rule's to say, of none at all, too.
        return parse_keep("null" if value is None else str(value), field=field)
    except BadInput as refusal:
        # Of the five that there are.
        told = f"the {name_of(field)}: {refusal.problem}"
        raise BadInput(told, fix=refusal.fix, field=field) from None


def _given(value: Any) -> str:
    """What was given, for a message; JSON's null as it stands there."""
    return "null" if value is None else shown(str(value))


def _list_name(text: str) -> str:
    try:
        return parse_name(text, field="lists")
    except BadInput as refusal:
        raise BadInput(
            refusal.problem,
            fix="name a list by its zone, for example bl.example.net",
            field="lists",
        ) from None


def _trap(text: str) -> str:
    local, at, domain = text.rpartition("@")
    odd = len(text) > _ADDRESS_LIMIT or not local.isprintable() or " " in local
    if not at or not domain or odd:
        raise BadInput(
            f"{shown(text)} is no mail address",
            fix="write trap@example.net, or @example.net for all of a domain",
            field="traps",
        )
    return f"{local}@{parse_name(domain, field='traps')}".lower()


def _check_terms(account: Account, rule: Rule) -> None:
    """What the account keeps must be enough to count by."""
    if rule.window > account.recent_days * 86_400:
        raise BadInput(
            f"sightings are kept for {plural(account.recent_days, 'day')} only, so no longer time "
            "is counted",
            fix="make the window shorter, or keep them longer, under Settings in the pages",
            field="window",
        )
    if rule.metric is Metric.ASKED:
        _check_asked(account, rule)
    hidden = [trap for trap in rule.traps if not trap.startswith("@")]
    if hidden and account.privacy == NO_LOCAL_PARTS:
        raise BadInput(
            f"{hidden[0]} cannot be told from others: only the domains of addresses are kept",
            fix="name a whole domain as @example.net, or keep hashes of addresses",
            field="traps",
        )


def _check_asked(account: Account, rule: Rule) -> None:
    """Lists are asked that somebody has chosen, and no others."""
    asked = set(Witness.objects.filter(account=account).values_list("zone", flat=True))
    strange = [name for name in rule.lists if name not in asked]
    if strange:
        raise BadInput(
            f"the public list {strange[0]} is not asked",
            fix=f"have it asked first: mailmum rbl add {strange[0]}",
            field="lists",
        )
    if rule.threshold > len(asked):
        several = (
            "a public list is" if rule.threshold == 1 else f"{rule.threshold} public lists are"
        )
        few = f"only {len(asked)} are" if len(asked) > 1 else "only one is" if asked else "none is"
        raise BadInput(
            f"{several} to list a client, and {few} asked",
            fix="have more asked first: mailmum rbl add ZONE, or on the page Public RBLs"
            + ("; or lower the threshold" if asked else ""),
            field="threshold",
        )


_READERS: dict[str, Callable[[str, Any], Any]] = {
    **dict.fromkeys(_KINDS, _word),
    **dict.fromkeys(TIMES, _lifetime),
    **dict.fromkeys(WHOLE, _whole),
    "score": _score,
    "lists": _names,
    "traps": _names,
    "reason": _reason,
    "note": _note,
}
