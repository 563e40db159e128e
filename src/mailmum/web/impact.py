"""Whom a block would hit, as the check beside the form shows it: accepted mail first."""

from dataclasses import dataclass
from typing import Any

from mailmum.charts.markup import Markup
from mailmum.charts.small import split
from mailmum.control.accounts.access import Reading
from mailmum.control.monitor.better import EXCEPT, Better
from mailmum.control.monitor.checked import Check, Hit
from mailmum.domain.words import plural
from mailmum.traffic.impact import Word
from mailmum.web.groups import Look, looks_for
from mailmum.web.seen import rows_at

SHOWN = 8
FEW = 20
"""One in so many contacts, of which only the lookup is known, makes no headline."""
WORDS = {
    Word.SAFE: ("Safe", "good", "accepted"),
    Word.CAUTION: ("Look twice", "warn", "warn"),
    Word.DANGEROUS: ("Dangerous", "bad", "warn"),
}


@dataclass(frozen=True, slots=True)
class HitRow:
    """A client with what became of its contacts drawn beside it."""

    hit: Hit
    bar: Markup


@dataclass(frozen=True, slots=True)
class Way:
    """A better way.

    Attributes:
        text: what it is.
        about: what it comes to.
        value: what the button sends, see `views.listing_forms`.
    """

    text: str
    about: str
    value: str


@dataclass(frozen=True, slots=True)
class Impact:
    """Whom it would hit.

    Attributes:
        check: all that was found.
        word, css, icon: the verdict in words and how it is marked.
        say: the most important thing, in a sentence.
        reasons: what else there is to know.
        legend: contacts by outcome; `split` is the same drawn.
        lost: clients whose accepted mail would be lost; `rest`: others that matter most.
        more: how many further clients there are.
        ways: better ways.
        rows, accepted_rows: where the sightings behind the numbers are; empty: nowhere.
    """

    check: Check
    word: str
    css: str
    icon: str
    say: str
    reasons: tuple[str, ...]
    legend: tuple[tuple[Look, int], ...]
    split: Markup
    lost: tuple[HitRow, ...]
    rest: tuple[HitRow, ...]
    more: int
    ways: tuple[Way, ...]
    rows: str
    accepted_rows: str


def verdict_of(impact: dict[str, Any] | None) -> tuple[str, ...]:
    """The word for whom a whole list would have hit, with its look; empty where nothing is told."""
    return WORDS[Word(impact["verdict"])] if impact else ()


def impact_of(access: Reading, found: Check) -> Impact:
    """Prepare it."""
    word, css, icon = WORDS[found.verdict]
    looks = looks_for(found.target)
    legend = tuple((looks[group], count) for group, count in found.groups.items())
    most = max((one.contacts for one in found.hits), default=0)
    lost = [one for one in found.hits if one.accepted and not one.kept]
    rest = [one for one in found.hits if one not in lost][: max(SHOWN - len(lost), 3)]
    dangerous = found.verdict is Word.DANGEROUS
    reasons = [f"{text[:1].upper()}{text[1:]}." for text in found.warnings]
    first = 0 if _known_enough(found) else 1
    about = {"q": found.target.text, "range": "month", "once": "1"}
    return Impact(
        check=found,
        word="Would stop mail you want" if dangerous and lost else word,
        css=css,
        icon=icon,
        say=reasons[0] if reasons and first else _safe(found),
        reasons=tuple(reasons[first:]),
        legend=legend,
        split=split([(look.kind, look.word, count) for look, count in legend], tall=True),
        lost=tuple(HitRow(one, _bar(one, most)) for one in lost),
        rest=tuple(HitRow(one, _bar(one, most)) for one in rest),
        more=max(found.clients - len(lost) - len(rest), 0),
        ways=tuple(_way(one) for one in found.better),
        rows=rows_at(access, **about),
        accepted_rows=rows_at(access, what="accepted", **about),
    )


def _known_enough(found: Check) -> bool:
    """Whether all there is to say against it is of very few contacts: that makes no headline."""
    return len(found.warnings) == 1 and 0 < found.unlogged <= found.contacts // FEW


def _safe(found: Check) -> str:
    if not found.contacts:
        return f"Nothing was seen of it in {plural(found.days, 'day')}."
    contacts = plural(found.contacts, "contact")
    return f"{contacts} in {plural(found.days, 'day')}, no mail accepted that would be lost."


def _bar(one: Hit, most: int) -> Markup:
    parts = [
        ("accepted", "Accepted", one.accepted),
        ("ink", "Stopped", one.rejected),
        ("none", "No verdict", max(one.contacts - one.accepted - one.rejected, 0)),
    ]
    return split(parts, most=most)


def _way(one: Better) -> Way:
    stops = f"Stops {one.stops:,} of the {one.of:,} contacts that were turned away"
    if one.way != EXCEPT:
        what = one.block[0] if len(one.block) == 1 else f"{len(one.block)}: {', '.join(one.block)}"
        return Way(
            f"Block only {what}", f"{stops}, no accepted sender.", _value("block", one.block)
        )
    whom = one.allow[0] if len(one.allow) == 1 else f"{len(one.allow)} senders"
    return Way(
        f"First allow {whom}, then block {one.block[0]}",
        f"{stops}. The form goes on with the block once they are allowed.",
        _value("allow", one.allow),
    )


def _value(kind: str, targets: tuple[str, ...]) -> str:
    return f"{kind}:{' '.join(targets)}"
