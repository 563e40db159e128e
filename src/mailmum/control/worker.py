"""The worker: what has to be done now and then, beside answering and serving pages.

Each task has a pause after which it is due again.  A task that takes long does so in steps, between
which it asks whether to go on; so the worker ends at once when told to, and whatever it was at goes
on after the next start.  A step that takes long is waited for some seconds, and undone then.  While
a database is away a task fails, which is told when it begins, once in a while, and when it is
over, and is tried again: nobody waits for the worker.

Triggers cannot wait for a task's turn: they follow in a thread beside, to which all tasks give way
between their steps, and what public lists say to them comes from another (`triggers.listening`).
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import structlog
from django.db import DatabaseError, close_old_connections, connections

from mailmum.control.accounts.models import Account
from mailmum.control.alerts import work as alerting
from mailmum.control.feeds.refreshing import refresh_due
from mailmum.control.suggestions.inbox import thinking
from mailmum.control.traffic import retention, rewriting
from mailmum.control.traffic.intake import privacy_of
from mailmum.control.traffic.terms import all_terms, set_terms
from mailmum.control.traffic.working_up import Lister
from mailmum.control.triggers import listening, tidying
from mailmum.control.witnesses import work as witnessing
from mailmum.daemons.descriptors import with_cause
from mailmum.daemons.ending import stop_signals
from mailmum.daemons.outages import Outages
from mailmum.daemons.supervisor_ready import tell_ready
from mailmum.daemons.threads import KeptThread
from mailmum.traffic.terms import Terms

log = structlog.get_logger()

TICK = 1.0
_RETRY = 10.0
# Whose steps are waited for at the end: what triggers have judged is judged once, and what was sent
# is known to have been sent.  All else may be undone.
_AWAITED = ("triggers", "notices", "tasks")
_PATIENCE = 3.0
_TELL_AGAIN = 3600.0
# A chunk of rows takes a few hundredths of a second; writers get the rest of the time.
_REST = 0.05


@dataclass(slots=True)
class Task:
    """Something that is due again and again.

    Attributes:
        name: for the log.
        every: seconds from one end to the next beginning.
        steps: does it, given our own clock; between two steps the worker may end.
        due: when it is due next, monotonic seconds.
    """

    name: str
    every: float
    steps: Callable[[float], Iterable[object]]
    due: float = 0.0


def run() -> None:
    """Work until told to stop."""
    stopping, ranked = threading.Event(), threading.Event()
    jobs: dict[str, Callable[[], None]] = {
        "tasks": partial(work, tasks(ranked), stopping),
        # Whoever answers slowly must keep nothing else from being done.
        "triggers": partial(listening.follow, stopping),
        "rbls": partial(listening.ask, stopping),
        "suggestions": partial(_think, ranked, stopping),
    }
    jobs |= {task.name: partial(work, [task], stopping) for task in slow_tasks()}
    with stop_signals() as told:
        threads = {name: KeptThread(f"worker-{name}", job) for name, job in jobs.items()}
        while not told(TICK):
            for thread in threads.values():
                thread.check(time.monotonic())
        stopping.set()
        deadline = time.monotonic() + _PATIENCE
        for name in _AWAITED:
            threads[name].join(max(deadline - time.monotonic(), 0))
    log.info("worker.stopped")


def slow_tasks() -> list[Task]:
    """What waits for others, or takes long with many accounts, each in a thread of its own."""
    return [
        Task("alerts", 60.0, alerting.looking),
        Task("reports", 300.0, alerting.tidying),
        Task("feeds", 5.0, refresh_due),
        Task("notices", 5.0, alerting.sending),
        Task("witnesses", witnessing.EVERY, witnessing.caring),
    ]


def _think(ranked: threading.Event, stopping: threading.Event) -> None:
    """Look for proposals: of the worst, so not before it is known who these are."""
    while not ranked.wait(TICK):
        if stopping.is_set():
            return
    work([Task("suggestions", 3600.0, thinking)], stopping)


def tasks(ranked: threading.Event) -> list[Task]:
    """All that is done in turn; the event is set whenever all the worst have been ranked."""
    lister = Lister()

    def rank(now: float) -> Iterator[object]:
        yield from lister.steps(now)
        if not lister.behind:
            ranked.set()

    return [
        Task("terms", 60.0, _terms),
        Task("worst", 10.0, rank),
        Task("privacy", 30.0, _rewrite),
        # Last: after a log of weeks was read there is much to remove, and nobody waits for it.
        Task("retention", 600.0, _expire),
        Task("findings", 3600.0, tidying.steps),
    ]


def work(todo: list[Task], stopping: threading.Event) -> None:
    """Do each task whenever it is due, until the event is set."""
    outages = Outages(_TELL_AGAIN)
    tell_ready()
    while not stopping.is_set():
        for task in todo:
            if time.monotonic() >= task.due and not stopping.is_set():
                _do(task, stopping, outages)
        stopping.wait(TICK)
    connections.close_all()


def _do(task: Task, stopping: threading.Event, outages: Outages) -> None:
    pause = task.every
    try:
        close_old_connections()
        began = time.monotonic()
        for _ in task.steps(time.time()):
            # As long as the step took, so that many small ones do not add up to minutes of rest.
            if stopping.wait(min(_REST, time.monotonic() - began)):
                return
            listening.FRONT.give_way()
            began = time.monotonic()
    except DatabaseError as error:
        if outages.began(task.name):
            log.warning("worker.failed", task=task.name, reason=with_cause(str(error).strip()))
        connections.close_all()
        pause = min(pause, _RETRY)
    else:
        if (after := outages.ended(task.name)) is not None:
            log.info("worker.works-again", task=task.name, after=after)
    task.due = time.monotonic() + pause


def _terms(_now: float) -> Iterator[None]:
    """Accounts change their terms themselves; this mends a copy that was lost or restored."""
    kept = all_terms()
    for account in Account.objects.order_by("pk"):
        if kept.get(account.pk, Terms()) != account.terms:
            set_terms(account.pk, account.terms)
            yield


def _rewrite(now: float) -> Iterator[int]:
    """Leave out of what was kept what an account does not want kept any more."""
    for account in rewriting.due(now):
        yield from rewriting.rewrite(account, privacy_of(account))
        log.info("worker.rewritten", account=account)


def _expire(now: float) -> Iterator[int]:
    """Remove what is too old, and all traffic of accounts that are no more.

    The number of an account that is gone may be given again after a backup was restored: nobody
    may find another's traffic then.
    """
    # Traffic first: an account that is made in between is none that is no more.
    kept = retention.accounts()
    known = set(Account.objects.values_list("pk", flat=True))
    for account in sorted(kept):
        removed = 0
        for count in (
            retention.expire(account, now) if account in known else retention.forget(account)
        ):
            removed += count
            yield count
        if removed:
            log.info("worker.removed", account=account, rows=removed)
