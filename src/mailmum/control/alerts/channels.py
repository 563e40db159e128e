"""Changes to where and how an account is told."""

import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils import timezone

from mailmum.control.accounts.access import Writing
from mailmum.control.alerts import outbox
from mailmum.control.alerts.comparing import manner_of
from mailmum.control.alerts.conditions import Severity
from mailmum.control.alerts.models import Alert, Channel, Manner
from mailmum.control.alerts.queries import find_channel
from mailmum.control.alerts.receivers import count_test, ended_at, note_ended
from mailmum.control.alerts.sending import EMAIL, WEBHOOK
from mailmum.control.alerts.timing import minute_text
from mailmum.control.alerts.watches import KINDS
from mailmum.control.journal.services import change
from mailmum.control.outgoing import outgoing
from mailmum.daemons.outgoing import Unsafe
from mailmum.daemons.zones import named_zone
from mailmum.domain.errors import BadInput, Conflict, NotFound
from mailmum.domain.texts import LABEL_LIMIT, clean_line, shown

MOST = 20
"""Channels of an account."""
TARGET_LIMIT = 500
FIELDS = ("name", "target", "least", "kinds", "reports")
"""What can be changed of a channel."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a channel shall be.

    Attributes:
        name: what people call it.
        kind: email or webhook.
        target: mail address or URL.
        least: least severity that is told.
        kinds: kinds of alerts; none for all.
        reports: whether the weekly report goes there.
    """

    name: str
    kind: str
    target: str
    least: str = Severity.NOTICE.value
    kinds: tuple[str, ...] = ()
    reports: bool = False


@dataclass(frozen=True, slots=True)
class Tested:
    """What came of a test: whether it was taken, else why not."""

    sent: bool
    error: str


def add_channel(access: Writing, wish: Wish) -> Channel:
    """A new channel; one to an address that wants no more of this account is ended from the start.

    Raises:
        BadInput: something of it cannot be used.
        Unsafe: it is the URL of an address that is not reached from here.
        Conflict: there is one of this name, or there are too many.
    """
    made_of = cleaned(wish.kind, {field: getattr(wish, field) for field in FIELDS})
    with change(access.account.pk, access.actor, "alerts.add") as made:
        refuse_taken(access, made_of["name"])
        if Channel.objects.filter(account=access.account).count() >= MOST:
            raise Conflict(f"there are {MOST} channels already", fix="remove one")
        channel = Channel.objects.create(
            account=access.account,
            kind=wish.kind,
            secret=secrets.token_hex(32),
            created=timezone.now(),
            stopped=ended_at(access.account, made_of["target"]) if wish.kind == EMAIL else None,
            **made_of,
        )
        made.summary = f"alert channel {channel.name} ({channel.kind} to {channel.target})"
        made.after = state(channel)
    return channel


def remove_channel(access: Writing, name: str) -> None:
    """Remove a channel, with what was on its way there; not the wish of who gets no more.

    Raises:
        NotFound: no such channel.
    """
    with change(access.account.pk, access.actor, "alerts.remove") as made:
        channel = find_channel(access, name)
        made.before = state(channel)
        made.summary = f"alert channel {channel.name}"
        if channel.stopped is not None:
            # Older versions kept it with the channel only.
            note_ended(access.account, channel.target, channel.stopped)
        channel.delete()


def try_channel(access: Writing, name: str, *, now: float | None = None) -> Tested:
    """Send a message that says that it is a test, at once.

    Raises:
        NotFound: no such channel.
        Conflict: it was tested a moment ago, or others often, or its receiver has ended it.
    """
    clock = time.time() if now is None else now
    channel = find_channel(access, name)
    if channel.stopped is not None:
        raise Conflict(
            f"the receiver of {shown(channel.name)} has ended it",
            fix="they can have it again by the link in any mail they got",
        )
    count_test(channel, clock)
    parcel = outbox.put(channel, "alerts", _example(access, clock), now=clock)
    outbox.send_now(parcel, now=clock)
    parcel.refresh_from_db()
    return Tested(parcel.sent, parcel.error)


def acknowledge(access: Writing, number: int, *, now: float | None = None) -> Alert:
    """Note that somebody has seen an alert; it stays open for as long as it holds.

    Raises:
        NotFound: the account has no such alert.
    """
    clock = time.time() if now is None else now
    with change(access.account.pk, access.actor, "alerts.acknowledge") as made:
        alert = Alert.objects.filter(account=access.account, pk=number).first()
        if alert is None:
            raise NotFound(f"there is no alert {number}", fix="see: mailmum alerts list")
        if alert.acknowledged is not None:
            made.discard()
            return alert
        alert.acknowledged, alert.acknowledged_by = int(clock), access.actor.name
        alert.save(update_fields=["acknowledged", "acknowledged_by"])
        made.summary = f"alert {alert.pk}: {alert.text}"
    return alert


@dataclass(frozen=True, slots=True)
class Habits:
    """How an account wants to be told; see `models.Manner`."""

    zone: str
    quiet_from: int | None
    quiet_until: int | None
    digest: int
    silent_after: int
    spike_times: int
    spike_least: int
    accepted_least: int
    report_day: int
    report_hour: int


_RANGES = {
    "digest": (0, 86_400, "seconds"),
    "silent_after": (60, 30 * 86_400, "seconds"),
    "spike_times": (2, 1000, "times"),
    "spike_least": (1, 10**9, "contacts"),
    "accepted_least": (1, 10**9, "messages"),
    "report_day": (0, 6, "days after Monday"),
    "report_hour": (0, 23, "hours"),
}


def set_manner(access: Writing, habits: Habits) -> Manner:
    """Change how the account is told.

    Raises:
        BadInput: a value is out of range.
    """
    if named_zone(habits.zone) is None:
        raise BadInput(
            f"{shown(habits.zone)} is no time zone here",
            fix="write for example Europe/Berlin",
            field="zone",
        )
    if (habits.quiet_from is None) != (habits.quiet_until is None):
        raise BadInput(
            "quiet hours need a beginning and an end",
            fix="fill in both, or none",
            field="quiet_from",
        )
    for name, (low, high, unit) in _RANGES.items():
        if not low <= getattr(habits, name) <= high:
            raise BadInput(
                f"{getattr(habits, name)} {unit} are not between {low} and {high}", field=name
            )
    with change(access.account.pk, access.actor, "alerts.set") as made:
        manner = manner_of(access.account)
        made.before = told(manner)
        for name in Habits.__dataclass_fields__:
            setattr(manner, name, getattr(habits, name))
        manner.save()
        made.after = told(manner)
        made.summary = "how alerts are told"
        if made.before == made.after:
            made.discard()
    return manner


def told(manner: Manner) -> dict[str, Any]:
    """The manner as the journal, API and pages tell it."""
    found = {name: getattr(manner, name) for name in Habits.__dataclass_fields__}
    for name in ("quiet_from", "quiet_until"):
        found[name] = minute_text(found[name])
    return found


def state(channel: Channel) -> dict[str, Any]:
    """A channel as the journal tells it: never its secret."""
    return {
        "name": channel.name,
        "kind": channel.kind,
        "target": channel.target,
        "least": channel.least,
        "kinds": channel.kinds,
        "reports": channel.reports,
    }


def refuse_taken(access: Writing, name: str) -> None:
    """Refuse a name that another channel of the account has.

    Raises:
        Conflict: there is one.
    """
    if Channel.objects.filter(account=access.account, name=name).exists():
        raise Conflict(f"there is a channel {shown(name)} already", field="name")


def cleaned(kind: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a channel of this kind as they are kept.

    Raises:
        BadInput, Unsafe: one of them cannot be used.
    """
    checks: dict[str, Callable[[Any], Any]] = {
        "name": _clean_name,
        "target": partial(clean_target, kind),
        "least": _clean_least,
        "kinds": _clean_kinds,
        "reports": bool,
    }
    return {field: checks[field](value) for field, value in given.items()}


def clean_target(kind: str, target: str) -> str:
    """A mail address or a URL in the form in which it is kept.

    Raises:
        BadInput: it is none, or one that nothing is sent to.
        Unsafe: it is the URL of an address that is not reached from here.
    """
    text = clean_line(target, field="target", limit=TARGET_LIMIT)
    if kind == WEBHOOK:
        try:
            return outgoing().check(text).url
        except (BadInput, Unsafe) as refusal:
            refusal.field = "target"
            raise
    if kind != EMAIL:
        raise BadInput(f"{shown(kind)} is no kind of channel", fix="email or webhook", field="kind")
    try:
        validate_email(text)
    except ValidationError:
        fix = "to call a URL add a channel of the kind webhook" if "://" in text else ""
        problem = f"{shown(text)} is not an e-mail address"
        raise BadInput(problem, fix=fix, field="target") from None
    if not text.isascii():
        raise BadInput(
            f"{shown(text)} has letters that not every mail server takes",
            fix="write its domain as xn--...",
            field="target",
        )
    return text


def _clean_name(text: str) -> str:
    name = clean_line(text, field="name", limit=LABEL_LIMIT)
    if not name:
        raise BadInput("the channel needs a name", fix="say who gets it", field="name")
    return name


def _clean_least(text: str) -> str:
    if text not in list(Severity):
        raise BadInput(
            f"{shown(text)} is no severity", fix=f"one of {_words(Severity)}", field="least"
        )
    return text


def _clean_kinds(kinds: Iterable[str]) -> list[str]:
    found = sorted(set(kinds))
    unknown = next((kind for kind in found if kind not in KINDS), None)
    if unknown is not None:
        raise BadInput(
            f"there is no kind of alert {shown(unknown)}",
            fix=f"one of {_words(KINDS)}",
            field="kinds",
        )
    return found


def _words(words: Iterable[str]) -> str:
    return ", ".join(map(str, words))


def _example(access: Writing, now: float) -> dict[str, Any]:
    alert = Alert(
        pk=0,
        kind="test",
        about="test",
        severity=Severity.NOTICE.value,
        text=f"this is a test, sent by {access.actor.name}",
        link="alerts/",
        since=int(now),
        opened=int(now),
    )
    account = access.account
    return {"account": account.name, "events": [outbox.event_of(account, alert, "opened")]}
