"""Buckets of time: they cover it, follow the clock on the wall, and have few enough labels."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmum.charts.moments import Buckets, Step, cut

BERLIN = ZoneInfo("Europe/Berlin")
ODD = ("Asia/Kolkata", "America/Sao_Paulo", "Africa/Cairo", "Australia/Lord_Howe")
ZONES = st.sampled_from([UTC, BERLIN, *map(ZoneInfo, ODD)])
TIMES = st.floats(0, 4e9)
SPANS = st.one_of(st.floats(0, 1e4), st.floats(0, 1e7), st.floats(0, 2e9))


@given(TIMES, SPANS, ZONES, st.integers(10, 400))
def test_buckets_cover_the_time(first: float, length: float, zone: ZoneInfo, most: int) -> None:
    """All of it, each moment once, in at most so many; each bucket is found by what is in it."""
    last = first + length
    buckets = cut(first, last, zone, most)
    edges = buckets.edges
    assert all(one < two for one, two in pairwise(edges))
    assert edges[0] <= first
    assert edges[-1] > last
    assert 1 <= len(buckets) <= most + 1
    for time in (first, last, (first + last) / 2):
        at = buckets.find(time)
        assert edges[at] <= time < edges[at + 1]
    assert len(buckets.names()) == len(buckets)


@given(TIMES, SPANS, ZONES, st.integers(2, 20))
def test_labels_are_few_and_in_order(
    first: float, length: float, zone: ZoneInfo, most: int
) -> None:
    """Each at a bucket of its own."""
    buckets = cut(first, first + length, zone)
    ticks = buckets.ticks(most)
    assert len(ticks) <= most
    places = [tick.bucket for tick in ticks]
    assert places == sorted(set(places))
    assert all(0 <= tick.bucket < len(buckets) and tick.text for tick in ticks)


def at(text: str) -> float:
    """A moment of Berlin."""
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp()


def hours(buckets: Buckets) -> list[float]:
    """How long each bucket is."""
    return [(two - one) / 3600 for one, two in pairwise(buckets.edges)]


def test_a_day_follows_the_clock() -> None:
    """On the day on which the clock is put back a bucket has 25 hours, in spring 23."""
    autumn = cut(at("2026-10-20T12:00"), at("2026-10-30T12:00"), BERLIN, most=20)
    assert autumn.step is Step.DAY
    assert hours(autumn) == [24] * 5 + [25] + [24] * 5
    assert autumn.names()[5] == "Sun 25 Oct"
    spring = cut(at("2026-03-25T12:00"), at("2026-04-01T12:00"), BERLIN, most=20)
    assert spring.step is Step.DAY
    assert sorted(hours(spring))[:2] == [23, 24]


def test_hours_of_the_day_on_which_the_clock_is_put_back() -> None:
    """Two of them are called 02:00, and both are there."""
    buckets = cut(at("2026-10-25T00:00"), at("2026-10-25T06:00"), BERLIN, most=10)
    shown = [name[-5:] for name in buckets.names()]
    assert shown[:5] == ["00:00", "01:00", "02:00", "02:00", "03:00"]


@pytest.mark.parametrize(
    ("length", "step", "labels"),
    [
        (timedelta(minutes=40), Step.MINUTE, ["Sun 15", "00:05", "00:10"]),
        (timedelta(hours=6), Step.FIVE_MINUTES, ["Sun 15", "01:00", "02:00"]),
        (timedelta(days=1), Step.QUARTER, ["Sun 15", "03:00", "06:00"]),
        (timedelta(days=6, hours=23), Step.HOUR, ["Sun 15", "Mon 16", "Tue 17"]),
        (timedelta(days=29), Step.SIX_HOURS, ["16 Nov", "23 Nov", "30 Nov"]),
        (timedelta(days=120), Step.DAY, ["23 Nov", "7 Dec", "21 Dec"]),
        (timedelta(days=365 * 3), Step.WEEK, ["2027", "Jul", "2028"]),
        (timedelta(days=365 * 9), Step.MONTH, ["2027", "2028", "2029"]),
    ],
)
def test_usual_spans(length: timedelta, step: Step, labels: list[str]) -> None:
    """What people expect below a chart of so long."""
    begin = datetime(2026, 11, 15, tzinfo=UTC)
    buckets = cut(begin.timestamp(), (begin + length).timestamp(), UTC)
    assert buckets.step is step
    shown = [tick.text for tick in buckets.ticks()]
    assert shown[:3] == labels


def test_hours_between_days_are_minor() -> None:
    """A narrow screen shows the days alone."""
    buckets = cut(at("2026-11-15T00:00"), at("2026-11-17T23:00"), BERLIN)
    days = [tick.text for tick in buckets.ticks() if not tick.minor]
    assert days == ["Sun 15", "Mon 16", "Tue 17"]
    assert any(tick.minor for tick in buckets.ticks())
