"""The inbox: proposals are put in, accepted, dismissed, and go when nothing speaks for them."""

import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from django.db import transaction
from django.db.models import Count, QuerySet

from mailmum.control.accounts.access import Reading, Writing, system_access
from mailmum.control.accounts.models import Account
from mailmum.control.accounts.rounds import each
from mailmum.control.journal.services import Change, change, take_writer_lock
from mailmum.control.listings.draft import KEEP, make_wish
from mailmum.control.listings.models import Version
from mailmum.control.listings.services import (
    Result,
    edit_listing,
    list_targets,
    remove_listings,
)
from mailmum.control.monitor.impact import check
from mailmum.control.prepared import Prepared
from mailmum.control.suggestions.ideas import ALLOW, BLOCK, DAYS, DROP, SHORTEN, WIDEN, Idea, ideas
from mailmum.control.suggestions.models import Suggestion
from mailmum.control.traffic.models import LastSeen
from mailmum.domain.errors import Conflict, NotFound
from mailmum.domain.listings import Action
from mailmum.domain.targets import NetworkTarget, parse_network, parse_target
from mailmum.traffic.periods import DAY

OPEN, ACCEPTED, DISMISSED = "open", "accepted", "dismissed"
LIFE = "30d"
"""For how long what was proposed is blocked, and how long a listing without hits lives on."""
HISTORY = 400 * 86_400
_TEXT = 300


def open_suggestions(reading: Reading) -> QuerySet[Suggestion]:
    """What waits for a decision, the weightiest first."""
    found = Suggestion.objects.filter(account=reading.account, state=OPEN)
    return found.order_by("kind", "-weight", "id")


def dismissed_suggestions(reading: Reading) -> QuerySet[Suggestion]:
    """What was dismissed, the latest first."""
    found = Suggestion.objects.filter(account=reading.account, state=DISMISSED)
    return found.order_by("-decided", "-id")


def waiting(reading: Reading) -> int:
    """How many wait for a decision."""
    return sum(count for _, count in _WAITING.rows(reading.account.pk))


_WAITING = Prepared(
    lambda account: (
        Suggestion.objects.filter(account=account, state=OPEN)
        .values_list("account")
        .annotate(count=Count("pk"))
        .order_by()
    )
)


def thinking(now: float) -> Iterator[object]:
    """What the worker does: look for proposals in every account that is active."""
    worth = _worth_thinking(now)
    accounts = [one for one in Account.objects.order_by("pk") if one.pk in worth]

    def think(account: Account) -> int:
        return put(account, ideas(system_access(account), now=now), now=now)

    yield from each("suggestions", accounts, think, now)
    old = Suggestion.objects.filter(decided__lt=int(now - HISTORY), state=ACCEPTED)
    yield old.delete()


def _worth_thinking(now: float) -> set[int]:
    """Accounts of which there is traffic, an old block without an end, or a proposal that waits."""
    since = int((now - (DAYS + 1) * DAY) * 1000)
    seen = LastSeen.objects.filter(time__gte=since).values_list("account", flat=True)
    old = datetime.fromtimestamp(now - (DAYS - 1) * DAY, UTC)
    blocks = Version.objects.filter(
        until=None, action=Action.BLOCK.value, expires=None, changed__lt=old
    )
    waits = Suggestion.objects.filter(state=OPEN).values_list("account", flat=True)
    listed = blocks.order_by().values_list("account", flat=True).distinct()
    return {*seen, *listed, *waits}


def put(account: Account, found: Iterable[Idea], *, now: float) -> int:
    """Make the inbox hold just what could be proposed now; how many are new.

    What was dismissed stays away, whatever speaks for it.  Of a network of offenders that holds
    also when one client more or less has made it wider or narrower by now.
    """
    with transaction.atomic():
        take_writer_lock()
        kept = Suggestion.objects.filter(account=account, state__in=[OPEN, DISMISSED])
        known = {(one.kind, one.target, one.scope): one for one in kept}
        away = [
            parse_network(one.target)
            for one in known.values()
            if one.kind == WIDEN and one.state == DISMISSED
        ]
        new = 0
        for idea in found:
            was = known.pop((idea.kind, idea.target, idea.scope), None)
            if was is None and idea.kind == WIDEN and _meets(idea.target, away):
                continue
            if was is None:
                _make(account, idea, now)
                new += 1
            elif was.state == OPEN:
                _refresh(was, idea)
        gone = [one.pk for one in known.values() if one.state == OPEN]
        Suggestion.objects.filter(pk__in=gone).delete()
    return new


def _meets(target: str, networks: Iterable[NetworkTarget]) -> bool:
    """Whether a network lies in one of others, or around one."""
    mine = parse_network(target)
    return any(
        one.covers(mine.version, mine.first) or mine.covers(one.version, one.first)
        for one in networks
    )


def accept(access: Writing, number: int, *, now: float | None = None) -> Result:
    """Do what was proposed, as the person who accepts it.

    Raises:
        NotFound: there is no such proposal that waits for a decision.
        Conflict: it would now hit accepted mail.
        Refusal: the listing is refused as any other would be.
    """
    clock = time.time() if now is None else now
    one = _waiting(access, number)
    # Before the lock: to look at traffic takes a while, and nobody else shall wait for it.
    if one.kind in (BLOCK, WIDEN):
        _still_harmless(access, one, clock)
    with transaction.atomic():
        take_writer_lock()
        one = _waiting(access, number)
        result = _do(access, one, clock)
        _decide(access, one, ACCEPTED, clock)
    return result


def dismiss(access: Writing, number: int, *, now: float | None = None) -> tuple[Suggestion, Change]:
    """Do not propose this again, unless that is undone.

    Raises:
        NotFound: there is no such proposal that waits for a decision.
    """
    clock = time.time() if now is None else now
    with change(access.account.pk, access.actor, "suggestion.dismiss") as made:
        one = _waiting(access, number)
        _decide(access, one, DISMISSED, clock)
        made.summary = f"suggestion to {one.kind} {one.target}"
        made.before, made.after = told_state(one, OPEN), told_state(one, DISMISSED)
    return one, made


def told_state(one: Suggestion, state: str) -> dict[str, object]:
    """How the journal tells what has become of a proposal."""
    return {"suggestion": one.pk, "state": state}


def _waiting(access: Writing, number: int) -> Suggestion:
    found = Suggestion.objects.filter(account=access.account, pk=number, state=OPEN).first()
    if found is None:
        raise NotFound(
            f"no suggestion {number} waits for a decision", fix="see: mailmum suggestions list"
        )
    return found


def _do(access: Writing, one: Suggestion, now: float) -> Result:
    note = f"suggested: {one.text}"
    if one.kind in (BLOCK, WIDEN):
        wish = make_wish(Action.BLOCK, now=now, note=note, lifetime=LIFE)
        return list_targets(access, [one.target], wish)
    if one.kind == ALLOW:
        return list_targets(access, [one.target], make_wish(Action.ALLOW, now=now, note=note))
    assert one.listing is not None
    if one.kind == DROP:
        return remove_listings(access, [one.listing])
    assert one.kind == SHORTEN, one.kind
    return edit_listing(access, one.listing, make_wish(KEEP, now=now, lifetime=LIFE))


def _still_harmless(access: Writing, one: Suggestion, now: float) -> None:
    """It was so when it was proposed; since then mail may have been accepted."""
    found = check(access, parse_target(one.target), days=DAYS, now=now)
    lost = (found.accepted or 0) - found.kept
    if lost > 0:
        raise Conflict(
            f"since this was suggested mail from {one.target} was accepted ({lost:,})",
            fix=f"dismiss it, or look closer: mailmum check {one.target}",
        )


def _decide(access: Writing, one: Suggestion, state: str, now: float) -> None:
    one.state, one.decided, one.decided_by = state, int(now), access.actor.name
    one.save(update_fields=["state", "decided", "decided_by"])


def _make(account: Account, idea: Idea, now: float) -> None:
    Suggestion.objects.create(
        account=account,
        kind=idea.kind,
        target=idea.target,
        listing=idea.listing,
        scope=idea.scope,
        text=idea.text[:_TEXT],
        evidence=dict(idea.evidence),
        weight=idea.weight,
        made=int(now),
    )


def _refresh(was: Suggestion, idea: Idea) -> None:
    was.listing, was.text = idea.listing, idea.text[:_TEXT]
    was.evidence, was.weight = dict(idea.evidence), idea.weight
    was.save(update_fields=["listing", "text", "evidence", "weight"])
