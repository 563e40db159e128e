"""Two shares, in one process or in two, come to the same; and no helper outlives its use."""

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from signal import SIGKILL
from typing import Any

import pytest
from django.db import connections

from mailmum.control.triggers import backtest as module
from mailmum.control.triggers import helping
from mailmum.control.triggers.backtest import backtest, last_of
from mailmum.control.triggers.contexts import context_of
from mailmum.control.triggers.progress import Progress
from mailmum.control.triggers.share import Found, Task
from mailmum.control.triggers.slices import cut
from mailmum.traffic.sightings import Outcome
from mailmum.triggers.rules import Group, Metric, Rule, Where
from tests.control.triggers.kit import Scene

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")
"""What another process reads has to be committed."""

RULE = Rule(Metric.UNKNOWN, threshold=3, window=600, merge=2, brake=1)
RULES = [
    RULE,
    replace(RULE, where=Where.SERVER, merge=0, accepted=0),
    Rule(Metric.CONNECTIONS, threshold=5, window=600, group=Group.NETWORK, accepted=0),
    Rule(Metric.LISTS, threshold=2, window=86_400, accepted=0, brake=1),
]


@pytest.fixture(autouse=True)
def much(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Offenders, customers and the listed all over the addresses, and few counts are much."""
    monkeypatch.setattr(module, "DIVIDED", 1)
    monkeypatch.setattr(module, "_SUMMED", 4)
    # However many this machine has.
    monkeypatch.setattr(helping, "_processors", lambda: 2)
    clients = [
        f"{net}.{last}" for net in ("192.0.2", "198.51.100", "203.0.113") for last in (1, 2, 77)
    ]
    for place, client in enumerate([*clients, "2001:db8::1", "2001:db8:0:1::1"]):
        for ago in (260_000, 100_000, 7000):
            server = "mx1" if place % 2 else "mx2"
            scene.see(client, 3, ago=ago - 200 * (place % 4), server=server)
            for rbl in ("a.rbl.example", "b.rbl.example")[: 1 + place % 2]:
                scene.see(client, 1, Outcome.REJECTED, ago=ago, rbl=rbl)
        scene.see(client, place, Outcome.ACCEPTED, ago=270_000)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The process numbers of helpers that were started; none is left in the end."""
    pids: list[int] = []

    class Noted(helping._Helper):
        def __init__(self, task: Task) -> None:
            super().__init__(task)
            pids.append(self.pid)

    monkeypatch.setattr(helping, "_Helper", Noted)
    yield pids
    assert all(map(_is_gone, pids))


def _is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def _told(scene: Scene, rule: Rule) -> dict[str, Any]:
    report = last_of(backtest(scene.world.viewer, rule, days=5, now=scene.now)).as_dict()
    assert report.pop("seconds") > 0
    # Where much is kept that is not counted exactly.
    report.pop("rows")
    return report


def test_in_two_processes_in_one_and_undivided(
    scene: Scene, started: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every figure of every rule is the same."""
    # One of them by a helper: each takes a second to begin.
    divided = [_told(scene, RULE)]
    assert len(started) == 1
    monkeypatch.setattr(helping, "_processors", lambda: 1)
    divided += [_told(scene, rule) for rule in RULES[1:]]
    monkeypatch.setattr(module, "DIVIDED", 1_000_000)
    assert divided == [_told(scene, rule) for rule in RULES]
    assert len(started) == 1
    assert all(one["listings"] > 2 and one["contacts"] and one["by_day"] for one in divided)
    assert all(one["brake"] for one in divided[::3])
    assert [bool(one["spared"]) for one in divided] == [True, False, False, False]
    assert all(one["hit"] for one in divided[1:])


def test_a_lost_helper_is_made_up_for(
    scene: Scene, started: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its share is done here."""
    steps, report = backtest(scene.world.viewer, RULE, days=5, now=scene.now), None
    for step in steps:
        if report is None:
            os.kill(started[0], SIGKILL)
        report = step
    assert not isinstance(report, Progress)
    assert report is not None
    monkeypatch.setattr(module, "DIVIDED", 1_000_000)
    told = report.as_dict()
    assert told.pop("seconds") > 0
    told.pop("rows")
    assert told == _told(scene, RULE)


def test_a_cancelled_backtest_leaves_no_process(scene: Scene, started: list[int]) -> None:
    """Nor is the place of the helper taken any more; while it is, others do without."""
    steps = backtest(scene.world.viewer, RULE, days=5, now=scene.now)
    assert isinstance(next(steps), Progress)
    assert not _is_gone(started[0])
    assert _told(scene, RULE)["listings"]
    assert len(started) == 1
    steps.close()  # type: ignore[attr-defined]  # a generator, as everywhere
    assert _is_gone(started[0])
    steps = backtest(scene.world.viewer, RULE, days=5, now=scene.now)
    next(steps)
    assert len(started) == 2
    steps.close()  # type: ignore[attr-defined]


def test_a_helper_ends_with_whoever_has_started_it(scene: Scene) -> None:
    """In the midst of work that would take it hours: the pipe to it is closed by then."""
    account = scene.world.owner.account.pk
    context = context_of(account, RULE, scene.now)
    slices = ((bytes(16), b"\xff" * 16),) * 1_000_000
    task = Task(account, RULE, context, scene.now - 86_400, scene.now, slices, 1, 1)
    with _asked(task) as helper:
        assert helper.stdin is not None
        assert helper.stdout is not None
        assert isinstance(pickle.load(helper.stdout), Progress)  # noqa: S301 (our own program)
        helper.stdin.close()
        assert helper.wait(timeout=60) == 0


def test_a_helper_that_is_done_ends_without_a_word(
    scene: Scene, capfd: pytest.CaptureFixture[str]
) -> None:
    """Although whoever asked has not yet turned away."""
    account = scene.world.owner.account.pk
    context = context_of(account, RULE, scene.now)
    task = Task(account, RULE, context, scene.now - 86_400, scene.now, (cut([], ())[0],), 1, 1)
    with _asked(task) as helper:
        assert helper.stdout is not None
        while not isinstance(pickle.load(helper.stdout), Found):  # noqa: S301 (our own program)
            pass
        assert helper.wait(timeout=60) == 0
    assert capfd.readouterr().err == ""


@contextmanager
def _asked(task: Task) -> Iterator[subprocess.Popen[bytes]]:
    """A helper that has been told what to do."""
    names = {alias: connections[alias].settings_dict["NAME"] for alias in connections}
    with subprocess.Popen(
        [sys.executable, "-m", "mailmum.control.triggers.helper"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as helper:
        assert helper.stdin is not None
        helper.stdin.write(pickle.dumps((names, task)))
        helper.stdin.flush()
        yield helper
