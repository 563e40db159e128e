"""Sifting may keep too many, never too few."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from mailmum.traffic.periods import HOUR
from mailmum.traffic.sightings import Outcome
from mailmum.triggers.backtest import Sieve, run
from mailmum.triggers.brake import first_stop
from mailmum.triggers.contacts import Context
from mailmum.triggers.decisions import Kind
from mailmum.triggers.judge import Judge
from mailmum.triggers.rules import Metric, Rule
from tests.triggers.naive import Spares, contact

times = st.lists(st.tuples(st.integers(0, 6 * HOUR), st.sampled_from("abc")), max_size=40)


@given(
    st.lists(st.tuples(st.integers(0, 9), st.sampled_from("abc"), st.integers(1, 5))),
    st.integers(1, 6),
    st.booleans(),
    st.integers(1, 60),
)
def test_finds_whom_the_plain_way_finds(
    seen: list[tuple[int, str, int]], threshold: int, each: bool, cut: int
) -> None:
    """With the rows that count, wherever they are cut into pieces."""
    rows = sorted((hour * HOUR, key, count) for hour, key, count in seen)
    whole, sieve = (Sieve(threshold, 2 * HOUR, each=each) for _ in range(2))
    taken: list[tuple[int, str, int]] = []
    for at in range(0, len(rows), cut):
        whole.take(rows[at : at + cut])
        sieve.take(rows[at : at + cut])
        some = sieve.taken(*(row[0] for row in rows[at + cut :][:1]))
        # What is taken later comes later: so may the judge go on with it.
        assert not taken or not some or min(some)[0] > max(taken)[0]
        taken += some
    expected = {}
    for key in "abc":
        mine = [row for row in rows if row[1] == key]
        for end in range(len(mine)):
            within = [row for row in mine[: end + 1] if row[0] > mine[end][0] - 3 * HOUR]
            if sum(1 if each else row[2] for row in within) >= threshold:
                expected[key] = within + mine[end + 1 :]
                break
    assert whole.found == expected
    assert sorted(taken) == sorted(row for mine in expected.values() for row in mine)


@given(times, st.integers(1, 6), st.sampled_from([60, 600, HOUR, 2 * HOUR]))
def test_keeps_everybody_who_could_have_reached_it(
    seen: list[tuple[int, str]], threshold: int, window: int
) -> None:
    """By the hour nobody is missed who reached the threshold by the second."""
    hours: dict[tuple[int, str], int] = {}
    for at, key in seen:
        place = (at - at % HOUR, key)
        hours[place] = hours.get(place, 0) + 1
    sieve = Sieve(threshold, window)
    sieve.take((*place, count) for place, count in sorted(hours.items()))
    for key in "abc":
        mine = sorted(at for at, other in seen if other == key)
        for end in mine:
            if sum(end - window < at <= end for at in mine) >= threshold:
                begun = [row[0] for row in sieve.found[key]]
                assert all(at - at % HOUR in begun for at in mine if end - window < at or at >= end)


@given(times)
def test_leaves_out_who_never_could(seen: list[tuple[int, str]]) -> None:
    """Whoever has fewer contacts than the threshold in all is not looked at."""
    rows = sorted((at - at % HOUR, key, 1) for at, key in seen)
    sieve = Sieve(5, HOUR)
    sieve.take(rows)
    for key in "abc":
        if sum(other == key for _, other in seen) < 5:
            assert key not in sieve.found


def test_run_tells_who_is_listed_and_who_is_spared() -> None:
    """One after the other, in the order in which listings begin."""
    rule = Rule(Metric.UNKNOWN, threshold=1, window=60, brake=0)
    judge = Judge(rule, Context(), Spares("203.0.113.2"))
    seen = [
        contact(n, 1_790_000_000 + n, f"203.0.113.{n}", Outcome.UNKNOWN_RECIPIENT)
        for n in (1, 2, 3, 4)
    ]
    *_, outcome = run(judge, seen)
    assert [one.target.text for one in outcome.listed] == [f"203.0.113.{n}" for n in (1, 3, 4)]
    assert [one.target.text for one in outcome.spared] == ["203.0.113.2"]


@given(
    st.lists(st.tuples(st.integers(0, 300), st.integers(1, 250)), max_size=40),
    st.integers(1, 4),
    st.integers(1, 120),
)
def test_the_brake_is_found_afterwards(
    seen: list[tuple[int, int]], brake: int, window: int
) -> None:
    """By when listings began: at the one at which a judge that has the brake stops."""
    rule = Rule(Metric.UNKNOWN, threshold=1, window=60, brake=brake, brake_window=window)
    contacts = [
        contact(number, 1_790_000_000 + at, f"203.0.113.{last}", Outcome.UNKNOWN_RECIPIENT)
        for number, (at, last) in enumerate(sorted(seen), start=1)
    ]
    judge = Judge(rule, Context(), Spares())
    decided = [one for each in contacts for one in judge.take(each)]
    stops = [one.offence.begin for one in decided if one.kind is Kind.STOP]
    *_, outcome = run(Judge(replace(rule, brake=0), Context(), Spares()), contacts)
    begun = [one.offence.begin for one in outcome.listed]
    assert first_stop(rule, begun) == next(iter(stops), None)
