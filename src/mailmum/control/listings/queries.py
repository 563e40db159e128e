"""What may be read of listings: lists, what covers a client or lies inside a target, verdicts."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db.models import Q, QuerySet

from mailmum.control.accounts.access import Reading
from mailmum.control.listings.further import further
from mailmum.control.listings.models import Version
from mailmum.control.listings.values import reversed_name, stored_target, to_listing
from mailmum.control.servers.models import Server
from mailmum.control.servers.pauses import Pause, pause_at
from mailmum.domain.clients import Subject
from mailmum.domain.errors import NotFound
from mailmum.domain.listings import WHOLE_ACCOUNT, Listing
from mailmum.domain.targets import NetworkTarget, Target, all_around, mapped, parse_target
from mailmum.domain.verdicts import Verdict, Word, decide, gather, paused

_PLAIN = ("action", "source", "origin")
_ALONE = -1
"""A server number that no listing has: the account as a whole, without any server's exceptions."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which listings to show.

    Attributes:
        server: number of a server: its own and the account's; None: all scopes.
        own_only: with `server`, leave the account's out.
        covering: only those that cover this client.
        text: part of target, reason, note or origin.
        action, source, origin: exactly these; empty: any.
        expired: show those that have run out instead of those that have not.
        sources: from any of these sources; empty: from all.
        off: only those that are switched off.
        before: only those made before this Unix time.
        upto: only those up to this number: what was made after somebody looked is left out.
    """

    server: int | None = None
    own_only: bool = False
    covering: Subject | None = None
    text: str = ""
    action: str = ""
    source: str = ""
    origin: str = ""
    expired: bool = False
    sources: tuple[str, ...] = ()
    off: bool = False
    before: int | None = None
    upto: int | None = None


@dataclass(frozen=True, slots=True)
class Explained:
    """A verdict with the versions behind it, the one that decided first.

    Attributes:
        verdict: the verdict.
        because: the listing that decided.
        overruled: the others, by rank.
        paused: the pause without which the first of those overruled would block.
    """

    verdict: Verdict
    because: Version | None
    overruled: tuple[Version, ...]
    paused: Pause | None = None


def current(reading: Reading) -> QuerySet[Version]:
    """All listings of the account that have not been removed, run out or not."""
    return Version.objects.filter(account=reading.account, until=None)


def find_listings(reading: Reading, wanted: Filter) -> QuerySet[Version]:
    """The listings that a filter describes, newest first."""
    now = int(time.time())
    ended = Q(expires__lte=now)
    found = current(reading).filter(ended if wanted.expired else ~ended | Q(expires=None))
    if wanted.server is not None:
        scopes = [wanted.server] if wanted.own_only else [WHOLE_ACCOUNT, wanted.server]
        found = found.filter(scope__in=scopes)
    if wanted.covering is not None:
        found = found.filter(pk__in=_covering(reading, wanted.covering))
    if wanted.text:
        found = found.filter(contains(wanted.text))
    return found.filter(_exactly(wanted)).order_by("-number")


def _exactly(wanted: Filter) -> Q:
    """The conditions of a filter on single columns."""
    found = Q(**{name: value for name in _PLAIN if (value := getattr(wanted, name))})
    if wanted.sources:
        found &= Q(source__in=wanted.sources)
    if wanted.off:
        found &= Q(enabled=False)
    if wanted.before is not None:
        found &= Q(created__lt=datetime.fromtimestamp(wanted.before, UTC))
    if wanted.upto is not None:
        found &= Q(number__lte=wanted.upto)
    return found


def find_listing(reading: Reading, number: int) -> Version:
    """One listing.

    Raises:
        NotFound: the account has none of this number.
    """
    version = current(reading).filter(number=number).first()
    if version is None:
        raise NotFound(f"there is no listing {number}")
    return version


def inside(reading: Reading, target: Target) -> QuerySet[Version]:
    """Listings whose target lies within this one, itself included."""
    return current(reading).filter(lies_inside(target))


def lies_inside(target: Target) -> Q:
    """The condition that a listing's target lies within this one or equals it."""
    if isinstance(target, NetworkTarget):
        first, last = (value.to_bytes(16, "big") for value in mapped(target))
        return Q(first__gte=first, first__lte=last, last__lte=last)
    if not target.whole:
        return Q(target=target.text)
    prefix = reversed_name(target.name)
    # The end of a prefix scan: no label has a character beyond "z", and "{" follows it.
    return Q(reversed_name__gte=prefix, reversed_name__lt=prefix + "{")


def explain(reading: Reading, subject: Subject, server: Server | None) -> Explained:
    """The verdict on a client at one server, or for the account as a whole (None)."""
    return explain_on(reading, subject, [server])[0]


def explain_on(
    reading: Reading, subject: Subject, servers: Sequence[Server | None]
) -> list[Explained]:
    """The verdicts on a client at several servers, looked up at once.

    Of an account that is suspended or has expired nothing holds: then every listing is overruled.
    """
    return explain_among(reading, wider(subject.target), subject, servers)


def explain_among(
    reading: Reading, texts: Sequence[str], subject: Subject, servers: Sequence[Server | None]
) -> list[Explained]:
    """The verdicts on a client as if there were no other listings than those of these targets.

    With what covers a network, and any client in it: what holds for the network as a whole.
    """
    now = time.time()
    rows = [
        *current(reading).filter(target__in=texts),
        *further(reading.account.pk, list(map(parse_target, texts))),
    ]
    versions = {(version.number, version.target): version for version in rows}
    listings = [to_listing(version) for version in versions.values()]
    # What holds on a server of which no listing is, holds on all such: there may be hundreds.
    special = {listing.scope for listing in listings}
    told: dict[int, Verdict] = {}
    found = []
    for server in servers:
        number = server.pk if server is not None and server.pk in special else _ALONE
        if number not in told:
            verdict = decide(gather(listings, subject, reading.account.pk, number, now))
            told[number] = verdict if reading.account.is_active(now) else _overruled(verdict)
        found.append(_explained(told[number], pause_at(reading.account, server, now), versions))
    return found


def wider(target: Target) -> list[str]:
    """Canonical texts of all targets that cover it: at most 129, each an exact look-up."""
    return [one.text for one in all_around(target)]


def _covering(reading: Reading, subject: Subject) -> list[int]:
    """Primary keys of what covers a client.

    Asked for on its own: in one query with an order, SQLite reads all listings of the account in
    that order instead of looking the targets up.
    """
    rows = current(reading).filter(target__in=wider(subject.target))
    return list(rows.values_list("pk", flat=True))


def target_of(version: Version) -> Target:
    """The target of a version."""
    return stored_target(version.kind, version.target)


def _overruled(verdict: Verdict) -> Verdict:
    first = () if verdict.because is None else (verdict.because,)
    return Verdict(Word.NONE, overruled=(*first, *verdict.overruled))


def _explained(
    verdict: Verdict, pause: Pause | None, versions: dict[tuple[int, str], Version]
) -> Explained:
    def version(listing: Listing) -> Version:
        # The entries of a feed have one number, the feed's.
        return versions[listing.id, listing.target.text]

    kept = verdict if pause is None else paused(verdict)
    return Explained(
        kept,
        version(kept.because) if kept.because else None,
        tuple(map(version, kept.overruled)),
        None if kept == verdict else pause,
    )


def contains(text: str) -> Q:
    """The condition that a listing's target, reason, note or origin has this text in it."""
    found = Q()
    for name in ("target", "reason", "note", "origin"):
        found |= Q(**{f"{name}__icontains": text})
    return found
