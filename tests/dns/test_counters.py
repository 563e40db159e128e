"""Counting: bounded, nothing lost silently, nothing counted twice."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from mailmum.dns.counters import BLOCK, WORDS, CountBatch, Counters, merge

EVENTS = st.lists(
    st.tuples(st.integers(1, 6), st.sampled_from(["bl", "wl"]), st.integers(0, 2)), max_size=60
)


def total(batch: CountBatch) -> int:
    """Everything counted in a batch, lost or not."""
    kept = sum(entry.count for entry in batch.verdicts) + sum(use.count for use in batch.revoked)
    return kept + sum(count for _, count in batch.faults) + batch.lost


@given(st.lists(EVENTS, max_size=4))
def test_every_event_is_in_exactly_one_batch(rounds: list[list[tuple[int, str, int]]]) -> None:
    """Batches hold what was counted since the one before."""
    counters = Counters()
    for events in rounds:
        for server, list_, word in events:
            counters.cell(server, list_)[word] += 1
        batch = counters.take()
        counted = {(v.server, v.list, v.verdict): v.count for v in batch.verdicts}
        assert counted == Counter((s, list_, WORDS[word]) for s, list_, word in events)
        assert batch.lost == 0


@given(EVENTS, st.integers(0, 4))
def test_a_full_table_counts_what_it_drops(events: list[tuple[int, str, int]], limit: int) -> None:
    """At most `limit` cells; the sum stays whole."""
    counters = Counters(limit)
    for server, list_, word in events:
        counters.cell(server, list_)[word] += 1
        counters.revoked(server, list_)
    batch = counters.take()
    assert len({(v.server, v.list) for v in batch.verdicts}) <= limit
    assert len(batch.revoked) <= limit
    assert total(batch) == 2 * len(events)
    assert total(counters.take()) == 0


def test_a_cell_stays_valid_after_a_batch() -> None:
    """Whoever holds a cell goes on counting into it."""
    counters = Counters()
    cell = counters.cell(1, "bl")
    cell[BLOCK] += 1
    counters.take()
    cell[BLOCK] += 2
    assert [v.count for v in counters.take().verdicts] == [2]


@given(st.lists(EVENTS, max_size=4), st.integers(0, 20))
def test_merging_adds_up_within_a_limit(
    rounds: list[list[tuple[int, str, int]]], limit: int
) -> None:
    """The sums of all batches, bounded, what has no room counted as lost."""
    batches = []
    for events in rounds:
        counters = Counters()
        for server, list_, word in events:
            counters.cell(server, list_)[word] += 1
            counters.revoked(server, list_)
            counters.fault(list_)
        batches.append(counters.take())
    merged = merge(batches, limit)
    assert total(merged) == sum(map(total, batches))
    assert max(len(merged.verdicts), len(merged.revoked), len(merged.faults)) <= limit
    unbounded = merge(batches)
    assert unbounded.lost == 0
    assert {(v.server, v.list, v.verdict): v.count for v in unbounded.verdicts} == Counter(
        (server, list_, WORDS[word]) for events in rounds for server, list_, word in events
    )


def test_an_empty_batch_is_false() -> None:
    """So that nothing is handed over when nothing happened."""
    assert not Counters().take()
    assert CountBatch(lost=1)
