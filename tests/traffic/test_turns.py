"""By which source a server is seen best, held against asking for each moment alone."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from mailmum.traffic.periods import DAY
from mailmum.traffic.turns import (
    BEST,
    DNS,
    LOG,
    POLICY,
    Turn,
    best_at,
    in_turn,
    is_better,
    stretches,
    within,
)

_times = st.lists(st.integers(0, 12), min_size=2, max_size=8)


def _turns(source: int, times: list[int]) -> list[Turn]:
    return [Turn(source, *sorted(pair)) for pair in zip(times[::2], times[1::2], strict=False)]


@given(st.dictionaries(st.sampled_from(BEST), _times), st.integers(0, 12), st.integers(0, 12))
def test_at_each_moment_the_best_of_those_that_see_it(
    given_times: dict[int, list[int]], since: int, until: int
) -> None:
    """None overlap, none can be joined; cut to a time nothing else changes."""
    seen = {source: _turns(source, times) for source, times in given_times.items()}
    turns = in_turn(seen)
    cut = within(turns, since, until)
    for at in range(13):
        there = [s for s in BEST if any(one.since <= at < one.until for one in seen.get(s, ()))]
        right = there[0] if there else None
        assert best_at(turns, at) == right
        assert best_at(cut, at) == (right if since <= at < until else None)
    for one, other in pairwise(turns):
        assert one.until <= other.since
        assert (one.source, one.until) != (other.source, other.since)


@given(st.sets(st.integers(0, 60)))
def test_a_source_sees_a_server_until_it_was_quiet_for_a_week(days: set[int]) -> None:
    """The day on which it told anything, and the seven after it."""
    found = list(stretches(day * DAY for day in sorted(days)))
    seen = {day for day in range(70) if any(first <= day * DAY < last for first, last in found)}
    assert seen == {day + more for day in days for more in range(8)}
    assert all(first // DAY in days for first, _ in found)


def test_which_is_better() -> None:
    """A source that nobody knows is no better than any."""
    assert is_better(LOG, POLICY)
    assert is_better(POLICY, DNS)
    assert is_better(DNS, None)
    assert not is_better(DNS, DNS)
    assert not is_better(DNS, LOG)
    assert not is_better(0, None)
