"""Undo of changes to triggers.  What a trigger has listed is undone with its listings.

A trigger that comes back counts from nothing, like one that is switched on: what happened while it
was gone or different lists nobody.
"""

from typing import Any

from mailmum.control.accounts.access import Writing
from mailmum.control.journal.models import Record
from mailmum.control.journal.services import Change
from mailmum.control.servers.queries import names_of_servers
from mailmum.control.triggers.draft import FIELDS
from mailmum.control.triggers.models import Trigger
from mailmum.control.triggers.queries import triggers_of
from mailmum.control.triggers.services import MOST, rewrite
from mailmum.control.triggers.values import state
from mailmum.domain.errors import Conflict, NotFound

REASONS = {
    "trigger.stop": "its brake stopped it; remove what it has listed, or let it go on",
    "trigger.resume": "switch the trigger off instead",
}


def undo_trigger(access: Writing, made: Change, record: Record) -> None:
    """Put back what a change of a trigger replaced.

    Raises:
        Conflict: it has been changed since, its name is taken, or its server is gone.
    """
    if record.after is None:
        _bring_back(access, record)
        return
    trigger = _as_told(access, record.after)
    if record.before is None:
        trigger.removed, trigger.revision = made.seq, trigger.revision + 1
        trigger.save()
        return
    given = {name: record.before[name] for name in FIELDS if name in record.before}
    try:
        rewrite(access, made, trigger, given)
    except NotFound as refusal:
        raise Conflict(
            "the server whose contacts it counted has been removed",
            fix="undo the removal of the server first",
        ) from refusal


def _as_told(access: Writing, told: dict[str, Any]) -> Trigger:
    """The trigger, if it still is what the journal told."""
    name = str(told["name"])
    found = triggers_of(access).filter(name=name).first()
    if found is None:
        raise Conflict(f"the trigger {name} has been removed since", fix="undo the removal first")
    if state(found, names_of_servers(access)) != told:
        raise Conflict(
            f"the trigger {name} has been changed since",
            fix="undo the later change first, or edit the trigger",
        )
    return found


def _bring_back(access: Writing, record: Record) -> None:
    trigger = Trigger.objects.filter(account=access.account, removed=record.seq).first()
    if trigger is None:
        raise Conflict("the trigger is there again", fix="see: mailmum trigger list")
    there = triggers_of(access)
    if there.filter(name=trigger.name).exists():
        raise Conflict(
            f"there is another trigger {trigger.name} by now", fix="remove that one first"
        )
    if there.count() >= MOST:
        raise Conflict(f"an account has {MOST} triggers at most", fix="remove one first")
    trigger.removed, trigger.since = None, None
    trigger.revision += 1
    trigger.save()


UNDOERS = dict.fromkeys(("trigger.add", "trigger.set", "trigger.remove"), undo_trigger)
