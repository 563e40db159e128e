"""Telling of what lasts: when it begins, seldom, and when it is over."""

from mailmum.daemons.outages import Outages


def test_it_is_told_when_it_begins_seldom_and_when_it_ends() -> None:
    """Each kind for itself."""
    now = [100.0]
    outages = Outages(600.0, lambda: now[0])
    assert outages.ended("a") is None
    assert outages.began("a")
    told = []
    for now[0] in range(110, 1400, 10):
        told += [now[0]] if outages.began("a") else []
    assert told == [700, 1300]
    assert outages.began("b")
    now[0] = 1400.5
    assert outages.ended("a") == 1300.5
    assert outages.ended("a") is None
    assert outages.ended("b") == 10.5
    now[0] = 1500
    assert outages.began("a")


def test_what_fails_every_other_time_is_told_seldom() -> None:
    """And its ends only where the beginning was told."""
    now = [0.0]
    outages = Outages(600.0, lambda: now[0])
    begun, over = list[float](), list[float]()
    for start in range(0, 600, 10):
        now[0] = start
        begun += [start] if outages.began("a") else []
        now[0] = start + 5
        over += [now[0]] if outages.ended("a") is not None else []
    assert begun == list(range(0, 600, 60))
    assert over == [one + 5 for one in begun]


def test_one_that_begins_right_after_another_and_stays() -> None:
    """It waits for a moment only."""
    now = [0.0]
    outages = Outages(600.0, lambda: now[0])
    assert outages.began("a")
    now[0] = 5.0
    assert outages.ended("a") == 5.0
    told = []
    for now[0] in range(10, 200, 10):
        told += [now[0]] if outages.began("a") else []
    assert told == [60]
    assert outages.ended("a") == 180.0
