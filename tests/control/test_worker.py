"""The worker does what is due, and waits for a database that is away."""

import threading
import time
from collections.abc import Iterator

import pytest
from django.db import DatabaseError

from mailmum.control import worker
from mailmum.control.accounts.models import Account
from mailmum.control.traffic.find import find
from mailmum.control.traffic.intake import keep
from mailmum.control.traffic.models import AccountTerms, Changed, Rewriting, Seen, Worst
from mailmum.control.traffic.reading import Wanted
from mailmum.control.traffic.terms import terms_of
from mailmum.control.worker import Task, tasks, work
from mailmum.traffic.sightings import Source
from mailmum.traffic.terms import Terms
from tests.control.traffic.kit import Batch, seen
from tests.support.world import World

DAY = 86_400


def once() -> None:
    """Each task from beginning to end."""
    for task in tasks(threading.Event()):
        list(task.steps(time.time()))


def test_old_traffic_goes_and_terms_are_mended(world: World) -> None:
    """By the terms of the account that it belongs to; that of no account goes altogether."""
    now = time.time()
    account = world.owner.account.pk
    Account.objects.filter(pk=account).update(recent_days=3, privacy="hashed")
    for number in (account, world.outsider.account.pk, 999_999):
        old = [seen(now - back * DAY) for back in (0.1, 5, 20)]
        keep(number, number, Source.LOG, Batch(old), now=now)
    AccountTerms.objects.all().delete()
    once()
    assert terms_of(account) == Terms(recent_days=3, privacy="hashed")
    assert len(find(account, Wanted()).found) == 1
    assert len(find(world.outsider.account.pk, Wanted()).found) == 2
    assert not Seen.objects.filter(account=999_999).exists()
    assert Worst.objects.filter(account=account).exists()
    assert not Changed.objects.filter(account=account, start__lt=now - 2 * DAY).exists()


def test_what_is_kept_follows_a_change_of_privacy(world: World) -> None:
    """A minute later, of that account alone."""
    now = time.time()
    numbers = (world.owner.account.pk, world.outsider.account.pk)
    for number in numbers:
        keep(number, number, Source.LOG, Batch([seen(now, sender="a@b.example")]), now=now)
    Account.objects.filter(pk=numbers[0]).update(privacy="no-local-parts")
    once()
    senders = [[k.sighting.sender for k in find(n, Wanted()).found] for n in numbers]
    assert senders == [["a@b.example"], ["a@b.example"]]
    Rewriting.objects.update(since=now - 61)
    once()
    senders = [[k.sighting.sender for k in find(n, Wanted()).found] for n in numbers]
    assert senders == [["@b.example"], ["a@b.example"]]
    assert not Rewriting.objects.exists()


def test_a_task_that_fails_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Soon, and the others go on; what is no fault of a database is a fault of ours."""
    monkeypatch.setattr(worker, "TICK", 0.001)
    monkeypatch.setattr(worker, "_RETRY", 0.002)
    monkeypatch.setattr(worker, "_REST", 0.0)
    monkeypatch.setattr(worker, "connections", Nothing())
    monkeypatch.setattr(worker, "close_old_connections", lambda: None)
    stopping, calls = threading.Event(), list[str]()

    def failing(_now: float) -> Iterator[None]:
        calls.append("failing")
        yield
        if calls.count("failing") >= 3:
            stopping.set()
        raise DatabaseError("away")

    def fine(_now: float) -> Iterator[None]:
        calls.append("fine")
        yield

    work([Task("failing", 3600.0, failing), Task("fine", 3600.0, fine)], stopping)
    assert calls.count("failing") == 3
    assert calls.count("fine") == 1


class Nothing:
    """In place of connections that a thread of the test does not have."""

    def close_all(self) -> None:
        """Nothing to close."""


def test_it_ends_between_two_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Told to stop in the middle of a long task, it does not come to its end."""
    monkeypatch.setattr(worker, "connections", Nothing())
    monkeypatch.setattr(worker, "close_old_connections", lambda: None)
    monkeypatch.setattr(worker, "_REST", 0.0)
    stopping, steps = threading.Event(), list[int]()

    def long(_now: float) -> Iterator[int]:
        for step in range(1000):
            if step == 3:
                stopping.set()
            steps.append(step)
            yield step

    work([Task("long", 1.0, long)], stopping)
    assert steps == [0, 1, 2, 3]
