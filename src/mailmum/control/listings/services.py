"""Changes to listings made by people: list, edit, unlist, remove a server with all of its own."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.db.models import QuerySet

from mailmum.control.accounts.access import Writing
from mailmum.control.journal.services import Change, change
from mailmum.control.listings import store
from mailmum.control.listings.draft import KEEP, Wish
from mailmum.control.listings.models import CONTENT, Version
from mailmum.control.listings.values import ACCOUNT_SCOPE, as_dict, target_columns
from mailmum.control.servers.queries import find_server, names_of_servers, own_servers
from mailmum.control.servers.services import retire
from mailmum.domain import guards
from mailmum.domain.errors import BadInput, NotFound, Refusal, SeveralRefused
from mailmum.domain.listings import WHOLE_ACCOUNT, Action, Source
from mailmum.domain.targets import Target, parse_target

TARGETS_LIMIT = 10_000
TOLD_LIMIT = 100
"""So many listings of a change are told in its journal record; the versions hold them all."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one target.

    Attributes:
        version: the listing as it is now (or would be, in a dry run).
        word: `added`, `changed` or `unchanged`.
        was: the listing that was in its place; with `added`, one that had run out.
    """

    version: Version
    word: str
    was: Version | None = None


@dataclass(slots=True)
class Result:
    """What a change came to; `change` is its number in the journal, None when nothing changed."""

    change: int | None = None
    outcomes: list[Outcome] = field(default_factory=list)
    removed: list[Version] = field(default_factory=list)
    not_listed: list[str] = field(default_factory=list)


def list_targets(
    access: Writing,
    texts: Sequence[str],
    wish: Wish,
    *,
    server: str | None = None,
    confirmed: bool = False,
    dry_run: bool = False,
) -> Result:
    """Block or allow targets, all or none, as the person who asks.

    A target that the person's side has listed in this scope already is changed: with the same
    action, what the wish leaves out stays; with the other action it starts afresh, since a reason
    or an end that was meant for a block says nothing about an allow.

    Args:
        access: proof that the asker may write.
        texts: the targets as people write them.
        wish: action and the rest.
        server: a server's name, None for the whole account.
        confirmed: whether guarded targets are meant.
        dry_run: check and report, change nothing.

    Raises:
        SeveralRefused: one or more targets are refused; nothing was changed.
        NotFound: no such server.
    """
    action = wish.action
    if action is KEEP:
        raise BadInput("say whether to block or to allow", field="action")
    if wish.enabled is KEEP:
        # Whoever lists a target wants it to hold, though it was switched off before.
        wish = replace(wish, enabled=True)
    targets = parse_targets(access, texts, action, confirmed=confirmed)
    with change(access.account.pk, access.actor, f"listing.{action.value}") as made:
        scope = scope_of(access, server)
        made.server = scope
        present = _present(access, scope, [target.text for target in targets])
        result = Result()
        for target in targets:
            was = present.get(target.text)
            result.outcomes.append(_outcome(access, made, target, scope, wish, was))
        _finish(access, made, result, dry_run=dry_run)
    return result


def edit_listing(access: Writing, number: int, wish: Wish, *, confirmed: bool = False) -> Result:
    """Change one listing by its number; its target and scope stay.

    Raises:
        NotFound: the account has no such listing.
        BadInput: it is a trigger's, whose listings are not a person's to edit.
        NeedsConfirmation: a guarded target that has not been confirmed.
    """
    with change(access.account.pk, access.actor, "listing.set") as made:
        was = _current(access).filter(number=number).first()
        if was is None:
            raise NotFound(f"there is no listing {number}")
        if was.source == Source.TRIGGER:
            raise BadInput(
                f"{was.target} is listed by a trigger", fix="list it yourself: a person outranks it"
            )
        action = Action(was.action) if wish.action is KEEP else wish.action
        if action != was.action:
            parse_targets(access, [was.target], action, confirmed=confirmed)
        made.server = was.scope
        result = Result(outcomes=[_edited(access, made, was, wish, keep=True)])
        _finish(access, made, result)
    return result


def unlist_targets(access: Writing, texts: Sequence[str], *, server: str | None = None) -> Result:
    """Remove every listing of exactly these targets in this scope: people's and imported ones.

    Raises:
        SeveralRefused: a target cannot be understood; nothing was changed.
        NotFound: no such server.
    """
    targets = _parse_all(texts)
    with change(access.account.pk, access.actor, "listing.unlist") as made:
        made.server = scope_of(access, server)
        wanted = [target.text for target in targets]
        found = _listed(access, made.server, wanted)
        listed = {version.target for version in found}
        result = Result(not_listed=[text for text in wanted if text not in listed])
        _remove(access, made, result, found)
    return result


def remove_listings(access: Writing, numbers: Iterable[int]) -> Result:
    """Remove listings by number, all or none.

    Raises:
        NotFound: the account has no listing of one of these numbers.
    """
    wanted = list(dict.fromkeys(numbers))
    with change(access.account.pk, access.actor, "listing.unlist") as made:
        found: list[Version] = []
        for start in range(0, len(wanted), 500):
            found += _current(access).filter(number__in=wanted[start : start + 500])
        if missing := set(wanted) - {version.number for version in found}:
            raise NotFound(f"there is no listing {min(missing)}", fix="reload the list")
        scopes = {version.scope for version in found}
        made.server = scopes.pop() if len(scopes) == 1 else 0
        result = Result()
        _remove(access, made, result, found)
    return result


def remove_server(access: Writing, name: str) -> tuple[int, int]:
    """Remove a server with its own listings; its keys are revoked at once.

    Returns:
        The number of the change and how many listings went with the server.

    Raises:
        NotFound: no such server.
    """
    with change(access.account.pk, access.actor, "server.remove") as made:
        server = find_server(access, name)
        made.server = server.pk
        retire(server, made)
        count = _current(access).filter(scope=server.pk).update(until=made.seq)
        made.summary = f"server {name} with {count} listings of its own"
    return made.seq, count


def scope_of(access: Writing, server: str | None) -> int:
    """The scope's number from a server's name.

    Raises:
        NotFound: no such server.
    """
    return WHOLE_ACCOUNT if server in (None, "", ACCOUNT_SCOPE) else find_server(access, server).pk


def parse_targets(
    access: Writing, texts: Sequence[str], action: Action, *, confirmed: bool
) -> list[Target]:
    """Read targets and put each before the guards; every one that fails is reported.

    Raises:
        SeveralRefused: one or more are refused.
    """
    targets = _parse_all(texts)
    own = own_servers(access)
    refused: list[tuple[str, Refusal]] = []
    for target in targets:
        try:
            guards.check(target, action, Source.PERSON, own, confirmed=confirmed)
        except Refusal as refusal:
            refused.append((target.text, refusal))
    if refused:
        raise SeveralRefused(refused, len(targets))
    return targets


def _parse_all(texts: Sequence[str]) -> list[Target]:
    if not texts:
        raise BadInput("no target given", fix="name at least one", field="target")
    if len(texts) > TARGETS_LIMIT:
        raise BadInput(
            f"{len(texts)} targets are too many for one request, {TARGETS_LIMIT} are allowed",
            fix="import them as a file",
            field="target",
        )
    targets: dict[Target, None] = {}
    refused: list[tuple[str, Refusal]] = []
    for text in texts:
        try:
            targets[parse_target(text)] = None
        except BadInput as refusal:
            refused.append((text, refusal))
    if refused:
        raise SeveralRefused(refused, len(texts))
    return list(targets)


def _current(access: Writing) -> QuerySet[Version]:
    return Version.objects.filter(account=access.account, until=None)


def _listed(access: Writing, scope: int, targets: Sequence[str]) -> list[Version]:
    found: list[Version] = []
    for start in range(0, len(targets), 500):
        chunk = targets[start : start + 500]
        found += _current(access).filter(scope=scope, target__in=chunk)
    return found


def _present(access: Writing, scope: int, targets: Sequence[str]) -> dict[str, Version]:
    return {
        version.target: version
        for version in _listed(access, scope, targets)
        if version.source == Source.PERSON
    }


def _outcome(
    access: Writing, made: Change, target: Target, scope: int, wish: Wish, was: Version | None
) -> Outcome:
    if was is not None and not _has_expired(was, made.at):
        return _edited(access, made, was, wish, keep=was.action == wish.action)
    blank = Version(
        number=was.number if was else 0,
        account=access.account,
        scope=scope,
        source=Source.PERSON.value,
        created=made.at,
        created_by=access.actor.name,
        **target_columns(target),
    )
    # One that had run out is replaced, but what it said holds for nothing now.
    return Outcome(filled(access, made, blank, wish), "added", was)


def _edited(access: Writing, made: Change, was: Version, wish: Wish, *, keep: bool) -> Outcome:
    source = was if keep else Version(created=was.created, created_by=was.created_by)
    draft = copied(was)
    for name in CONTENT:
        setattr(draft, name, getattr(source, name))
    if source is not was:
        draft.action = was.action
    version = filled(access, made, draft, wish)
    if all(getattr(version, name) == getattr(was, name) for name in CONTENT):
        return Outcome(was, "unchanged", was)
    return Outcome(version, "changed", was)


def filled(access: Writing, made: Change, draft: Version, wish: Wish) -> Version:
    """A version in the making with what is wished, marked as this change's."""
    for name in CONTENT:
        value = getattr(wish, name)
        if value is not KEEP:
            setattr(draft, name, value.value if isinstance(value, Action) else value)
    draft.changed, draft.changed_by = made.at, access.actor.name
    draft.since = made.seq
    return draft


def copied(version: Version) -> Version:
    """The beginning of the next version of a listing."""
    names = [field.attname for field in Version._meta.concrete_fields if not field.primary_key]
    return Version(**{name: getattr(version, name) for name in names})


def _has_expired(version: Version, at: datetime) -> bool:
    return version.expires is not None and version.expires <= at.timestamp()


def _finish(access: Writing, made: Change, result: Result, *, dry_run: bool = False) -> None:
    """Write the outcomes and tell the journal of them."""
    moved = [outcome for outcome in result.outcomes if outcome.word != "unchanged"]
    if dry_run or not moved:
        made.discard()
        return
    ended = [outcome.was for outcome in moved if outcome.was is not None]
    store.end(made, [version.pk for version in ended])
    fresh = [outcome.version for outcome in moved if not outcome.version.number]
    for number, version in enumerate(fresh, store.take_numbers(len(fresh)) if fresh else 0):
        version.number = number
    store.add([outcome.version for outcome in moved])
    tell_journal(access, made, ended, [outcome.version for outcome in moved])
    result.change = made.seq


def _remove(access: Writing, made: Change, result: Result, found: list[Version]) -> None:
    if not found:
        made.discard()
        return
    store.end(made, [version.pk for version in found])
    tell_journal(access, made, found, [])
    result.removed, result.change = found, made.seq


def tell_journal(
    access: Writing, made: Change, before: Sequence[Version], after: Sequence[Version]
) -> None:
    """What a change of listings leaves in its journal record."""
    servers = names_of_servers(access)
    made.before = [as_dict(version, servers) for version in before[:TOLD_LIMIT]] or None
    made.after = [as_dict(version, servers) for version in after[:TOLD_LIMIT]] or None
    shown = after or before
    made.count = len(shown)
    made.summary = ", ".join(version.target for version in shown[:5])
    if len(shown) > 5:
        made.summary += f" and {len(shown) - 5:,} more"
