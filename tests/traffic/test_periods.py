"""Periods that hold a stretch of time."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from mailmum.traffic.periods import DAY, HOUR, cover, end_of, start_of

TIMES = st.integers(0, 40 * DAY) | st.floats(0, 40 * DAY)


@given(TIMES, st.integers(0, 12 * DAY) | st.floats(0, 12 * DAY), TIMES)
def test_every_moment_is_held_once(since: float, length: float, hours_since: float) -> None:
    """No period overlaps another, none is missing, and none is of hours that are gone."""
    until = since + length
    spans = cover(since, until, hours_since)
    starts = [(start, span.step) for span in spans for start in span.starts]
    for (start, step), (later, _) in pairwise(starts):
        assert start + step == later
    if until > since:
        assert starts[0][0] <= since
        assert starts[-1][0] + starts[-1][1] >= until
    for start, step in starts:
        assert start % step == 0
        assert step == DAY or start >= hours_since


@given(TIMES, st.integers(0, 12 * DAY))
def test_no_more_than_whole_hours_are_added(since: float, length: int) -> None:
    """While there are hours."""
    spans = cover(since, since + length, 0)
    covered = sum(span.last - span.first for span in spans)
    assert covered <= length + 2 * HOUR
    # A whole day is never read hour by hour.
    assert sum(len(span.starts) for span in spans if span.step == HOUR) <= 46


@given(TIMES, st.sampled_from([60, HOUR, DAY]))
def test_bounds_of_a_period(moment: float, step: int) -> None:
    """A moment lies in its period."""
    assert start_of(moment, step) <= moment < start_of(moment, step) + step
    assert end_of(moment, step) - step < moment <= end_of(moment, step)
