"""Lifetimes as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmum.domain.errors import BadInput
from mailmum.domain.lifetimes import LONGEST, end_of, lifetime_text, parse_lifetime
from mailmum.domain.words import span

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 24 * 3600, "w": 7 * 24 * 3600}


@given(st.integers(1, LONGEST))
def test_text_reads_back(seconds: int) -> None:
    """To the second, for every lifetime that is allowed."""
    assert parse_lifetime(lifetime_text(seconds)) == seconds


@given(
    st.lists(
        st.tuples(st.integers(0, 100), st.sampled_from(sorted(SECONDS))), min_size=1, max_size=6
    )
)
def test_parts_add_up(parts: list[tuple[int, str]]) -> None:
    """In any order, repeated or not; nothing at all is refused."""
    text = "".join(f"{count}{unit}" for count, unit in parts)
    total = sum(count * SECONDS[unit] for count, unit in parts)
    if total:
        assert parse_lifetime(text) == total
    else:
        with pytest.raises(BadInput, match="out of range"):
            parse_lifetime(text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("7d", 604800), ("1D12H", 129600), (" 90s ", 90), ("5200w", 3144960000)]
)
def test_examples(text: str, seconds: int) -> None:
    """Any case, with space around."""
    assert parse_lifetime(text) == seconds


def test_shortest_text() -> None:
    """Each unit once, the largest first."""
    assert lifetime_text(129600) == "1d12h"
    assert lifetime_text(604800) == "1w"
    assert lifetime_text(61) == "1m1s"
    assert lifetime_text(0) == "0s"


@pytest.mark.parametrize(
    "text", ["", "d", "-1d", "1y", "1.5h", "\uff17", "\uff17d", "1d;", "1d" * 40, "1 month"]
)
def test_what_is_no_lifetime_is_refused(text: str) -> None:
    """The message says how to write one."""
    with pytest.raises(BadInput, match="is no length of time; write for example 10m, 12h, 7d or"):
        parse_lifetime(text)


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("7", "give it a unit: 7m, 7h or 7d"),
        ("7 d", "did you mean 7d?"),
        ("10min", "did you mean 10m?"),
        ("1 day 12 h", "did you mean 1d12h?"),
        ("2 Weeks", "did you mean 2w?"),
    ],
)
def test_what_was_meant_is_asked(text: str, fix: str) -> None:
    """Where it can be told: as pages write it is not how it is typed."""
    with pytest.raises(BadInput, match="is no length of time") as refused:
        parse_lifetime(text)
    assert refused.value.fix == fix


@given(st.integers(1, 10**9))
def test_what_people_read_is_understood_as_a_question(seconds: int) -> None:
    """Whatever length of time pages tell, the question has it as it is to be typed."""
    with pytest.raises(BadInput) as refused:
        parse_lifetime(span(seconds))
    meant = refused.value.fix.removeprefix("did you mean ").removesuffix("?")
    assert parse_lifetime(meant) == seconds


@pytest.mark.parametrize("text", ["0s", "0d0h", "36501d", "9999999999w"])
def test_out_of_range(text: str) -> None:
    """At least a second, at most a hundred years."""
    with pytest.raises(BadInput, match="is out of range"):
        parse_lifetime(text)


@given(st.text(max_size=80))
def test_any_text_is_a_lifetime_or_refused(text: str) -> None:
    """Nothing else is raised."""
    try:
        seconds = parse_lifetime(text)
    except BadInput:
        return
    assert 0 < seconds <= LONGEST


@given(st.floats(0, 2**40), st.integers(1, LONGEST))
def test_an_end_is_never_sooner_than_asked_for(now: float, seconds: int) -> None:
    """Nor a whole second later; without a lifetime there is none."""
    end = end_of(lifetime_text(seconds), now)
    assert end is not None
    assert seconds <= end - now <= seconds + 1
    assert end_of(None, now) is end_of(" ", now) is None
