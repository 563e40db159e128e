"""Keeping sightings: all or nothing, once, and as they were."""

import math

import pytest
from django.db import connections

from mailmum.control.traffic.find import find
from mailmum.control.traffic.intake import Lookup, Mark, OutOfStep, keep, keep_lookups, mark_of
from mailmum.control.traffic.models import ClientDay, LastSeen, NameDay, Seen, Total
from mailmum.control.traffic.reading import Wanted
from mailmum.control.traffic.router import traffic_database
from mailmum.control.traffic.totals import by_outcome
from mailmum.index.records import SourceUnavailable
from mailmum.traffic.codes import KEPT_BACK
from mailmum.traffic.sightings import Delivery, Outcome, Sighting, Source, Update
from tests.control.traffic.kit import NOW, Batch, seen

pytestmark = pytest.mark.django_db(databases="__all__")


def everything(account: int = 1) -> list[Sighting]:
    """All that is kept of an account, newest first."""
    return [kept.sighting for kept in find(account, Wanted()).found]


def test_what_is_kept_comes_back_as_it_was() -> None:
    """Every field, unknown ones and empty ones too."""
    full = Sighting(
        NOW - 1.25,
        "mx1",
        "submission/smtpd",
        "2001:db8::7",
        "mail.example.net",
        "helo.example.net",
        "",
        '"a b"@example.net',
        Outcome.ACCEPTED,
        250,
        "zen.rbl.example",
        "4F1B52A0C3",
        Delivery.SENT,
        -1.5,
        "said <\u00fc> \u2028",
    )
    keep(1, 7, Source.LOG, Batch([full, Sighting(NOW - 2)]), now=NOW)
    assert everything() == [full, Sighting(NOW - 2)]
    (kept, _) = find(1, Wanted()).found
    assert (kept.server, kept.source, kept.count) == (7, Source.LOG, 1)


def test_accounts_never_meet() -> None:
    """Another account has none of it."""
    keep(1, 7, Source.LOG, Batch([seen()]), now=NOW)
    assert everything(2) == []


def test_a_stream_goes_on_from_where_it_stands() -> None:
    """The mark is kept with what was read; a batch from another place is refused whole."""
    first, second = Mark(7, "file:a", "100", b"one"), Mark(7, "file:a", "200", b"two")
    assert mark_of(7, "file:a") is None
    keep(1, 7, Source.LOG, Batch([seen()]), mark=first, now=NOW)
    assert mark_of(7, "file:a") == first
    with pytest.raises(OutOfStep):
        keep(1, 7, Source.LOG, Batch([seen()]), mark=first, now=NOW)
    with pytest.raises(OutOfStep):
        keep(1, 7, Source.LOG, Batch([seen()]), mark=second, after="150", now=NOW)
    keep(1, 7, Source.LOG, Batch([seen()]), mark=second, after="100", now=NOW)
    with pytest.raises(OutOfStep):
        keep(1, 7, Source.LOG, Batch([seen()]), mark=second, after="100", now=NOW)
    assert mark_of(7, "file:a") == second
    assert mark_of(8, "file:a") is None
    assert len(everything()) == 2
    assert sum(Total.objects.filter(step=3600).values_list("count", flat=True)) == 2


def test_news_of_a_message_reach_its_recipients() -> None:
    """One of them, or all; and news of what is gone changes nothing and fails nothing."""
    one, two = (
        seen(recipient=f"{name}@example.net", outcome=Outcome.ACCEPTED, queue_id="ABC")
        for name in ("a", "b")
    )
    keep(1, 7, Source.LOG, Batch([one, two]), now=NOW)
    news = [
        Update(NOW, "mx1", "ABC", "a@example.net", Delivery.DEFERRED),
        Update(NOW, "mx1", "ABC", None, None, 7.5),
        Update(NOW, "mx1", "XYZ", None, Delivery.SENT),
        Update(NOW - 90_000, "mx1", "ABC", None, Delivery.BOUNCED),
        Update(NOW, "mx2", "ABC", None, Delivery.BOUNCED),
    ]
    keep(1, 7, Source.LOG, Batch([], news), now=NOW)
    keep(1, 8, Source.LOG, Batch([], [Update(NOW, "mx1", "ABC", None, None, 1.0)]), now=NOW)
    assert {(s.recipient, s.delivery, s.score) for s in everything()} == {
        ("a@example.net", Delivery.DEFERRED, 7.5),
        ("b@example.net", None, 7.5),
    }


@pytest.mark.parametrize("word", ["hold", "discard"])
def test_mail_that_is_kept_back_makes_nobody_good(word: str) -> None:
    """It is accepted to people, another thing in the roll-ups, and hears of being let go."""
    held = seen(outcome=Outcome.ACCEPTED, queue_id="ABC", reason=f"{word}: no")
    keep(1, 7, Source.LOG, Batch([held]), now=NOW)
    assert list(ClientDay.objects.values_list("outcome", flat=True)) == [KEPT_BACK]
    assert by_outcome(1, Wanted(), now=NOW) == {Outcome.ACCEPTED: 1}
    assert len(find(1, Wanted(outcomes=frozenset({Outcome.ACCEPTED}))).found) == 1
    news = Update(held.time, held.host, "ABC", held.recipient, Delivery.SENT)
    keep(1, 7, Source.LOG, Batch([], [news]), now=NOW)
    assert find(1, Wanted()).found[0].sighting.delivery is Delivery.SENT


def test_rejected_mail_hears_of_its_score() -> None:
    """That the filter told after its rejection: no other message and no other account."""
    refused = [
        seen(outcome=outcome, queue_id=queue_id)
        for outcome, queue_id in (
            (Outcome.REJECTED, "AB1"),
            (Outcome.DEFERRED, "AB2"),
            (Outcome.REJECTED, "AB3"),
        )
    ]
    keep(1, 7, Source.LOG, Batch(refused), now=NOW)
    keep(2, 8, Source.LOG, Batch(refused), now=NOW)
    news = [Update(NOW, "mx1", f"AB{number}", None, None, 20.0 + number) for number in (1, 2)]
    keep(1, 7, Source.LOG, Batch([], news), now=NOW)
    found = {k.sighting.queue_id: k.sighting.score for k in find(1, Wanted()).found}
    assert found == {"AB1": 21.0, "AB2": 22.0, "AB3": None}
    assert {k.sighting.score for k in find(2, Wanted()).found} == {None}


def test_a_filters_own_log_names_no_host() -> None:
    """Its scores go by queue id and about the time, to mail of that server of any of its hosts."""
    seen_ = [
        seen(NOW, outcome=Outcome.ACCEPTED, queue_id="AB1"),
        seen(NOW - 20, outcome=Outcome.REJECTED, queue_id="AB2", host="mx9"),
        seen(NOW - 90_000, outcome=Outcome.ACCEPTED, queue_id="AB3"),
    ]
    keep(1, 7, Source.LOG, Batch(seen_), now=NOW)
    keep(1, 8, Source.LOG, Batch(seen_), now=NOW)
    news = [Update(NOW, "", queue_id, None, None, 9.0, True) for queue_id in ("AB1", "AB2", "AB3")]
    keep(1, 7, Source.LOG, Batch([], news), now=NOW)
    for server, scored in ((7, {"AB1", "AB2"}), (8, set())):
        kept = find(1, Wanted(servers=frozenset({server}))).found
        told = {k.sighting.queue_id for k in kept if k.sighting.score == 9.0}
        assert told == {k.sighting.queue_id for k in kept if k.sighting.spam} == scored


def test_lookups_are_counted() -> None:
    """By address they are contacts of a client; by name they are kept under the name."""
    keep_lookups(
        Source.DNS,
        [
            Lookup(1, 7, NOW, "203.0.113.7", Outcome.LISTED, 3),
            Lookup(1, 7, NOW, "mail.spam.example", Outcome.UNLISTED, 5),
            Lookup(2, 8, NOW, "2001:db8::1", Outcome.UNLISTED, 1),
        ],
        now=NOW,
    )
    kept = {k.sighting.client or k.sighting.helo: k for k in find(1, Wanted()).found}
    assert {name: (k.count, k.sighting.outcome) for name, k in kept.items()} == {
        "203.0.113.7": (3, Outcome.LISTED),
        "mail.spam.example": (5, Outcome.UNLISTED),
    }
    assert list(ClientDay.objects.filter(account=1).values_list("count", flat=True)) == [3]
    names = NameDay.objects.values_list("name", "client", "count")
    assert [tuple(map(bytes_of, row)) for row in names] == [(b"example.spam.mail.", b"", 5)]


def test_the_latest_of_each_source_is_known() -> None:
    """A late line does not turn it back."""
    keep(1, 7, Source.LOG, Batch([seen(NOW - 5)]), now=NOW)
    keep(1, 7, Source.LOG, Batch([seen(NOW - 500)]), now=NOW + 1)
    row = LastSeen.objects.get(server=7, source=1)
    assert (row.account, row.time, row.kept) == (1, (NOW - 5) * 1000, (NOW + 1) * 1000)


@pytest.mark.parametrize("time", [NOW + 90_000, -5.0, 0.0, math.nan, math.inf, -math.inf, 1e300])
def test_a_clock_that_cannot_be_right_is_replaced(time: float) -> None:
    """By our own."""
    keep(1, 7, Source.LOG, Batch([seen(time)]), now=NOW)
    assert [sighting.time for sighting in everything()] == [NOW]


@pytest.mark.parametrize(
    "text", ["a\0b", "a\ud800b", "x" * 70_000, "\0" * 1000, "\U0001f4a9" * 999]
)
def test_no_text_can_be_refused_by_the_database(text: str) -> None:
    """It is bounded and made fit, in every field."""
    strange = Sighting(
        NOW, text, text, text, text, text, text, text, Outcome.ACCEPTED, 99999, text, text,
        Delivery.SENT, math.nan, text,
    )  # fmt: skip
    keep(1, 7, Source.LOG, Batch([strange], [Update(NOW, text, text, text)]), now=NOW)
    (kept,) = everything()
    assert (kept.client, kept.code, kept.score) == (None, None, None)
    assert kept.reason is not None
    assert len(kept.reason) <= 500
    assert "\0" not in kept.reason


def test_a_database_that_is_away_is_told(db: None) -> None:
    """So that the follower tries again."""
    with connections[traffic_database()].cursor() as cursor:
        cursor.execute(f'ALTER TABLE "{Seen._meta.db_table}" RENAME TO elsewhere')
        with pytest.raises(SourceUnavailable):
            keep(1, 7, Source.LOG, Batch([seen()]), now=NOW)


def bytes_of(value: object) -> object:
    """PostgreSQL hands bytes out as a view."""
    return bytes(value) if isinstance(value, memoryview) else value
