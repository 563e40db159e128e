"""Undo of what lies above listings: who knows how to put a kind of change back joins in here.

A change tells the state before and after it; to undo it is to find the state after, and to put back
the one before.  Undoing an undo is the same with the two exchanged, so one function serves both.
"""

from collections.abc import Callable, Mapping

from mailmum.control.accounts.access import Writing
from mailmum.control.journal.models import Record
from mailmum.control.journal.services import Change

Undoer = Callable[[Writing, Change, Record], None]
"""Takes who undoes, the change in the making, and the record of what is to be undone."""

UNDOERS: dict[str, Undoer] = {}
"""By kind of change."""

REASONS: dict[str, str] = {}
"""Why other kinds of change are not undone, and what to do instead."""


def join(undoers: Mapping[str, Undoer], reasons: Mapping[str, str]) -> None:
    """Join in when changes of these kinds are undone."""
    UNDOERS.update(undoers)
    REASONS.update(reasons)
