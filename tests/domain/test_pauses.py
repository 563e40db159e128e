"""Pauses: from when blocks hold, and what two pauses come to."""

from hypothesis import given
from hypothesis import strategies as st

from mailmum.domain.pauses import HOLD, blocks_hold, later

ends = st.one_of(st.just(HOLD), st.none(), st.integers(1, 20))


@given(ends, ends, st.one_of(st.integers(0, 21), st.floats(0, 21)))
def test_where_two_meet_blocks_hold_when_both_say_so(
    one: int | None, other: int | None, now: float
) -> None:
    """Whichever comes first, at every moment."""
    both = blocks_hold(one, now) and blocks_hold(other, now)
    assert blocks_hold(later(one, other), now) == both
    assert later(one, other) == later(other, one)


def test_a_pause_ends_at_its_end_or_never() -> None:
    """To the second; one without an end not in a hundred years."""
    assert blocks_hold(HOLD, 0.0)
    assert not blocks_hold(1_700_000_000, 1_699_999_999.9)
    assert blocks_hold(1_700_000_000, 1_700_000_000.0)
    assert not blocks_hold(None, 5e9)
