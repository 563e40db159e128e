"""Undo: put back what a change of the journal changed, as a change of its own.

Listings go back by versions: those that the change added are ended, those that it ended are added
again.  That is refused when one of them says something else by now, since undoing would silently
undo the later change too.  Undoing an undo does the change again.  Feeds and triggers, which lie
above, join in by `undoing`.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from django.db.models import QuerySet

from mailmum.control.accounts.access import Reading, Writing
from mailmum.control.journal.models import Record
from mailmum.control.journal.services import Change, change
from mailmum.control.listings import store
from mailmum.control.listings.models import CONTENT, Version
from mailmum.control.listings.undoing import REASONS, UNDOERS
from mailmum.control.servers.models import Server
from mailmum.control.servers.pauses import KINDS, undo_pause
from mailmum.control.servers.services import reinstate, restore_state, retire, state
from mailmum.domain.errors import BadInput, Conflict, NotFound

_BATCH = 5000
_REASONS = {
    "server.rotate-key": "a revoked key stays revoked; rotate again for another",
    "request.decline": "answer the request anew instead",
    "token.add": "revoke the token instead",
    "token.remove": "a revoked token stays revoked; make a new one",
    "account.add": "an account is not undone",
}


def why_not(record: Record) -> str:
    """Why a record cannot be undone, empty when it can (unless later changes stand in the way)."""
    what = record.what.removeprefix("undo.")
    servers = {"server.add", "server.set", "server.remove"}
    if what.startswith("listing.") or what in servers or what in KINDS:
        return ""
    if what in UNDOERS:
        return ""
    return (_REASONS | REASONS).get(what, "such a change is not undone; change it back by hand")


def find_record(reading: Reading, seq: int) -> Record:
    """A change of the account.

    Raises:
        NotFound: its journal has no such change.
    """
    found = Record.objects.filter(account=reading.account, seq=seq).first()
    if found is None:
        raise NotFound(f"there is no change {seq} in the journal", fix="see: mailmum journal list")
    return found


def undo(access: Writing, seq: int) -> Change:
    """Undo one change.

    Args:
        access: proof that the asker may write.
        seq: the change's number in the journal.

    Raises:
        NotFound: the account's journal has no such change.
        BadInput: this kind of change cannot be undone.
        Conflict: it has been undone already, or a later change stands in the way.
    """
    with change(access.account.pk, access.actor, "undo") as made:
        record = find_record(access, seq)
        if reason := why_not(record):
            raise BadInput(f"change {seq} cannot be undone: {reason}")
        if done := Record.objects.filter(undoes=seq).first():
            raise Conflict(f"change {seq} was undone by change {done.seq} already")
        made.what = _name(record)
        made.server, made.undoes = record.server, seq
        made.before, made.after, made.count = record.after, record.before, record.count
        made.summary = f"undid {seq}: {record.summary}"
        what = record.what.removeprefix("undo.")
        if what in KINDS:
            undo_pause(access, record.what, record.server, record.before, record.after)
        elif what in UNDOERS:
            UNDOERS[what](access, made, record)
        else:
            _undo_server(access, made, record)
        _undo_listings(access, made, record)
    return made


def _name(record: Record) -> str:
    what = record.what
    return what.removeprefix("undo.") if what.startswith("undo.") else f"undo.{what}"


def _undo_server(access: Writing, made: Change, record: Record) -> None:
    what = record.what.removeprefix("undo.")
    if not what.startswith("server."):
        return
    server = Server.objects.get(account=access.account, pk=record.server)
    was: dict[str, Any] = record.before or {}
    if what == "server.set":
        if server.removed is not None or state(server) != record.after:
            raise Conflict(
                f"the server {server.name} has been changed since",
                fix="undo the later change first, or edit the server",
            )
        restore_state(access, server, was)
    elif server.removed is None:
        _retire_if_bare(access, made, server)
    elif server.removed == record.seq:
        reinstate(access, server, was)
    else:
        raise Conflict(f"the server {server.name} has been removed by a later change")


def _retire_if_bare(access: Writing, made: Change, server: Server) -> None:
    own = Version.objects.filter(account=access.account, scope=server.pk, until=None)
    if own.exists():
        raise Conflict(
            f"the server {server.name} has listings of its own by now",
            fix="remove the server instead, which removes them too",
        )
    retire(server, made)


def _undo_listings(access: Writing, made: Change, record: Record) -> None:
    mine = Version.objects.filter(account=access.account)
    added, ended = mine.filter(since=record.seq), mine.filter(until=record.seq)
    stand_ins = list(_stand_ins(access, added.exclude(until=None).exclude(until=record.seq)))
    added.filter(until=None).update(until=made.seq)
    store.end(made, stand_ins)
    batch: list[Version] = []
    for version in ended.order_by("pk").iterator(_BATCH):
        batch.append(version)
        if len(batch) == _BATCH:
            _put_back(access, made, batch)
            batch = []
    _put_back(access, made, batch)


def _stand_ins(access: Writing, replaced: QuerySet[Version]) -> Iterator[int]:
    """Current versions that say what the replaced ones said: a later change was itself undone.

    Raises:
        Conflict: a listing says something else by now, or is gone.
    """
    versions = replaced.order_by("until", "pk").iterator(500)
    while batch := list(islice(versions, 500)):
        numbers = [version.number for version in batch]
        found = Version.objects.filter(account=access.account, until=None, number__in=numbers)
        current = {version.number: version for version in found}
        for version in batch:
            now = current.get(version.number)
            if now is None or _content(now) != _content(version):
                change = version.until if now is None else now.since
                raise Conflict(
                    f"{version.target} has been changed since by change {change}",
                    fix=f"undo change {change} first",
                )
            yield now.pk


def _content(version: Version) -> tuple[object, ...]:
    return tuple(getattr(version, name) for name in CONTENT)


def _put_back(access: Writing, made: Change, versions: list[Version]) -> None:
    live = set(
        Server.objects.filter(account=access.account, removed=None).values_list("pk", flat=True)
    )
    _refuse_if_taken(access, versions)
    for version in versions:
        if version.scope and version.scope not in live:
            raise Conflict(
                f"{version.target} was listed for a server that has been removed",
                fix="undo the removal of the server first",
            )
        version.pk = None
        version.since, version.until = made.seq, None
        version.changed, version.changed_by = made.at, access.actor.name
    store.add(versions)


def _refuse_if_taken(access: Writing, versions: list[Version]) -> None:
    wanted = {_place(version) for version in versions}
    targets = [version.target for version in versions]
    for start in range(0, len(targets), 500):
        chunk = targets[start : start + 500]
        for taken in Version.objects.filter(account=access.account, until=None, target__in=chunk):
            if _place(taken) in wanted:
                raise Conflict(
                    f"{taken.target} has been listed again since by change {taken.since}",
                    fix=f"undo change {taken.since} first",
                )


def _place(version: Version) -> tuple[str, int, str, str]:
    return version.target, version.scope, version.source, version.origin
