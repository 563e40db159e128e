"""What may be read of triggers."""

from typing import Any

from django.db.models import Count, Max, Q, QuerySet
from django.utils import timezone

from mailmum.control.accounts.access import Reading
from mailmum.control.journal.models import Record
from mailmum.control.listings.models import Version
from mailmum.control.listings.queries import current
from mailmum.control.servers.queries import names_of_servers
from mailmum.control.triggers.models import Finding, Trigger
from mailmum.control.triggers.values import as_dict
from mailmum.domain.errors import NotFound
from mailmum.domain.listings import Source
from mailmum.domain.texts import shown


def triggers_of(reading: Reading) -> QuerySet[Trigger]:
    """The triggers of an account by name."""
    return Trigger.objects.filter(account=reading.account, removed=None).order_by("name")


def find_trigger(reading: Reading, name: str) -> Trigger:
    """One trigger by name.

    Raises:
        NotFound: the account has none of this name.
    """
    # PostgreSQL takes no NUL, and no trigger has one in its name.
    found = None if "\0" in name else triggers_of(reading).filter(name=name).first()
    if found is None:
        raise NotFound(
            f"there is no trigger {shown(name)}", fix="see: mailmum trigger list", field="name"
        )
    return found


def listings_of(reading: Reading, trigger: Trigger) -> QuerySet[Version]:
    """What a trigger has listed and is in force, newest first."""
    now = int(timezone.now().timestamp())
    mine = current(reading).filter(source=Source.TRIGGER.value, origin=trigger.name)
    return mine.filter(Q(expires=None) | Q(expires__gt=now)).order_by("-number")


def in_force(reading: Reading) -> dict[str, int]:
    """How many listings of each trigger are in force, by its name."""
    now = int(timezone.now().timestamp())
    mine = current(reading).filter(source=Source.TRIGGER.value)
    alive = mine.filter(Q(expires=None) | Q(expires__gt=now))
    return dict(alive.values_list("origin").annotate(Count("pk")).order_by())


def last_change() -> int:
    """The number of the last change of the journal: while it stays, so do triggers and lists."""
    return Record.objects.aggregate(last=Max("seq"))["last"] or 0


def findings_of(reading: Reading, trigger: Trigger) -> QuerySet[Finding]:
    """What a trigger has decided, newest first."""
    return Finding.objects.filter(account=reading.account.pk, trigger=trigger).order_by("-id")


def show(reading: Reading, *triggers: Trigger) -> list[dict[str, Any]]:
    """Triggers as API and command line show them."""
    servers, counts = names_of_servers(reading), in_force(reading)
    return [as_dict(one, servers, counts.get(one.name, 0)) for one in triggers]
