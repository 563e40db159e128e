"""Undo of a dismissal: the proposal waits again, for as long as anything speaks for it.

What was accepted is undone as the listing that it made.
"""

from mailmum.control.accounts.access import Writing
from mailmum.control.journal.models import Record
from mailmum.control.journal.services import Change
from mailmum.control.suggestions.inbox import DISMISSED
from mailmum.control.suggestions.models import Suggestion
from mailmum.domain.errors import Conflict


def undo_dismissal(access: Writing, made: Change, record: Record) -> None:
    """Put back how a proposal stood.

    Raises:
        Conflict: it stands otherwise by now, or is gone.
    """
    after, before = record.after or {}, record.before or {}
    # What was dismissed before this could be undone told no number.
    found = Suggestion.objects.filter(account=access.account, pk=after.get("suggestion", 0))
    one = found.filter(state=after.get("state")).first()
    if one is None:
        raise Conflict(
            "that suggestion is gone, or has been decided otherwise by now",
            fix="list what it was about, or see: mailmum suggestions list",
        )
    one.state = before["state"]
    dismissed = one.state == DISMISSED
    one.decided = int(made.at.timestamp()) if dismissed else None
    one.decided_by = access.actor.name if dismissed else ""
    one.save(update_fields=["state", "decided", "decided_by"])


UNDOERS = {"suggestion.dismiss": undo_dismissal}
