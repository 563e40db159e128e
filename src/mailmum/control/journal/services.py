"""Every change goes through `change`: one transaction, one record, one place in the order.

A sequence alone does not order commits: of two transactions, the one with the higher number may
commit first, and a reader that follows the numbers would step over the other for ever.  So a
change first takes the writer's lock, then looks up the highest number, and holds the lock until it
has committed.  On SQLite that lock is `BEGIN IMMEDIATE` (a setting of the connection); on
PostgreSQL it is an advisory lock that the end of the transaction releases.  Taking it first,
before any row is read, also means that no service ever sees another's half-made change, and that
two of them cannot wait for each other's rows.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import Max
from django.utils import timezone

from mailmum.control.journal.models import Record

CHANNEL = "mailmum_journal"
"""The channel on which PostgreSQL tells the daemons that a change has been committed."""

_LOCK = 0x4D61696C4D756D  # "MailMum"
_SUMMARY_LIMIT = 500


@dataclass(frozen=True, slots=True)
class Actor:
    """Who changes something.

    Attributes:
        person: number of the person, 0 for the system itself.
        name: how the journal names the actor.
        via: by which way: `web`, `api TOKEN NAME`, `command line`.
    """

    person: int
    name: str
    via: str = ""


SYSTEM = Actor(0, "MailMum")


@dataclass(slots=True)
class Change:
    """A change in the making; what is set here stands in the journal when it has committed."""

    seq: int
    account: int
    actor: Actor
    what: str
    at: datetime
    server: int = 0
    summary: str = ""
    before: Any = None
    after: Any = None
    count: int = 1
    undoes: int | None = None
    discarded: bool = field(default=False)

    def discard(self) -> None:
        """Nothing changed after all: leave no record."""
        self.discarded = True


@contextmanager
def change(account: int, actor: Actor, what: str, *, server: int = 0) -> Iterator[Change]:
    """Make one change, all or nothing.

    Args:
        account: number of the account that changes.
        actor: who changes it.
        what: kind of change, such as `listing.block`.
        server: number of the server it is about, 0 when about none.

    Yields:
        The change, whose `seq` marks the rows it makes; set `summary`, `before` and `after`.
    """
    with transaction.atomic():
        take_writer_lock()
        last = Record.objects.aggregate(last=Max("seq"))["last"] or 0
        made = Change(last + 1, account, actor, what, timezone.now(), server)
        yield made
        if made.discarded:
            return
        _append(made)


def take_writer_lock() -> None:
    """Be the only writer until this transaction ends."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])


def _append(made: Change) -> None:
    Record.objects.create(
        seq=made.seq,
        account_id=made.account,
        server=made.server,
        person=made.actor.person,
        actor=made.actor.name,
        via=made.actor.via,
        at=made.at,
        what=made.what,
        summary=made.summary[:_SUMMARY_LIMIT],
        before=made.before,
        after=made.after,
        count=made.count,
        undoes=made.undoes,
    )
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"NOTIFY {CHANNEL}")
