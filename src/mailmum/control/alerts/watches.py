"""The watches: what is looked for, each a question about one account that says what holds now.

To add one: a function that takes the permission, the account's manner and our clock, and yields a
`Condition` for each thing that holds; one in `places` that says of which accounts it is worth
asking; and a line in `WATCHES`.  It keeps nothing and decides
nothing about telling.  A database that is away is let through: what cannot be asked closes nothing.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, urlencode

from django.db.models import Q

from mailmum.control.accounts.access import Reading
from mailmum.control.accounts.models import Account
from mailmum.control.alerts import places
from mailmum.control.alerts.conditions import Condition, Severity
from mailmum.control.alerts.models import Alert, Manner
from mailmum.control.alerts.places import FRESH, MAIL_DAYS
from mailmum.control.alerts.queries import open_alerts
from mailmum.control.alerts.senders import Delivered, delivered
from mailmum.control.feeds.models import FeedVersion
from mailmum.control.feeds.models import State as FeedState
from mailmum.control.feeds.queries import feeds_of, with_a_place
from mailmum.control.listings.models import Version
from mailmum.control.monitor import changes, silence
from mailmum.control.servers.queries import servers_of
from mailmum.control.traffic import health, tallies
from mailmum.control.traffic.models import RevokedUse
from mailmum.control.triggers.models import Skipped
from mailmum.control.triggers.queries import triggers_of
from mailmum.control.witnesses.asking import health_of, witnesses_of
from mailmum.dns.witness import SAYS, State
from mailmum.domain.listings import Source
from mailmum.domain.texts import shown
from mailmum.domain.veil import veiled
from mailmum.traffic.groups import Group

LISTED_SENDER = "listed-sender"
MOST = 200
"""Conditions of one kind that are taken: who has more of one kind learns nothing from the rest."""
FAILURES = 3
"""As many refreshes of a feed must fail one after the other."""

Look = Callable[[Reading, Manner, float], Iterable[Condition]]


@dataclass(frozen=True, slots=True)
class Watch:
    """A question that is asked again and again.

    Attributes:
        kind: its word, which people choose channels by.
        title: the same for people.
        look: what holds now in an account.
        where: in which accounts that can be anything; None for in any.
    """

    kind: str
    title: str
    look: Look
    where: Callable[[float], set[int]] | None = None


def _silent(reading: Reading, manner: Manner, now: float) -> Iterator[Condition]:
    for one in silence.silent(reading, quiet=manner.silent_after, now=now):
        yield Condition(
            one.server,
            f"nothing is seen of the server {one.server} any more",
            Severity.CRITICAL,
            one.last,
            f"server/{one.server}/",
        )


def _spikes(reading: Reading, manner: Manner, now: float) -> Iterator[Condition]:
    found = changes.spikes(reading, times=manner.spike_times, least=manner.spike_least, now=now)
    for one in found:
        usual = f"{one.usual:,.0f} are" if one.usual >= 1 else "hardly any are"
        yield Condition(
            f"{one.server}/{one.group.value}",
            f"{one.count:,} {_GROUPS[one.group]} at the server {one.server} in an hour; "
            f"{usual} usual",
            Severity.WARNING,
            one.start,
            f"search/?{urlencode({'server': one.server, 'what': one.group.value})}",
        )


_GROUPS = {
    Group.OWN: "contacts stopped by your own lists",
    Group.RBL: "contacts stopped by public RBLs",
    Group.REJECTED: "contacts rejected",
    Group.DEFERRED: "contacts deferred",
    Group.AUTH: "failed logins",
}


def _revoked(reading: Reading, _manner: Manner, now: float) -> Iterator[Condition]:
    servers = {one.pk: one.name for one in servers_of(reading)}
    uses = RevokedUse.objects.filter(server__in=list(servers), last__gt=int(now - FRESH))
    for use in uses.order_by("key"):
        name = servers[use.server]
        # Only the end of a key: the whole would be one more place where it can be found.
        yield Condition(
            f"{name}/{use.key[-4:]}",
            f"the server {name} still asks with a revoked key (…{use.key[-4:]}), "
            "so nothing is listed to it",
            Severity.CRITICAL,
            use.last,
            f"server/{name}/",
        )


def _listed_senders(reading: Reading, manner: Manner, now: float) -> Iterator[Condition]:
    """New blocks of addresses that mail was accepted from lately, and that no allow keeps.

    One that is known holds until a close look finds otherwise, and none has to make room for
    another: what is too much to be told one by one is told as a number.
    """
    told = {one.link: one for one in open_alerts(reading).filter(kind=LISTED_SENDER)}
    numbers = {_number(link): link for link in told}
    many = 0
    for one in delivered(reading, max(manner.accepted_least, 1), now, numbers.keys() - {0}):
        before = told.get(_link(one.version))
        if one.count is None and before is not None and before.missing is not None:
            # It did not hold when it was looked at last.
            continue
        if (many := many + 1) < MOST:
            yield _listed_sender(one, before)
    if many >= MOST:
        yield Condition(
            "more",
            f"{many - MOST + 1:,} more listings of these two days block whoever had delivered",
            Severity.WARNING,
            now,
            "listings/",
        )


def _listed_sender(one: Delivered, told: Alert | None) -> Condition:
    version = one.version
    if one.count is None and told is not None:
        # It was not looked at again this time.
        return Condition(told.about, told.text, Severity(told.severity), told.since, told.link)
    by = "you list" if version.source == Source.PERSON else f"a {version.source} lists"
    return Condition(
        f"{version.target}/{version.scope}",
        f"{by} {version.target}, from which {one.count or 0:,} "
        f"message{' was' if one.count == 1 else 's were'} accepted in {MAIL_DAYS} days",
        Severity.NOTICE if version.source == Source.PERSON else Severity.WARNING,
        version.changed.timestamp(),
        _link(version),
    )


def _link(version: Version) -> str:
    return f"listings/{version.number}/"


def _number(link: str) -> int:
    """The listing that an alert links to; 0 for none."""
    found = link.removeprefix("listings/").removesuffix("/")
    return int(found) if found.isdigit() else 0


def _lost(reading: Reading, _manner: Manner, now: float) -> Iterator[Condition]:
    """Of the whole installation, so it is the operator's: the first account's."""
    if Account.objects.order_by("pk").first() != reading.account:
        return
    for one in tallies.losses(now - FRESH / 2):
        word = one.key.removeprefix("lost/")
        yield Condition(
            word,
            f"some of what was observed has been lost ({shown(word)}): {one.count:,} so far",
            Severity.WARNING,
            one.last,
            "",
        )


def _lagging(reading: Reading, _manner: Manner, now: float) -> Iterator[Condition]:
    """Likewise the operator's."""
    if Account.objects.order_by("pk").first() != reading.account:
        return
    for process in tallies.silent(now):
        yield Condition(
            f"{process.part}/{process.host}",
            f"nothing that the part {shown(process.part)} on {shown(process.host)} counts has "
            "been stored any more",
            Severity.WARNING,
            process.seen,
            "",
        )


def _traffic_away(reading: Reading, _manner: Manner, now: float) -> Iterator[Condition]:
    """Likewise the operator's, while the pages of all accounts say it."""
    if Account.objects.order_by("pk").first() != reading.account:
        return
    if why := health.problem():
        yield Condition(
            "traffic",
            f"the database of traffic cannot be used ({why}): triggers list nobody, and "
            "what is seen waits in memory for about an hour; answers go on",
            Severity.CRITICAL,
            now,
            "",
        )


def _rbl_dead(reading: Reading, _manner: Manner, _now: float) -> Iterator[Condition]:
    """Public lists that are asked and not believed."""
    found = health_of(one.zone for one in witnesses_of(reading))
    for zone, heard in sorted(found.items()):
        state = State(heard.state)
        if not state.believed:
            yield Condition(
                zone,
                f"the public RBL {zone} is not believed any more: {SAYS[state]}",
                Severity.WARNING,
                heard.since,
                "rbls/",
            )


def _triggers_stopped(reading: Reading, _manner: Manner, _now: float) -> Iterator[Condition]:
    """Triggers that their own brake has stopped."""
    for trigger in triggers_of(reading).exclude(stopped_at=None):
        assert trigger.stopped_at is not None
        yield Condition(
            trigger.name,
            f"the trigger {trigger.name} has stopped itself: {trigger.stopped_why}",
            Severity.CRITICAL,
            trigger.stopped_at.timestamp(),
            f"trigger/{quote(trigger.name, safe='')}/",
        )


def _triggers_failing(reading: Reading, _manner: Manner, now: float) -> Iterator[Condition]:
    """Triggers that a fault of ours keeps from counting something, or anything."""
    names = {one.pk: one.name for one in triggers_of(reading)}
    fresh = datetime.fromtimestamp(now - FRESH, UTC)
    rows = Skipped.objects.filter(trigger__in=names).filter(Q(number=0) | Q(at__gt=fresh))
    for row in rows.order_by("trigger", "number"):
        name = names[row.trigger_id]
        yield Condition(
            name,
            f"the trigger {name} fails and lists nobody"
            if row.number == 0
            else f"the trigger {name} leaves out what it fails on",
            Severity.CRITICAL if row.number == 0 else Severity.WARNING,
            row.at.timestamp(),
            f"trigger/{quote(name, safe='')}/",
        )


def _feeds_held(reading: Reading, _manner: Manner, _now: float) -> Iterator[Condition]:
    """Updates that wait for a person."""
    feeds = with_a_place(feeds_of(reading)).values("pk")
    held = FeedVersion.objects.filter(feed__in=feeds, state=FeedState.HELD)
    for version in held.select_related("feed").defer("content", "whole").order_by("feed__name"):
        name = version.feed.name
        yield Condition(
            name,
            f"an update of the feed {name} looks wrong and is held back: "
            f"{version.added:,} would come, {version.removed:,} would leave",
            Severity.WARNING,
            version.at.timestamp(),
            f"feed/{quote(name, safe='')}/",
        )


def _feeds_failing(reading: Reading, _manner: Manner, _now: float) -> Iterator[Condition]:
    """Feeds that could not be refreshed again and again; once is no news."""
    failing = with_a_place(feeds_of(reading)).filter(paused=False, failures__gte=FAILURES)
    for feed in failing.exclude(failing=None):
        assert feed.failing is not None
        yield Condition(
            feed.name,
            f"the feed {feed.name} cannot be refreshed: {veiled(feed.problem)}",
            Severity.WARNING,
            feed.failing.timestamp(),
            f"feed/{quote(feed.name, safe='')}/",
        )


WATCHES: tuple[Watch, ...] = (
    Watch("server-silent", "A mail server is silent", _silent, places.silent),
    Watch("spike", "Far more of something than usual", _spikes, places.seen_lately),
    Watch("revoked-key", "A revoked key is in use", _revoked, places.revoked),
    Watch(LISTED_SENDER, "An address that had delivered is listed", _listed_senders, places.listed),
    Watch("trigger-stopped", "A trigger has stopped itself", _triggers_stopped, places.stopped),
    Watch("trigger-failing", "A trigger fails", _triggers_failing, places.failing),
    Watch("feed-held", "An update of a feed is held back", _feeds_held, places.held),
    Watch("feed-failing", "A feed cannot be refreshed", _feeds_failing, places.unrefreshed),
    Watch("rbl-dead", "A public RBL is not to be believed", _rbl_dead, places.disbelieved),
    Watch("traffic-away", "The database of traffic is away", _traffic_away, places.operator),
    Watch("counts-lost", "Observations were lost", _lost, places.operator),
    Watch("part-silent", "A part no longer stores what it counts", _lagging, places.operator),
)
KINDS = tuple(watch.kind for watch in WATCHES)


def title_of(kind: str) -> str:
    """What a kind of alert is called."""
    return next((watch.title for watch in WATCHES if watch.kind == kind), kind)
