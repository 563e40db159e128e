"""What is too old goes, a little at a time, and nothing else does."""

import pytest
from django.db import connections
from django.db.models import Sum

from mailmum.control.traffic import retention
from mailmum.control.traffic.find import find
from mailmum.control.traffic.intake import Mark, keep, mark_of
from mailmum.control.traffic.models import (
    AccountTerms,
    Changed,
    ClientDay,
    ClientHour,
    DomainDay,
    LastSeen,
    NameDay,
    Seen,
    Total,
    Worst,
    Zone,
)
from mailmum.control.traffic.reading import Wanted
from mailmum.control.traffic.retention import accounts, expire, forget
from mailmum.control.traffic.router import traffic_database
from mailmum.control.traffic.terms import set_terms, terms_of
from mailmum.control.traffic.working_up import Lister
from mailmum.traffic.sightings import Source
from mailmum.traffic.terms import Terms
from tests.control.traffic.kit import NOW, Batch, seen

pytestmark = pytest.mark.django_db(databases="__all__")

DAY = 86_400
TODAY = NOW // DAY * DAY
TERMS = Terms(recent_days=3, minute_days=1, hour_days=5, day_days=9)


def old_traffic(days: int, each: int = 1, account: int = 1) -> None:
    """A sighting at noon of each day back."""
    for back in range(days):
        sightings = [
            seen(
                TODAY - back * DAY + 43_000 + n,
                f"10.0.{n % 200}.7",
                client_name=f"h{n}.pool.example",
                rbl="a.rbl.example",
            )
            for n in range(each)
        ]
        keep(account, account * 10, Source.LOG, Batch(sightings), now=NOW)


def starts(rows: object) -> set[int]:
    """How many days back something is kept."""
    return {int((TODAY - start // DAY * DAY) // DAY) for start in rows}  # type: ignore[attr-defined]


def test_each_kind_has_its_term() -> None:
    """To the day; another account's stays."""
    old_traffic(12)
    old_traffic(12, account=2)
    set_terms(1, TERMS)
    list(Lister().steps(NOW))
    list(expire(1, NOW))
    own = {"account": 1}
    kept = [int(time // 1000) for time in Seen.objects.filter(**own).values_list("time", flat=True)]
    assert starts(kept) == set(range(4))
    for step, days in ((60, 1), (3600, 5), (86_400, 9)):
        totals = Total.objects.filter(**own, step=step).values_list("start", flat=True)
        assert starts(totals) == set(range(days + 1))
    assert starts(ClientHour.objects.filter(**own).values_list("start", flat=True)) == set(range(6))
    for model in (ClientDay, NameDay, DomainDay):
        rows = model._default_manager.filter(**own).values_list("start", flat=True)
        assert starts(rows) == set(range(10))
    assert starts(Worst.objects.filter(**own, step=DAY).values_list("start", flat=True)) == set(
        range(10)
    )
    assert len(find(2, Wanted()).found) == 12
    assert Total.objects.filter(account=2, step=DAY).count() == 12


@pytest.mark.parametrize("chunk", [1, 7, 100])
def test_it_goes_in_small_steps(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    """None takes much more than a chunk, however much one hour holds; it may end at any."""
    monkeypatch.setattr(retention, "CHUNK", chunk)
    old_traffic(6, each=23)
    before = Seen.objects.count()
    set_terms(1, Terms(recent_days=1, minute_days=1, hour_days=1, day_days=1))
    steps = expire(1, NOW)
    first = next(steps)
    assert first <= max(chunk, 2)
    assert Seen.objects.count() == before - first
    # Given up and begun anew, as a worker that was ended does.
    assert all(count <= max(chunk, 2) for count in list(expire(1, NOW)))
    assert Seen.objects.count() == 2 * 23
    assert ClientHour.objects.aggregate(sum=Sum("count"))["sum"] == 2 * 23
    assert list(expire(1, NOW)) == []


def test_many_short_periods_go_at_once() -> None:
    """Not minute by minute: whoever keeps hours waits between two steps."""
    minutes = [seen(NOW - 3 * DAY + 60 * n) for n in range(300)]
    keep(1, 10, Source.LOG, Batch(minutes), now=NOW)
    set_terms(1, Terms(recent_days=9, minute_days=1, hour_days=9, day_days=9))
    assert Total.objects.filter(step=60).count() == 300
    assert list(expire(1, NOW)) == [300]
    assert not Total.objects.filter(step=60).exists()


def test_an_account_that_is_no_more_is_forgotten() -> None:
    """All of it, and nothing of another."""
    old_traffic(3)
    old_traffic(3, account=2)
    keep(1, 10, Source.LOG, Batch(), mark=Mark(10, "file:a", "1", b""), now=NOW)
    keep(2, 20, Source.LOG, Batch(), mark=Mark(20, "file:a", "1", b""), now=NOW)
    set_terms(1, TERMS)
    assert accounts() == {1, 2}
    list(Lister().steps(NOW))
    list(forget(1))
    assert accounts() == {2}
    for model in (
        Seen, Total, ClientHour, ClientDay, NameDay, DomainDay, Worst, LastSeen, Zone, Changed,
        AccountTerms,
    ):  # fmt: skip
        assert not model._default_manager.filter(account=1).exists(), model
    assert (mark_of(10, "file:a"), mark_of(20, "file:a") is None) == (None, False)
    assert len(find(2, Wanted()).found) == 3


def test_freed_space_is_used_again() -> None:
    """The file of SQLite does not grow for ever."""
    connection = connections[traffic_database()]
    if connection.vendor != "sqlite":
        return
    sizes = []
    for round_ in range(4):
        batch = [seen(NOW + round_ * DAY * 3 - n, f"10.1.{n % 250}.1") for n in range(2000)]
        keep(1, 10, Source.LOG, Batch(batch), now=NOW + round_ * DAY * 3)
        set_terms(1, Terms(recent_days=1, minute_days=1, hour_days=1, day_days=1))
        list(expire(1, NOW + round_ * DAY * 3))
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA page_count")
            sizes.append(cursor.fetchone()[0])
    assert sizes[-1] <= sizes[1] * 1.1


def test_terms_are_defaults_until_they_are_set() -> None:
    """And then what was set, for that account alone."""
    assert terms_of(1) == Terms()
    set_terms(1, TERMS)
    set_terms(1, TERMS)
    assert (terms_of(1), terms_of(2)) == (TERMS, Terms())


def test_privacy_holds_before_anything_is_written() -> None:
    """In every column, from the moment it is set; equal stays equal."""
    set_terms(1, Terms(privacy="hashed"))
    set_terms(2, Terms(privacy="no-local-parts"))
    one = seen(
        sender="secret@a.example",
        recipient="hidden@example.net",
        reason="<hidden@example.net>: Recipient address rejected",
    )
    for account in (1, 2, 3):
        keep(account, account, Source.LOG, Batch([one, one]), now=NOW)
    hashed, _ = (kept.sighting for kept in find(1, Wanted()).found)
    bare, _ = (kept.sighting for kept in find(2, Wanted()).found)
    whole, _ = (kept.sighting for kept in find(3, Wanted()).found)
    assert (bare.sender, bare.recipient) == ("@a.example", "@example.net")
    assert bare.reason == "<@example.net>: Recipient address rejected"
    assert whole == one
    assert hashed.recipient is not None
    assert hashed.recipient.endswith("@example.net")
    assert hashed.reason == f"<{hashed.recipient}>: Recipient address rejected"
    with connections[traffic_database()].cursor() as cursor:
        cursor.execute('SELECT * FROM "traffic_seen" WHERE account IN (1, 2)')
        assert not any("secret" in str(row) or "hidden" in str(row) for row in cursor.fetchall())
