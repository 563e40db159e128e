"""Changing many listings at once: those that were chosen one by one, or all that fit a filter.

What was looked at is what is changed: a filter is bounded by the highest number that was there, and
the change is refused when another count fits by now.  It is one change in the journal, so one undo.
Versions are read and written in batches, so that memory stays bounded.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from django.db.models import Count, Max, QuerySet

from mailmum.control.accounts.access import Reading, Writing
from mailmum.control.journal.services import Change, change
from mailmum.control.listings import store
from mailmum.control.listings.draft import KEEP, Keep, Wish
from mailmum.control.listings.models import CONTENT, Version
from mailmum.control.listings.queries import Filter, current
from mailmum.control.listings.search import search
from mailmum.control.listings.services import (
    TARGETS_LIMIT,
    TOLD_LIMIT,
    copied,
    filled,
    scope_of,
    tell_journal,
)
from mailmum.domain.errors import BadInput, Conflict
from mailmum.domain.listings import WHOLE_ACCOUNT, Source

LIMIT = 100_000
"""So many listings can be changed at once: the writer's lock is held for some seconds."""
SHOWN = 10
_BATCH = 2000


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which listings are meant: by number, or all that a text and a filter find."""

    numbers: tuple[int, ...] = ()
    text: str = ""
    wanted: Filter | None = None


@dataclass(frozen=True, slots=True)
class Survey:
    """What is chosen.

    Attributes:
        total: how many listings.
        upto: the highest number among them.
        actions, sources, scopes: how many of each.
        first: the latest of them.
    """

    total: int
    upto: int
    actions: dict[str, int]
    sources: dict[str, int]
    scopes: dict[int, int]
    first: tuple[Version, ...]

    @property
    def triggers(self) -> int:
        """Those of triggers, which people do not edit."""
        return self.sources.get(Source.TRIGGER.value, 0)


@dataclass(slots=True)
class Done:
    """What a change of many came to.

    Attributes:
        change: its number in the journal, None when nothing changed.
        changed, same: how many changed, and how many said so already.
        triggers: how many were left out because a trigger keeps them.
        taken: targets left as they are because they are listed in the new scope already.
    """

    change: int | None = None
    changed: int = 0
    same: int = 0
    triggers: int = 0
    taken: list[str] = field(default_factory=list)


def survey(reading: Reading, chosen: Chosen) -> Survey:
    """What is chosen, without changing anything.

    Raises:
        BadInput: the text cannot be looked for.
    """
    found = _find(reading, chosen)
    plain = found.order_by()
    counted = {
        name: dict(plain.values_list(name).annotate(count=Count("pk")))
        for name in ("action", "source", "scope")
    }
    total = sum(counted["action"].values())
    upto = plain.aggregate(highest=Max("number"))["highest"] or 0
    return Survey(
        total,
        upto,
        counted["action"],
        counted["source"],
        counted["scope"],
        tuple(found.order_by("-number")[:SHOWN]),
    )


def edit_chosen(
    access: Writing,
    chosen: Chosen,
    wish: Wish,
    *,
    server: str | Keep = KEEP,
    expected: int,
) -> Done:
    """Change what a wish and a scope say, in all that are chosen, as one change.

    Args:
        access: proof that the asker may write.
        chosen: which.
        wish: what they shall say; `action` stays as it is.
        server: a server's name, empty for the whole account, KEEP to leave it.
        expected: how many there were when somebody looked.

    Raises:
        BadInput: nothing is to be changed, or they are too many.
        Conflict: another count is chosen by now.
        NotFound: no such server.
    """
    wish = replace(wish, action=KEEP)
    if server is KEEP and all(getattr(wish, name) is KEEP for name in CONTENT):
        raise BadInput("nothing to change was given", fix="fill in what shall change")
    with change(access.account.pk, access.actor, "listing.set") as made:
        scope = None if isinstance(server, Keep) else scope_of(access, server or None)
        found = _expected(access, chosen, expected)
        plan = _Plan(access, made, wish, scope)
        editable = found.exclude(source=Source.TRIGGER.value)
        plan.done.triggers = expected - editable.count()
        for batch in _batches(editable):
            plan.take(batch)
        return plan.finish()


def remove_chosen(access: Writing, chosen: Chosen, *, expected: int) -> Done:
    """Remove all that are chosen, as one change.

    Raises:
        Conflict: another count is chosen by now.
        BadInput: they are too many.
    """
    with change(access.account.pk, access.actor, "listing.unlist") as made:
        found = _expected(access, chosen, expected)
        told = list(found.order_by("number")[:TOLD_LIMIT])
        made.server = _one_scope(found)
        for batch in _batches(found):
            store.end(made, [version.pk for version in batch])
        _tell(access, made, told, [], expected)
        return Done(made.seq, expected)


class _Plan:
    """Writes the next versions, batch by batch."""

    def __init__(self, access: Writing, made: Change, wish: Wish, scope: int | None) -> None:
        self._access, self._made, self._wish, self._scope = access, made, wish, scope
        self._places: set[tuple[str, str, str]] = set()
        self._before: list[Version] = []
        self._after: list[Version] = []
        self._scopes: set[int] = set()
        self.done = Done()

    def take(self, versions: Sequence[Version]) -> None:
        """Change these."""
        taken = self._taken(versions)
        ended: list[int] = []
        fresh: list[Version] = []
        for was in versions:
            version = filled(self._access, self._made, copied(was), self._wish)
            if self._scope is not None and was.scope != self._scope:
                if _place(was) in taken:
                    self.done.taken.append(was.target)
                    continue
                taken.add(_place(was))
                version.scope = self._scope
            elif all(getattr(version, name) == getattr(was, name) for name in CONTENT):
                self.done.same += 1
                continue
            ended.append(was.pk)
            fresh.append(version)
            self._note(was, version)
        store.end(self._made, ended)
        store.add(fresh)
        self._places |= taken
        self.done.changed += len(fresh)

    def finish(self) -> Done:
        """Tell the journal."""
        if not self.done.changed:
            self._made.discard()
            return self.done
        self._made.server = self._scopes.pop() if len(self._scopes) == 1 else WHOLE_ACCOUNT
        _tell(self._access, self._made, self._before, self._after, self.done.changed)
        self.done.change = self._made.seq
        return self.done

    def _note(self, was: Version, version: Version) -> None:
        self._scopes.add(version.scope)
        if len(self._after) < TOLD_LIMIT:
            self._before.append(was)
            self._after.append(version)

    def _taken(self, versions: Sequence[Version]) -> set[tuple[str, str, str]]:
        """Places in the new scope where a listing stands, of the targets of these."""
        if self._scope is None:
            return set()
        targets = {version.target for version in versions}
        found = current(self._access).filter(scope=self._scope, target__in=targets)
        return {_place(version) for version in found} | self._places


def _place(version: Version) -> tuple[str, str, str]:
    return version.target, version.source, version.origin


def _find(reading: Reading, chosen: Chosen) -> QuerySet[Version]:
    if chosen.wanted is not None:
        return search(reading, chosen.text, chosen.wanted)
    if len(chosen.numbers) > TARGETS_LIMIT:
        raise BadInput(
            f"{len(chosen.numbers):,} are too many to be chosen one by one",
            fix="choose all that a filter finds",
        )
    return current(reading).filter(number__in=chosen.numbers)


def _expected(access: Writing, chosen: Chosen, expected: int) -> QuerySet[Version]:
    found = _find(access, chosen)
    count = found.count()
    if count != expected:
        raise Conflict(
            f"{count:,} are chosen by now, not {expected:,}", fix="look at them and send it again"
        )
    if count > LIMIT:
        raise BadInput(f"{count:,} are too many at once", fix=f"narrow it to {LIMIT:,}")
    return found


def _batches(found: QuerySet[Version]) -> Iterator[list[Version]]:
    """All of them by number: those that were changed meanwhile lie behind."""
    last = 0
    ordered = found.order_by("number")
    while batch := list(ordered.filter(number__gt=last)[:_BATCH]):
        last = batch[-1].number
        yield batch


def _one_scope(found: QuerySet[Version]) -> int:
    scopes = list(found.order_by().values_list("scope", flat=True).distinct()[:2])
    return scopes[0] if len(scopes) == 1 else WHOLE_ACCOUNT


def _tell(
    access: Writing,
    made: Change,
    before: Sequence[Version],
    after: Sequence[Version],
    count: int,
) -> None:
    tell_journal(access, made, before, after)
    made.count = count
    shown = after or before
    made.summary = ", ".join(version.target for version in shown[:5])
    if count > 5:
        made.summary += f" and {count - 5:,} more"
