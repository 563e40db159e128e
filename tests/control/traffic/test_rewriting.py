"""What was kept follows a change of privacy: all of it, once, from wherever it had got to."""

import pytest

from mailmum.control.traffic import rewriting
from mailmum.control.traffic.find import find
from mailmum.control.traffic.intake import keep, privacy_of
from mailmum.control.traffic.models import Rewriting, Seen
from mailmum.control.traffic.reading import Wanted
from mailmum.control.traffic.retention import forget
from mailmum.control.traffic.rewriting import Progress, progress_of, rewrite
from mailmum.control.traffic.terms import set_terms
from mailmum.traffic.privacy import CHOICES, FULL, HASHED, NO_LOCAL_PARTS
from mailmum.traffic.sightings import Delivery, Outcome, Sighting, Source, Update
from mailmum.traffic.terms import Terms
from tests.control.traffic.kit import NOW, Batch, seen

pytestmark = pytest.mark.django_db(databases="__all__")

Texts = tuple[str | None, str | None, str | None]


def some() -> list[Sighting]:
    """Sightings with all that may stand in addresses and replies, several at the same time."""
    texts: list[Texts] = [
        (None, None, None),
        ("", "Hidden@example.net", "<hidden@example.net>: Recipient address rejected"),
        ("secret@a.example", "hidden", "<hidden>: Recipient address rejected: User unknown"),
        ('"a@b c"@a.example', "ü@example.net", 'no "a@b c"@a.example here; <ü@example.net>'),
        ("root", "@example.net", "sasl_username=secret, <@example.net>: no"),
        ("x@a.example", "x@example.net", "x is no address"),
    ]
    return [
        seen(NOW - 3600 * (number % 3), sender=sender, recipient=recipient, reason=reason)
        for sender, recipient, reason in texts
        for number in range(4)
    ]


def put(*sightings: Sighting, account: int = 1) -> None:
    """Keep them as the account's terms are now."""
    keep(account, account, Source.LOG, Batch(sightings), now=NOW)


def kept(account: int = 1) -> list[str]:
    """The texts of all that is kept, sorted."""
    rows = Seen.objects.filter(account=account)
    return sorted(map(repr, rows.values_list("time", "sender", "recipient", "reason")))


def change(mode: str, account: int = 1) -> None:
    """Another privacy from now on."""
    set_terms(account, Terms(privacy=mode))


def finish(account: int = 1) -> int:
    """Rewrite all that is left; how many sightings were looked at."""
    return sum(rewrite(account, privacy_of(account)))


@pytest.mark.parametrize("mode", [NO_LOCAL_PARTS, HASHED])
def test_it_comes_to_what_would_have_been_kept(mode: str) -> None:
    """In every column; of another account nothing changes."""
    put(*some())
    put(*some(), account=2)
    other = kept(2)
    change(mode)
    assert finish() == len(some())
    rewritten = kept()
    Seen.objects.filter(account=1).delete()
    put(*some())
    assert rewritten == kept()
    assert not any("secret" in text or "hidden" in text.lower() for text in rewritten)
    assert kept(2) == other
    assert progress_of(1) is None


@pytest.mark.parametrize("size", [1, 5, 23])
def test_it_goes_on_from_where_it_was(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whenever the worker ends, between sightings of one moment too; nothing is done twice."""
    monkeypatch.setattr(rewriting, "CHUNK", size)
    put(*some())
    change(HASHED)
    assert progress_of(1) == Progress(None)
    assert next(rewrite(1, privacy_of(1))) == size
    oldest = sorted(one.time for one in some())
    assert progress_of(1) == Progress(oldest[size - 1])
    assert finish() == len(some()) - size
    done = kept()
    Seen.objects.filter(account=1).delete()
    put(*some())
    assert done == kept()


def test_what_came_after_the_change_stays_as_it_is() -> None:
    """It is hashed already, and a hash is not hashed."""
    put(*some())
    change(HASHED)
    put(*some())
    finish()
    assert len(set(kept())) == len({repr(one) for one in some()})
    before = kept()
    rewriting.begin(1, HASHED)
    finish()
    assert kept() == before


def test_less_can_be_left_but_nothing_comes_back() -> None:
    """From hashes to domains alone; to all only what is seen from then on."""
    put(seen(sender="secret@a.example", recipient="r@example.net", reason="<r@example.net>: no"))
    change(HASHED)
    finish()
    change(NO_LOCAL_PARTS)
    finish()
    (one,) = find(1, Wanted()).found
    texts = (one.sighting.sender, one.sighting.recipient, one.sighting.reason)
    assert texts == ("@a.example", "@example.net", "<@example.net>: no")
    change(FULL)
    assert (progress_of(1), finish()) == (None, 0)


@pytest.mark.parametrize("mode", CHOICES)
def test_other_terms_begin_nothing(mode: str) -> None:
    """Nor what was set already."""
    change(mode)
    Rewriting.objects.all().delete()
    set_terms(1, Terms(privacy=mode, recent_days=3))
    set_terms(1, Terms(privacy=mode, recent_days=3))
    assert progress_of(1) is None


def test_it_begins_when_nobody_writes_by_the_old_terms_any_more() -> None:
    """A minute after the change; an account that is no more leaves no mark."""
    put(seen())
    rewriting.begin(1, HASHED, NOW)
    assert rewriting.due(NOW + 59) == []
    assert rewriting.due(NOW + 60) == [1]
    list(forget(1))
    assert rewriting.due(NOW + 60) == []


def test_an_address_cut_off_at_the_end_of_a_reply_goes() -> None:
    """Of which only the beginning had room."""
    put(seen(reason="no " * 160 + "<" + "secret" * 9 + "@a.example>"))
    change(NO_LOCAL_PARTS)
    finish()
    (one,) = find(1, Wanted()).found
    assert one.sighting.reason == "no " * 160 + "<"


@pytest.mark.parametrize("rewritten", [False, True])
def test_news_reach_what_waits_to_be_rewritten(rewritten: bool) -> None:
    """And what was."""
    put(seen(outcome=Outcome.ACCEPTED, recipient="r@example.net", queue_id="AB1"))
    change(HASHED)
    if rewritten:
        finish()
    news = Update(NOW, "mx1", "AB1", "r@example.net", Delivery.SENT)
    keep(1, 1, Source.LOG, Batch([], [news]), now=NOW)
    (one,) = find(1, Wanted()).found
    assert one.sighting.delivery is Delivery.SENT
