"""The order of the journal is the order of commits, whoever writes at the same time."""

import threading
import time

import pytest
from django.db import connection

from mailmum.control.accounts.models import Account
from mailmum.control.accounts.services import create_account
from mailmum.control.journal.models import Record
from mailmum.control.journal.services import SYSTEM, change

WRITERS = 8
CHANGES = 25


@pytest.mark.django_db(transaction=True)
def test_a_reader_never_misses_a_record() -> None:
    """Many writers, whose transactions last unevenly; one reader that follows the numbers.

    A reader that has seen number n must have seen all below it.  Without the writer's lock a
    transaction that took its number early and committed late would be stepped over.
    """
    account = create_account("Example", "owner@example.net").account
    start = Record.objects.latest("seq").seq
    done = threading.Event()
    seen: list[int] = []
    reader = threading.Thread(target=_read, args=(start, seen, done))
    writers = [threading.Thread(target=_write, args=(account, n)) for n in range(WRITERS)]
    reader.start()
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    done.set()
    reader.join()
    assert seen == list(range(start + 1, start + 1 + WRITERS * CHANGES))


def _write(account: Account, number: int) -> None:
    try:
        for count in range(CHANGES):
            with change(account.pk, SYSTEM, "test.write") as made:
                made.summary = f"{number}.{count}"
                time.sleep((number * 7 + count) % 5 / 1000)
    finally:
        connection.close()


def _read(after: int, seen: list[int], done: threading.Event) -> None:
    try:
        while True:
            last = done.is_set()
            for seq in (
                Record.objects.filter(seq__gt=after).order_by("seq").values_list("seq", flat=True)
            ):
                seen.append(seq)
                after = seq
            if last:
                return
            time.sleep(0.001)
    finally:
        connection.close()


@pytest.mark.django_db
def test_what_fails_leaves_nothing() -> None:
    """A change that raises is not in the journal, nor is what it wrote."""
    account = create_account("Example", "owner@example.net").account
    before = Record.objects.count()
    with pytest.raises(ZeroDivisionError):
        _fail(account)
    assert Record.objects.count() == before
    assert Account.objects.get(pk=account.pk).contact == ""


def _fail(account: Account) -> None:
    with change(account.pk, SYSTEM, "test.fail"):
        Account.objects.filter(pk=account.pk).update(contact="half-way")
        raise ZeroDivisionError
