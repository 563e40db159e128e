"""What triggers follow, each a row of contacts with numbers that rise in the order of commits.

    sightings     what mail servers told (`traffic.models.Seen`)
    words         what public lists said that were asked (`witnesses.models.Word`)

A trigger follows one of them, by its metric; so its position is one number, whatever it counts.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog
from django.db.models import Q

from mailmum.control.traffic.models import Seen
from mailmum.control.triggers.contexts import COLUMNS, contact_of, newest_sighting
from mailmum.control.triggers.models import Trigger
from mailmum.control.witnesses.models import Word
from mailmum.domain.errors import FAULTS
from mailmum.triggers.contacts import SAID, Contact, outcomes_of
from mailmum.triggers.rules import Metric, Rule
from mailmum.triggers.windows import LATE

log = structlog.get_logger()

PIECE = 2000
"""Contacts that are read at once."""
_WORD = ("id", "at", "server", "client", "witness")


@dataclass(slots=True)
class Piece:
    """Some contacts in the order of numbers; `last` is the number up to which they go."""

    last: int
    contacts: dict[int, list[Contact]] = field(default_factory=dict)


class Stream(Protocol):
    """Something to follow."""

    def newest(self) -> int:
        """The number of the contact that was kept last, 0 for none."""
        ...

    def after(self, number: int, accounts: Collection[int]) -> Piece | None:
        """What comes after a number, of these accounts; None when nothing does."""
        ...

    def between(self, number: int, until: int, account: int) -> Piece:
        """What comes after one number and not after another, of one account."""
        ...

    def counted(self, trigger: Trigger, rule: Rule) -> Iterator[Contact]:
        """What can still count of what a trigger had judged, in the order of numbers."""
        ...


def stream_of(rule: Rule) -> Stream:
    """What a rule follows."""
    return WORDS if rule.metric is Metric.ASKED else SIGHTINGS


class _Sightings:
    def newest(self) -> int:
        return newest_sighting()

    def after(self, number: int, accounts: Collection[int]) -> Piece | None:
        rows = Seen.objects.filter(pk__gt=number).order_by("pk")
        found = list(rows.values_list(*COLUMNS, "account")[:PIECE])
        if not found:
            return None
        piece = Piece(found[-1][0])
        for *columns, account in found:
            if account in accounts and (contact := _read(tuple(columns))) is not None:
                piece.contacts.setdefault(account, []).append(contact)
        return piece

    def between(self, number: int, until: int, account: int) -> Piece:
        rows = Seen.objects.filter(account=account, pk__gt=number, pk__lte=until).order_by("pk")
        found = list(rows.values_list(*COLUMNS)[:PIECE])
        last = found[-1][0] if len(found) == PIECE else until
        return Piece(last, {account: [one for one in map(_read, found) if one is not None]})

    def counted(self, trigger: Trigger, rule: Rule) -> Iterator[Contact]:
        outcomes = outcomes_of(rule)
        meant = Q() if outcomes is None else Q(outcome__in=outcomes)
        if rule.server:
            meant &= Q(server=rule.server)
        rows = Seen.objects.filter(
            meant,
            account=trigger.account_id,
            time__gt=trigger.newest - LATE - rule.window * 1000,
            pk__gt=trigger.since,
            pk__lte=trigger.position,
        ).values_list(*COLUMNS)
        for row in sorted(rows.iterator(chunk_size=5000), key=lambda row: row[0]):
            if (contact := _read(row)) is not None:
                yield contact


class _Words:
    def newest(self) -> int:
        return Word.objects.order_by("-pk").values_list("pk", flat=True).first() or 0

    def after(self, number: int, accounts: Collection[int]) -> Piece | None:
        rows = Word.objects.filter(pk__gt=number).order_by("pk")
        found = list(rows.values_list(*_WORD, "account")[:PIECE])
        if not found:
            return None
        piece = Piece(found[-1][0])
        for *columns, account in found:
            if account in accounts:
                piece.contacts.setdefault(account, []).append(word_of(tuple(columns)))
        return piece

    def between(self, number: int, until: int, account: int) -> Piece:
        rows = Word.objects.filter(account=account, pk__gt=number, pk__lte=until).order_by("pk")
        found = list(rows.values_list(*_WORD)[:PIECE])
        last = found[-1][0] if len(found) == PIECE else until
        return Piece(last, {account: list(map(word_of, found))})

    def counted(self, trigger: Trigger, rule: Rule) -> Iterator[Contact]:
        rows = Word.objects.filter(
            account=trigger.account_id,
            at__gt=trigger.newest - LATE - rule.window * 1000,
            pk__gt=trigger.since,
            pk__lte=trigger.position,
        )
        yield from map(word_of, rows.order_by("pk").values_list(*_WORD))


SIGHTINGS: Stream = _Sightings()
WORDS: Stream = _Words()
STREAMS = (SIGHTINGS, WORDS)


def word_of(row: tuple[Any, ...]) -> Contact:
    """A contact from the columns of a word."""
    number, at, server, client, witness = row
    return Contact(number, at, server, SAID, 0, bytes(client), witness)


def _read(row: tuple[Any, ...]) -> Contact | None:
    """A contact; None for a row that holds what was never kept there, as in a damaged file."""
    try:
        return contact_of(row)
    except FAULTS as fault:
        log.error("trigger.unreadable", sighting=row[0], fault=type(fault).__name__)
        return None
