"""Changes to triggers made by people: add, edit, remove, go on after the brake, clear."""

import re
from collections.abc import Mapping
from typing import Any

from django.db import transaction

from mailmum.control.accounts.access import Writing
from mailmum.control.journal.services import Change, change, take_writer_lock
from mailmum.control.listings import store
from mailmum.control.listings.services import TOLD_LIMIT
from mailmum.control.listings.values import as_dict as listing_dict
from mailmum.control.servers.queries import names_of_servers
from mailmum.control.triggers.draft import Draft, draft_of
from mailmum.control.triggers.models import Trigger
from mailmum.control.triggers.offences import forget_observed
from mailmum.control.triggers.queries import find_trigger, listings_of, triggers_of
from mailmum.control.triggers.values import rule_of, state, stored_rule
from mailmum.domain.errors import BadInput, Conflict
from mailmum.domain.texts import shown
from mailmum.triggers.rules import Mode, Rule

MOST = 100
"""Triggers of an account: each looks at every sighting."""
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,78}[A-Za-z0-9])?", re.ASCII)
_RESERVED = {"account", "presets", "backtest", "add"}
_COUNTING = ("metric", "window", "group", "lists", "score", "traps", "server", "where")


def add_trigger(
    access: Writing, name: str, given: Mapping[str, Any], *, preset: str = ""
) -> Trigger:
    """A new trigger; off unless `given` says otherwise.

    Args:
        access: proof that the asker may write.
        name: how people call it, and the origin of its listings.
        given: its fields as people write them.
        preset: name of a ready-made one to start from.

    Raises:
        BadInput: the name or a field cannot be used.
        Conflict: there is one of this name, or there are too many.
        NotFound: no such server.
    """
    label = clean_name(name)
    draft = draft_of(access, given, preset=preset)
    with change(access.account.pk, access.actor, "trigger.add") as made:
        existing = triggers_of(access)
        if existing.filter(name=label).exists():
            raise Conflict(
                f"there is a trigger {label} already", fix="choose another name", field="name"
            )
        if existing.count() >= MOST:
            raise Conflict(f"an account has {MOST} triggers at most", fix="remove one first")
        trigger = Trigger(
            account=access.account,
            name=label,
            created=made.at,
            created_by=access.actor.name,
        )
        _fill(access, made, trigger, draft)
        trigger.save(force_insert=True)
        made.summary = f"trigger {label}"
        made.after = state(trigger, names_of_servers(access))
    return trigger


def edit_trigger(access: Writing, name: str, given: Mapping[str, Any]) -> Trigger:
    """Change a trigger; what is left out stays.

    Raises:
        NotFound: no such trigger, or no such server.
        BadInput: a field cannot be used.
    """
    with change(access.account.pk, access.actor, "trigger.set") as made:
        trigger = find_trigger(access, name)
        servers = names_of_servers(access)
        made.before = state(trigger, servers)
        if not rewrite(access, made, trigger, given):
            made.discard()
            return trigger
        made.after = state(trigger, servers)
        made.summary = f"trigger {name}"
    return trigger


def rewrite(access: Writing, made: Change, trigger: Trigger, given: Mapping[str, Any]) -> bool:
    """Change the fields that are given, as part of a change; whether anything is different.

    Raises:
        NotFound: no such server.
        BadInput: a field cannot be used.
    """
    was = as_it_is(trigger)
    draft = draft_of(access, given, was)
    if draft == was:
        return False
    if _counts_anew(was, draft):
        trigger.since = None
    if was.mode is not Mode.ENFORCE and draft.mode is Mode.ENFORCE:
        forget_observed(trigger)
    _fill(access, made, trigger, draft)
    trigger.save()
    return True


def remove_trigger(access: Writing, name: str, *, with_listings: bool = False) -> tuple[int, int]:
    """Remove a trigger; its listings run out by themselves unless they go with it.

    Returns:
        The number of the change, and how many listings went with it.

    Raises:
        NotFound: no such trigger.
    """
    # At once: between the two the worker could list somebody more.
    with transaction.atomic():
        take_writer_lock()
        gone = clear_trigger(access, name)[1] if with_listings else 0
        with change(access.account.pk, access.actor, "trigger.remove") as made:
            trigger = find_trigger(access, name)
            made.before = state(trigger, names_of_servers(access))
            trigger.removed, trigger.revision = made.seq, trigger.revision + 1
            trigger.save()
            made.summary = f"trigger {name}"
    return made.seq, gone


def clear_trigger(access: Writing, name: str) -> tuple[int | None, int]:
    """Remove everything that a trigger has listed, as one change that can be undone.

    Who was listed is not listed again before the listing would have ended.

    Returns:
        The number of the change, None when there was nothing; and how many listings.

    Raises:
        NotFound: no such trigger.
    """
    with change(access.account.pk, access.actor, "listing.clear") as made:
        trigger = find_trigger(access, name)
        found = list(listings_of(access, trigger))
        if not found:
            made.discard()
            return None, 0
        store.end(made, [version.pk for version in found])
        servers = names_of_servers(access)
        made.before = [listing_dict(version, servers) for version in found[:TOLD_LIMIT]]
        made.count = len(found)
        made.summary = f"all that the trigger {name} had listed"
    return made.seq, len(found)


def resume_trigger(access: Writing, name: str) -> Trigger:
    """Let a trigger go on that its brake has stopped; it counts from nothing.

    Raises:
        NotFound: no such trigger.
    """
    with change(access.account.pk, access.actor, "trigger.resume") as made:
        trigger = find_trigger(access, name)
        if trigger.stopped_at is None:
            made.discard()
            return trigger
        trigger.stopped_at, trigger.stopped_why, trigger.since = None, "", None
        trigger.revision += 1
        trigger.save()
        made.summary = f"trigger {name}"
    return trigger


def clean_name(name: str) -> str:
    """The name of a trigger.

    Raises:
        BadInput: it is empty, too long, or has other letters than those of names of servers.
    """
    label = name.strip()
    if not label:
        raise BadInput("a trigger needs a name", fix="write for example logins", field="name")
    if label in _RESERVED:
        raise BadInput(
            f"{label} cannot be the name of a trigger: it stands for something else",
            fix="choose another name",
            field="name",
        )
    if not _NAME.fullmatch(label):
        raise BadInput(
            f"{shown(label)} cannot be the name of a trigger",
            fix="use up to 80 letters, digits, dots, hyphens and underscores, first and last a "
            "letter or digit",
            field="name",
        )
    return label


def as_it_is(trigger: Trigger) -> Draft:
    """A trigger as a draft of it would be."""
    return Draft(rule_of(trigger), Mode(trigger.mode), trigger.reason, trigger.note)


def _fill(access: Writing, made: Change, trigger: Trigger, draft: Draft) -> None:
    trigger.rule, trigger.server = stored_rule(draft.rule), draft.rule.server
    trigger.mode, trigger.reason, trigger.note = draft.mode.value, draft.reason, draft.note
    trigger.changed, trigger.changed_by = made.at, access.actor.name
    trigger.revision += 1


def _counts_anew(was: Draft, now: Draft) -> bool:
    """Whether what has been counted says nothing about the trigger as it is to be."""
    if Mode.OFF in (was.mode, now.mode) or was.mode is not now.mode:
        return True
    return _counting(was.rule) != _counting(now.rule)


def _counting(rule: Rule) -> tuple[Any, ...]:
    return tuple(getattr(rule, name) for name in _COUNTING)
