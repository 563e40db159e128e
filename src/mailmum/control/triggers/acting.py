"""What a trigger has decided becomes listings: one change of the journal, with its evidence.

How far the trigger has followed is part of that change, and it fails when the trigger stands
elsewhere: another process has done the same, or somebody has edited it meanwhile.  Then nothing is
written, and the follower begins anew from what is kept.  See ADR 9.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from mailmum.control.accounts.access import Writing
from mailmum.control.accounts.models import Account, Role
from mailmum.control.journal.services import Actor, Change, change, take_writer_lock
from mailmum.control.listings import store
from mailmum.control.listings.models import Version
from mailmum.control.listings.services import TOLD_LIMIT
from mailmum.control.listings.values import as_dict, stored_target, target_columns
from mailmum.control.servers.models import Server
from mailmum.control.servers.queries import names_of_servers
from mailmum.control.triggers.evidence import told
from mailmum.control.triggers.guard import BY_TRIGGER
from mailmum.control.triggers.models import Finding, Offence, Trigger
from mailmum.control.witnesses.models import Word
from mailmum.domain.listings import Action, Source
from mailmum.domain.targets import Target
from mailmum.triggers.decisions import Decision, Kind
from mailmum.triggers.judge import Place
from mailmum.triggers.rules import Metric, Mode

LIST, WOULD, PAST, SPARE, STOP = "list", "would", "past", "spare", "stop"
SUMMARY_TARGETS = 5
_AT_ONCE = 500


class Elsewhere(Exception):
    """The trigger is not as it was when this was decided; nothing was written."""


def machine_access(trigger: Trigger, account: Account) -> Writing:
    """What a trigger does, it does in its own name."""
    return Writing(account, Actor(0, f"trigger {trigger.name}"), Role.ADMIN)


@dataclass(slots=True)
class _Batch:
    """One change in the making."""

    trigger: Trigger
    made: Change
    servers: dict[int, str]
    lists: dict[int, str]
    live: set[int]
    now: int
    ended: list[Version] = field(default_factory=list)
    fresh: dict[Place, Version] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    places: list[Place | None] = field(default_factory=list)


def act(
    trigger: Trigger,
    decisions: Sequence[Decision],
    lists: dict[int, str],
    *,
    position: int,
    newest: int,
) -> None:
    """Write what was decided, and how far the trigger has followed.

    Args:
        trigger: as it was when it was decided.
        decisions: in order.
        lists: names of public lists by number.
        position: number of the sighting up to which it has followed.
        newest: when the newest contact was that counted, in milliseconds.

    Raises:
        Elsewhere: it stands elsewhere by now, or has been changed.
    """
    with transaction.atomic():
        take_writer_lock()
        _step(trigger, position, newest)
        if decisions:
            access = machine_access(trigger, trigger.account)
            _write(access, trigger, decisions, lists)
            _stop(access, trigger, decisions)
    trigger.position, trigger.newest = position, newest


def _step(trigger: Trigger, position: int, newest: int) -> None:
    stands = Trigger.objects.filter(
        pk=trigger.pk, revision=trigger.revision, position=trigger.position, removed=None
    )
    # The update is the check: who comes second finds no such row.
    if not stands.update(position=position, newest=newest, since=trigger.since):
        raise Elsewhere(f"the trigger {trigger.name} stands elsewhere")


def keep_idle(triggers: Iterable[Trigger], position: int) -> list[Trigger]:
    """Write how far triggers have followed for which nothing came, some at a time.

    Returns:
        Those that stand elsewhere by now.
    """
    groups: dict[int, list[Trigger]] = {}
    for trigger in triggers:
        if trigger.position < position:
            groups.setdefault(trigger.position, []).append(trigger)
    elsewhere: list[Trigger] = []
    for was, group in groups.items():
        for at in range(0, len(group), _AT_ONCE):
            elsewhere += _step_idle(group[at : at + _AT_ONCE], was, position)
    return elsewhere


def _step_idle(triggers: list[Trigger], was: int, position: int) -> list[Trigger]:
    numbers = [trigger.pk for trigger in triggers]
    stand = Trigger.objects.filter(pk__in=numbers, position=was, removed=None)
    with transaction.atomic():
        take_writer_lock()
        found = dict(stand.values_list("pk", "revision"))
        mine: list[Trigger] = []
        elsewhere: list[Trigger] = []
        for one in triggers:
            (mine if found.get(one.pk) == one.revision else elsewhere).append(one)
        Trigger.objects.filter(pk__in=[one.pk for one in mine]).update(position=position)
    for trigger in mine:
        trigger.position = position
    return elsewhere


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a trigger has followed where nothing was decided."""

    trigger: Trigger
    position: int
    newest: int


def keep_busy(standings: Sequence[Standing]) -> list[Trigger]:
    """Write how far triggers have followed, some at a time: each by itself would be a commit.

    Returns:
        Those that stand elsewhere by now.
    """
    elsewhere: list[Trigger] = []
    for at in range(0, len(standings), _AT_ONCE):
        elsewhere += _step_busy(standings[at : at + _AT_ONCE])
    return elsewhere


def _step_busy(standings: Sequence[Standing]) -> list[Trigger]:
    numbers = [one.trigger.pk for one in standings]
    table = connection.ops.quote_name(Trigger._meta.db_table)
    with transaction.atomic():
        take_writer_lock()
        rows = Trigger.objects.filter(pk__in=numbers, removed=None)
        found = {pk: rest for pk, *rest in rows.values_list("pk", "revision", "position")}
        mine: list[Standing] = []
        elsewhere: list[Standing] = []
        for one in standings:
            stands = [one.trigger.revision, one.trigger.position]
            (mine if found.get(one.trigger.pk) == stands else elsewhere).append(one)
        with connection.cursor() as cursor:
            cursor.executemany(
                f"UPDATE {table} SET position = %s, newest = %s WHERE id = %s",  # noqa: S608 (a name of our own)
                [(one.position, one.newest, one.trigger.pk) for one in mine],
            )
    for one in mine:
        one.trigger.position, one.trigger.newest = one.position, one.newest
    return [one.trigger for one in elsewhere]


def _write(
    access: Writing, trigger: Trigger, decisions: Sequence[Decision], lists: dict[int, str]
) -> None:
    with change(access.account.pk, access.actor, BY_TRIGGER) as made:
        servers = names_of_servers(access)
        live = Server.objects.filter(account=access.account, removed=None)
        batch = _Batch(
            trigger,
            made,
            servers,
            lists,
            {0, *live.values_list("pk", flat=True)},
            math.ceil(timezone.now().timestamp()),
        )
        for decision in decisions:
            _take(batch, decision)
        _finish(batch)
    _keep_offences(trigger, decisions)


def _take(batch: _Batch, decision: Decision) -> None:
    """What one decision adds to the change."""
    place = (decision.scope, decision.target)
    kind = _kind(batch, decision)
    if decision.kind is Kind.LIST and batch.trigger.mode == Mode.ENFORCE:
        for part in decision.replaces:
            _end(batch, (decision.scope, part))
        if kind == LIST:
            _end(batch, place)
            batch.fresh[place] = _version(batch, decision)
    batch.findings.append(_finding(batch, decision, kind))
    batch.places.append(place if kind == LIST else None)


def _kind(batch: _Batch, decision: Decision) -> str:
    if decision.kind is Kind.SPARE:
        return SPARE
    if decision.kind is Kind.STOP:
        return STOP
    if decision.offence.until <= batch.now * 1000 or decision.scope not in batch.live:
        return PAST
    return LIST if batch.trigger.mode == Mode.ENFORCE else WOULD


def _end(batch: _Batch, place: Place) -> None:
    """End the listing of a place, also one that this very change was about to make."""
    batch.fresh.pop(place, None)
    scope, target = place
    found = Version.objects.filter(
        account=batch.trigger.account,
        until=None,
        scope=scope,
        target=target.text,
        source=Source.TRIGGER.value,
        origin=batch.trigger.name,
    )
    known = {version.pk for version in batch.ended}
    batch.ended += [version for version in found if version.pk not in known]


def _version(batch: _Batch, decision: Decision) -> Version:
    trigger, made = batch.trigger, batch.made
    rule = _rule(trigger)
    note = told(rule, _evidence(batch, decision), decision.offence.times)
    # That of an earlier trigger of this name may end later.
    place = (decision.scope, decision.target.text)
    was = [one.expires or 0 for one in batch.ended if (one.scope, one.target) == place]
    return Version(
        number=0,
        account=trigger.account,
        scope=decision.scope,
        action=Action.BLOCK.value,
        source=Source.TRIGGER.value,
        origin=trigger.name,
        reason=trigger.reason,
        note=note,
        code=None,
        expires=max([math.ceil(decision.offence.until / 1000), *was]),
        enabled=True,
        created=made.at,
        created_by=made.actor.name,
        changed=made.at,
        changed_by=made.actor.name,
        since=made.seq,
        **target_columns(decision.target),
    )


def _finish(batch: _Batch) -> None:
    """Write versions and findings, and tell the journal; no listing, no record."""
    made, fresh = batch.made, list(batch.fresh.values())
    if not fresh and not batch.ended:
        made.discard()
        Finding.objects.bulk_create(batch.findings)
        return
    store.end(made, [version.pk for version in batch.ended])
    was = {(one.scope, one.target): one.number for one in batch.ended}
    new = [one for one in fresh if (one.scope, one.target) not in was]
    for number, version in enumerate(new, store.take_numbers(len(new)) if new else 0):
        version.number = number
    for version in fresh:
        version.number = version.number or was[version.scope, version.target]
    store.add(fresh)
    for finding, place in zip(batch.findings, batch.places, strict=True):
        if place is not None and place in batch.fresh:
            finding.listing = batch.fresh[place].number
    Finding.objects.bulk_create(batch.findings)
    _tell(batch, fresh)


def _tell(batch: _Batch, fresh: Sequence[Version]) -> None:
    made, servers = batch.made, batch.servers
    made.before = [as_dict(one, servers) for one in batch.ended[:TOLD_LIMIT]] or None
    made.after = [as_dict(one, servers) for one in fresh[:TOLD_LIMIT]] or None
    shown = fresh or batch.ended
    made.count = len(shown)
    scopes = {version.scope for version in shown}
    made.server = scopes.pop() if len(scopes) == 1 else 0
    made.summary = ", ".join(version.target for version in shown[:SUMMARY_TARGETS])
    if len(shown) > SUMMARY_TARGETS:
        made.summary += f" and {len(shown) - SUMMARY_TARGETS:,} more"


def _finding(batch: _Batch, decision: Decision, kind: str) -> Finding:
    trigger, offence = batch.trigger, decision.offence
    return Finding(
        trigger=trigger,
        account=trigger.account_id,
        kind=kind,
        at=batch.made.at,
        scope=decision.scope,
        target=decision.target.text,
        times=offence.times,
        begin=offence.begin,
        until=offence.until,
        number=offence.number,
        merged=bool(decision.replaces),
        reason=decision.reason[:300],
        rule=_rule(trigger),
        evidence=_evidence(batch, decision),
    )


def _rule(trigger: Trigger) -> dict[str, Any]:
    """The thresholds that were reached, as they were then."""
    names = ["metric", "threshold", "window"]
    if trigger.rule["score"] is not None:
        names.append("score")
    return {name: trigger.rule[name] for name in names}


def _evidence(batch: _Batch, decision: Decision) -> dict[str, Any]:
    evidence, lists = asdict(decision.evidence), batch.lists
    evidence["lists"] = [(lists.get(number, ""), many) for number, many in evidence["lists"]]
    if batch.trigger.rule["metric"] == Metric.ASKED:
        # People look for what was seen, not for what was heard because of it.
        words = Word.objects.filter(pk__in=evidence["numbers"]).order_by("sighting")
        evidence["numbers"] = list(words.values_list("sighting", flat=True).distinct())
    return evidence


def _keep_offences(trigger: Trigger, decisions: Iterable[Decision]) -> None:
    """What the judge has to know again after a restart; who was merged is listed with that."""
    kept: dict[Place, Offence] = {}
    joined: dict[tuple[int, int], list[str]] = {}
    for decision in decisions:
        if decision.kind is Kind.STOP:
            continue
        kept[decision.scope, decision.target] = _offence(trigger, decision)
        until = decision.offence.until
        for one in decision.joined:
            if (known := kept.get((decision.scope, one))) is not None:
                known.until = until
            else:
                joined.setdefault((decision.scope, until), []).append(one.text)
    for (scope, until), texts in joined.items():
        mine = Offence.objects.filter(trigger=trigger, scope=scope)
        for at in range(0, len(texts), _AT_ONCE):
            mine.filter(target__in=texts[at : at + _AT_ONCE]).update(until=until)
    Offence.objects.bulk_create(
        kept.values(),
        batch_size=_AT_ONCE,
        update_conflicts=True,
        unique_fields=["trigger", "scope", "target"],
        update_fields=["kind", "times", "begin", "until", "number"],
    )


def _offence(trigger: Trigger, decision: Decision) -> Offence:
    offence = decision.offence
    return Offence(
        trigger=trigger,
        scope=decision.scope,
        target=decision.target.text,
        kind=decision.target.kind.value,
        times=offence.times,
        begin=offence.begin,
        until=offence.until,
        number=offence.number,
    )


def _stop(access: Writing, trigger: Trigger, decisions: Iterable[Decision]) -> None:
    """The brake: the trigger stops itself, and the journal says so."""
    stop = next((one for one in decisions if one.kind is Kind.STOP), None)
    if stop is None:
        return
    with change(access.account.pk, access.actor, "trigger.stop") as made:
        Trigger.objects.filter(pk=trigger.pk).update(
            stopped_at=made.at, stopped_why=stop.reason, revision=trigger.revision + 1
        )
        made.summary = f"trigger {trigger.name}: {stop.reason}"


def stored_place(offence: Offence) -> Place:
    """The place of a kept offence."""
    target: Target = stored_target(offence.kind, offence.target)
    return offence.scope, target
