"""Pauses of an account and of its servers: the switch that stops all blocking at once.

One value says it (`domain.pauses`), each change of it is one journal record, and undo puts back the
value before.  A pause whose end has passed is none; nothing has to clear it away.
"""

import time
from dataclasses import dataclass
from typing import Any

from django.db.models import Q

from mailmum.control.accounts.access import Reading, Writing
from mailmum.control.accounts.models import Account
from mailmum.control.journal.moments import moment, spoken
from mailmum.control.journal.services import Change, change
from mailmum.control.prepared import Prepared
from mailmum.control.servers.models import Server
from mailmum.control.servers.queries import find_server
from mailmum.domain.errors import BadInput, Conflict
from mailmum.domain.pauses import HOLD, blocks_hold, later

ACCOUNT = "account"
"""The scope of a pause of the whole account; no server is called so."""

LONGEST = 366 * 86_400
KINDS = frozenset({"server.pause", "server.resume", "account.pause", "account.resume"})
"""Kinds of changes that are told here."""


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause in force.

    Attributes:
        server: name of the server that is paused, empty when the whole account is.
        until: Unix time of its end, None when it lasts until somebody resumes.
    """

    server: str
    until: int | None

    def as_dict(self) -> dict[str, Any]:
        """The pause as API and command line show it."""
        return {"scope": self.server or ACCOUNT, "until": moment(self.until)}


def pause_at(account: Account, server: Server | None, now: float) -> Pause | None:
    """The pause under which a server is, or the account as a whole (None); the longer of two."""
    own = HOLD if server is None else server.blocks_from
    both = later(account.blocks_from, own)
    if blocks_hold(both, now):
        return None
    whole = account.blocks_from == both
    return Pause("" if whole or server is None else server.name, both)


def pauses_of(reading: Reading, now: float) -> list[Pause]:
    """All pauses in force: that of the account, then those of its servers by name."""
    number = reading.account.pk
    whole = [Pause("", until) for (until,) in _ACCOUNT.rows(number) if not blocks_hold(until, now)]
    return whole + [Pause(name, until) for name, until in _SERVERS.rows(number, int(now))]


# The account is asked for again: whoever has just paused it holds it as it was.
_ACCOUNT = Prepared(lambda account: Account.objects.filter(pk=account).values_list("blocks_from"))
_SERVERS = Prepared(
    lambda account, now: (
        Server.objects.filter(account=account, removed=None)
        .filter(Q(blocks_from=None) | Q(blocks_from__gt=now))
        .order_by("name")
        .values_list("name", "blocks_from")
    )
)


def pause(access: Writing, server: str | None = None, *, until: int | None = None) -> Change | None:
    """Block nothing on a server, or in the whole account (None), for a while.

    Args:
        access: proof that the asker may write.
        server: name of the server.
        until: Unix time at which blocks hold again, None: not before somebody resumes.

    Returns:
        The change; None when it is paused like that already.

    Raises:
        NotFound: no such server.
        BadInput: the end has passed, or is too far off.
    """
    now = time.time()
    if until is not None and not now < until <= now + LONGEST:
        raise BadInput(
            "a pause ends in the future, and within a year",
            fix="leave the end out for a pause that lasts until you resume",
            field="for",
        )
    return _set(access, "pause", server, until)


def resume(access: Writing, server: str | None = None) -> Change | None:
    """End a pause; None when there is none.

    Raises:
        NotFound: no such server.
    """
    return _set(access, "resume", server, HOLD)


def undo_pause(access: Writing, what: str, number: int, was: Any, now_is: Any) -> None:
    """Put back what a change of the journal replaced.

    Args:
        access: proof that the asker may write.
        what: the kind of that change.
        number: of the server it was about.
        was: what the journal told as the state before it.
        now_is: what it told as the state after.

    Raises:
        Conflict: it has been paused or resumed since, or the server removed.
    """
    if what.removeprefix("undo.").startswith("account."):
        held: Account | Server = Account.objects.get(pk=access.account.pk)
    else:
        held = Server.objects.get(account=access.account, pk=number)
        if held.removed is not None:
            raise Conflict(f"the server {held.name} has been removed")
    # One that has run out since is what it was: nothing happened but that time went by.
    if held.blocks_from != now_is["blocks_from"]:
        raise Conflict(
            "the pause has been changed since", fix="pause or resume instead, as things are now"
        )
    held.blocks_from = was["blocks_from"]
    held.save(update_fields=["blocks_from"])


def _set(access: Writing, verb: str, server: str | None, wanted: int | None) -> Change | None:
    sort = "account" if server is None else "server"
    with change(access.account.pk, access.actor, f"{sort}.{verb}") as made:
        held: Account | Server
        if server is None:
            held = Account.objects.get(pk=access.account.pk)
        else:
            held = find_server(access, server)
            made.server = held.pk
        made.before, made.after = _state(held.blocks_from), _state(wanted)
        about = f"server {held.name}" if isinstance(held, Server) else "the account"
        made.summary = f"all blocking of {about}" + (
            f" until {spoken(wanted)}" if wanted not in (None, HOLD) else ""
        )
        nothing = _is(wanted, made.at.timestamp()) == _is(held.blocks_from, made.at.timestamp())
        held.blocks_from = wanted
        if nothing:
            made.discard()
        else:
            held.save(update_fields=["blocks_from"])
    return None if made.discarded else made


def _is(blocks_from: int | None, now: float) -> int | None:
    return HOLD if blocks_hold(blocks_from, now) else blocks_from


def _state(blocks_from: int | None) -> dict[str, int | None]:
    return {"blocks_from": blocks_from}
