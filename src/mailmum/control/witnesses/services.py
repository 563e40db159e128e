"""Changes to which public lists an account asks."""

from django.utils import timezone

from mailmum.control import config
from mailmum.control.accounts.access import Writing
from mailmum.control.journal.services import change
from mailmum.control.witnesses.models import Witness
from mailmum.domain.errors import BadInput, Conflict, NotFound
from mailmum.domain.names import parse_name
from mailmum.domain.texts import shown
from mailmum.traffic.groups import is_own

MOST = 20
"""Lists that an account asks."""
_ZONE_LIMIT = 180
"""Before it an IPv6 address needs 64 characters of the 253 that a name may have."""


def add_witness(access: Writing, zone: str) -> Witness:
    """Ask a public list from now on.

    Raises:
        BadInput: it is no name, or one of our own zones.
        Conflict: it is asked already, or there are too many.
    """
    name = clean_zone(zone)
    with change(access.account.pk, access.actor, "rbl.add") as made:
        mine = Witness.objects.filter(account=access.account)
        if mine.filter(zone=name).exists():
            raise Conflict(f"{name} is asked already", field="zone")
        if mine.count() >= MOST:
            raise Conflict(f"{MOST} lists are asked already", fix="remove one")
        witness = Witness.objects.create(account=access.account, zone=name, created=timezone.now())
        made.summary = f"public list {name}"
        made.after = {"name": name}
    return witness


def remove_witness(access: Writing, zone: str) -> None:
    """Ask a public list no longer.

    Raises:
        NotFound: it is not asked.
    """
    with change(access.account.pk, access.actor, "rbl.remove") as made:
        found = None
        if "\0" not in zone:
            name = zone.strip().rstrip(".").lower()
            found = Witness.objects.filter(account=access.account, zone=name).first()
        if found is None:
            raise NotFound(f"{shown(zone)} is not asked", fix="see: mailmum rbl list", field="zone")
        made.summary = f"public list {found.zone}"
        made.before = {"name": found.zone}
        found.delete()


def clean_zone(text: str) -> str:
    """The name of a public list.

    Raises:
        BadInput: it is no name, or one of our own zones.
    """
    name = parse_name(text.strip(), field="zone")
    if "." not in name:
        raise BadInput(
            f"{shown(text)} is no list", fix="write for example rbl.example.net", field="zone"
        )
    if len(name) > _ZONE_LIMIT:
        raise BadInput(f"{shown(text)} is too long to be asked", field="zone")
    if is_own(name, config.current().zone):
        raise BadInput(
            f"{name} is one of your own lists", fix="see: mailmum explain CLIENT", field="zone"
        )
    return name
