"""Change a channel: its name, its address, what it asks for; and the key that signs webhooks.

A channel stays what it is, so that nothing is lost on the way: the key, how it fared, and what
waits to be sent.  What it is, mail or a webhook, does not change: that is another channel.
"""

import secrets
import time
from collections.abc import Mapping
from typing import Any

from mailmum.control.accounts.access import Writing
from mailmum.control.alerts import outbox
from mailmum.control.alerts.channels import FIELDS, cleaned, refuse_taken, state
from mailmum.control.alerts.models import Channel, Manner, Parcel
from mailmum.control.alerts.queries import find_channel
from mailmum.control.alerts.receivers import ended_at, note_ended
from mailmum.control.alerts.sending import EMAIL, WEBHOOK
from mailmum.control.alerts.telling import forget_told
from mailmum.control.journal.services import change
from mailmum.domain.errors import Conflict
from mailmum.domain.texts import shown


def edit_channel(
    access: Writing, name: str, given: Mapping[str, Any], *, now: float | None = None
) -> Channel:
    """Change a channel; its key, how it fared and what is on its way there stay.

    Another address gets what is on its way, soon, and is told of what is open as a new channel is.
    What its receiver has ended goes with the address.

    Args:
        access: who changes it.
        name: of the channel.
        given: of `FIELDS`, what is to be different; what is left out or None stays.
        now: our own clock.

    Raises:
        NotFound: no such channel.
        BadInput, Unsafe: as for a new one; then nothing is changed.
        Conflict: there is one of the new name.
    """
    clock = time.time() if now is None else now
    with change(access.account.pk, access.actor, "alerts.edit") as made:
        channel = find_channel(access, name)
        made.before = state(channel)
        wanted = {field: given[field] for field in FIELDS if given.get(field) is not None}
        others = {word: one for word, one in wanted.items() if one != getattr(channel, word)}
        values = cleaned(channel.kind, others)
        if values.get("name", name) != name:
            refuse_taken(access, values["name"])
        if values.get("target", channel.target) != channel.target:
            _move(channel, values["target"], clock)
        if values.get("reports"):
            _begin_reports(channel, clock)
        for field, value in values.items():
            setattr(channel, field, value)
        channel.save()
        made.after = state(channel)
        renamed = f" is now {channel.name}" if channel.name != name else ""
        made.summary = f"alert channel {name}{renamed}"
        if made.before == made.after:
            made.discard()
    return channel


def renew_secret(access: Writing, name: str) -> Channel:
    """Give a webhook a new key, by which everything is signed from now on.

    What its receiver refuses until it knows the new one is tried again, so nothing is lost.

    Raises:
        NotFound: no such channel.
        Conflict: it is no webhook.
    """
    with change(access.account.pk, access.actor, "alerts.rotate-key") as made:
        channel = find_channel(access, name)
        if channel.kind != WEBHOOK:
            raise Conflict(
                f"nothing is signed that goes to {shown(name)}", fix="only webhooks have a key"
            )
        channel.secret = secrets.token_hex(32)
        channel.save(update_fields=["secret"])
        made.summary = f"new key for the alert channel {name}"
    return channel


def _move(channel: Channel, target: str, now: float) -> None:
    """What goes with the address of a channel, when that is another."""
    if channel.stopped is not None:
        # Older versions kept it with the channel only.
        note_ended(channel.account, channel.target, channel.stopped)
    channel.stopped = ended_at(channel.account, target) if channel.kind == EMAIL else None
    # Not at once: a try that is under way may last as long as the first pause at most.
    soon = int(now + outbox.FIRST_PAUSE)
    Parcel.objects.filter(channel=channel, ended=None, due__gt=soon).update(due=soon)
    forget_told(channel)


def _begin_reports(channel: Channel, now: float) -> None:
    """The first report is the next, not one of a week that nobody had asked about."""
    others = Channel.objects.filter(account=channel.account, reports=True, stopped=None)
    if not others.exists():
        Manner.objects.update_or_create(account=channel.account, defaults={"reported": int(now)})
