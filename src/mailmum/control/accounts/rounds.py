"""Rounds of the worker: the same for one account after the other, none of which harms the next."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import structlog

from mailmum.control.accounts.models import Account
from mailmum.domain.errors import FAULTS, Refusal

log = structlog.get_logger()
_Done = TypeVar("_Done")


def each(
    what: str, accounts: Iterable[Account], do: Callable[[Account], _Done], now: float
) -> Iterator[_Done]:
    """Do something for each active account; where a fault of ours shows itself the next is done.

    A database that is away is let through.
    """
    for account in accounts:
        if not account.is_active(now):
            continue
        try:
            done = do(account)
        except (*FAULTS, Refusal) as fault:
            log.error("worker.account-failed", task=what, account=account.pk, exc_info=fault)
            continue
        yield done
