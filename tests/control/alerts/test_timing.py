"""Quiet hours and weekly moments, held against a walk from minute to minute."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmum.control.alerts.timing import (
    Quiet,
    latest_weekly,
    minute_text,
    parse_minute,
    quiet_hours,
)
from mailmum.domain.errors import BadInput

pytestmark = pytest.mark.once

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata")
minutes = st.integers(0, 1439)
# Around the changes of clocks in 2026, where they go wrong if they do.
moments = st.one_of(
    st.integers(1_780_000_000, 1_800_000_000),
    st.sampled_from([1_774_746_000, 1_792_890_000, 1_772_953_200, 1_793_512_800]).flatmap(
        lambda at: st.integers(at - 7200, at + 7200)
    ),
)


@given(minutes, minutes, moments, st.sampled_from(ZONES))
def test_the_end_of_quiet_hours(start: int, end: int, at: int, name: str) -> None:
    """It is outside, no earlier than the moment, and no minute before it was outside."""
    zone = ZoneInfo(name)
    quiet = Quiet(start, end, zone)
    over = quiet.ends(at)
    assert over >= at
    assert not quiet.holds(over)
    if over == at:
        return
    walked = at
    while walked < over:
        assert quiet.holds(walked)
        walked += 60
    local = datetime.fromtimestamp(over, zone)
    assert local.second == 0


@given(minutes, minutes, moments, st.sampled_from(ZONES))
def test_within_quiet_hours(start: int, end: int, at: int, name: str) -> None:
    """By what a clock on the wall shows."""
    wall = datetime.fromtimestamp(at, ZoneInfo(name)).strftime("%H:%M")
    first, last = minute_text(start), minute_text(end)
    expected = first <= wall < last if first <= last else wall >= first or wall < last
    assert Quiet(start, end, ZoneInfo(name)).holds(at) is expected


@given(moments, st.sampled_from(ZONES), st.integers(0, 6), st.integers(0, 23))
def test_the_latest_weekly_moment(at: int, name: str, day: int, hour: int) -> None:
    """On that day at that hour, not in the future, not a week and an hour ago."""
    found = latest_weekly(at, name, day, hour)
    local = datetime.fromtimestamp(found, UTC).astimezone(ZoneInfo(name))
    assert found <= at < found + timedelta(days=7, hours=2).total_seconds()
    assert local.weekday() == day
    # An hour that the change of clocks leaves out is the next that there is.
    assert local.hour in (hour, hour + 1)


@given(st.text(max_size=8))
def test_any_text_is_a_time_of_day_or_refused(text: str) -> None:
    """And one that is reads the same again."""
    try:
        minute = parse_minute(text, field="quiet_from")
    except BadInput:
        return
    assert parse_minute(minute_text(minute), field="quiet_from") == minute


def test_no_quiet_hours() -> None:
    """With one end missing, or both the same."""
    assert quiet_hours(None, None, "UTC") is None
    assert quiet_hours(60, None, "UTC") is None
    assert quiet_hours(60, 60, "UTC") is None
