"""Counting: bounded, nothing lost silently, nothing counted twice."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from mailmum.dns.counters import (
    BLOCK,
    LIMIT,
    LOG,
    WIDE,
    WORDS,
    ClientCount,
    CountBatch,
    Counters,
    Key,
    client_of,
    mark_of,
)

ADDRESSES = st.one_of(
    st.tuples(st.just(4), st.integers(0, 2**32 - 1)),
    st.tuples(st.just(6), st.integers(0, 2**128 - 1)),
    # The same number in both versions, and at the edges.
    st.tuples(st.sampled_from([4, 6]), st.sampled_from([0, 1, 2**32 - 1])),
)
NAMES = st.sampled_from(["mail.spam.example", "?.spam.example", "top", ""])
EVENTS = st.lists(
    st.tuples(
        st.integers(1, 4),
        st.sampled_from(["bl", "wl", "dbl"]),
        st.one_of(ADDRESSES, NAMES),
        st.integers(0, 2),
        st.booleans(),
    ),
    max_size=60,
)
Event = tuple[int, str, tuple[int, int] | str, int, bool]


def count(counters: Counters, events: list[Event]) -> None:
    """Count events as an engine does."""
    for server, list_, subject, word, wide in events:
        client = subject if isinstance(subject, str) else client_of(*subject)
        counters.count(server, list_, client, word | (WIDE if wide else 0))


def by_client(batch: CountBatch) -> dict[object, int]:
    """The counts of a batch, whose entries are all different."""
    found = [
        ((c.server, c.list, c.subject, WORDS.index(c.verdict), c.wide), c.count)
        for c in batch.clients
    ]
    assert len(dict(found)) == len(found)
    return dict(found)


def total(batch: CountBatch) -> int:
    """Everything counted in a batch, lost or not."""
    kept = sum(one.count for one in batch.clients) + sum(use.count for use in batch.revoked)
    return kept + sum(number for _, number in batch.faults) + batch.lost


@given(st.lists(EVENTS, max_size=4))
def test_every_event_is_in_exactly_one_batch(rounds: list[list[Event]]) -> None:
    """Batches hold what was counted since the one before, by client."""
    counters = Counters()
    for events in rounds:
        count(counters, events)
        batch = counters.take()
        assert by_client(batch) == Counter(events)
        assert (batch.lost, batch.nameless) == (0, 0)
        sums = {(v.server, v.list, v.verdict): v.count for v in batch.verdicts}
        assert sums == Counter((server, list_, WORDS[word]) for server, list_, _, word, _ in events)


@given(EVENTS, st.integers(0, 6))
def test_a_full_table_counts_what_it_drops(events: list[Event], limit: int) -> None:
    """At most `limit` clients, cells and keys; sums by server stay exact where there is a cell."""
    counters = Counters(limit)
    count(counters, events)
    for server, list_, *_ in events:
        counters.revoked(server, list_)
    batch = counters.take()
    named = [one for one in batch.clients if one.subject is not None]
    assert len(named) <= limit
    assert len(batch.revoked) <= limit
    assert total(batch) == 2 * len(events)
    assert sum(one.count for one in named) + batch.nameless == sum(
        one.count for one in batch.verdicts
    )
    assert batch.size <= 3 * limit
    sums = Counter({(v.server, v.list, v.verdict): v.count for v in batch.verdicts})
    assert sums <= Counter((server, list_, WORDS[word]) for server, list_, _, word, _ in events)
    assert total(counters.take()) == 0


def test_room_is_there_again_after_a_batch() -> None:
    """One flood costs the clients of one batch their names, not those of the next."""
    counters = Counters(2)
    for _ in range(2):
        for client in range(3):
            counters.count(1, "bl", client, BLOCK)
        batch = counters.take()
        assert batch.nameless == 1
        assert {one.subject for one in batch.clients} == {(4, 0), (4, 1), None}


def test_a_batch_stays_as_it_was() -> None:
    """Counting goes on into the same log, and what was handed over does not change."""
    counters = Counters()
    log = counters.log
    for expected in (1, 2):
        for _ in range(expected):
            log.append(mark_of(1, "bl", BLOCK) + 5)
        batch = counters.take()
        log.append(mark_of(1, "bl", BLOCK) + 5)
        assert [(one.subject, one.count) for one in batch.clients] == [((4, 5), expected)]
        counters.take()


@given(EVENTS, st.integers(0, 6))
def test_summing_up_between_changes_nothing(events: list[Event], limit: int) -> None:
    """A log that was summed up at any moment gives the same counts."""
    once, often = Counters(limit), Counters(limit)
    for event in events:
        for counters in (once, often):
            count(counters, [event])
        often._fold()
    assert often.take() == once.take()


def test_a_long_log_is_summed_up() -> None:
    """So the memory is bounded between two batches, however long that takes."""
    counters = Counters()
    for number in range(3 * LOG):
        counters.count(1, "bl", number % 10, BLOCK)
        counters.fold()
        assert len(counters.log) < LOG
    assert sum(one.count for one in counters.take().clients) == 3 * LOG


@given(st.lists(EVENTS, max_size=3), st.integers(0, 8))
def test_a_batch_is_what_its_clients_say(rounds: list[list[Event]], limit: int) -> None:
    """Another engine that counts in its own way hands over the same."""
    for events in rounds:
        counters = Counters(limit)
        count(counters, events)
        batch = counters.take()
        made = CountBatch.of(batch.clients, batch.revoked, batch.faults, batch.lost)
        assert made == batch
        split = [
            ClientCount(c.server, c.list, c.subject, c.verdict, c.wide, 1)
            for c in batch.clients
            for _ in range(c.count)
        ]
        assert by_client(CountBatch.of(split)) == by_client(batch)


class Elsewhere:
    """Counts of another engine, and how often they were read."""

    def __init__(self, counts: dict[Key, int]) -> None:
        self.counts = counts
        self.reads = 0

    def __len__(self) -> int:
        return len(self.counts)

    def read(self) -> dict[Key, int]:
        """A new table."""
        self.reads += 1
        return dict(self.counts)


@given(EVENTS, st.lists(EVENTS, max_size=3))
def test_what_is_packed_is_read_by_who_wants_it(
    own: list[Event], others: list[list[Event]]
) -> None:
    """Taking, and asking how much room it takes, reads nothing; then the sums are those of all."""
    counters, all_in_one = Counters(), Counters()
    count(counters, own)
    parts = []
    for events in others:
        other = Counters()
        count(other, events)
        parts.append(Elsewhere(dict(other.take().counts)))
        counters.include(lambda part=parts[-1]: (part, 0, 0, {}))  # type: ignore[misc]
        count(all_in_one, events)
    count(all_in_one, own)
    batch, expected = counters.take(), all_in_one.take()
    size = batch.size
    assert bool(batch) == bool(expected)
    assert not any(part.reads for part in parts)
    for _ in range(2):
        assert by_client(batch) == by_client(expected)
        assert sum(one.count for one in batch.verdicts) == len(own) + sum(map(len, others))
        assert all(part.reads == bool(part.counts) for part in parts)
    assert batch.size == size >= expected.size


def test_a_full_table_stays_small() -> None:
    """Clients take some megabytes, of IPv6 too."""
    import sys

    counters = Counters()
    for number in range(LIMIT + 1000):
        counters.count(1, "bl", client_of(6, number << 64), 0)
    batch = counters.take()
    size = sys.getsizeof(batch.counts) + sum(map(sys.getsizeof, batch.counts))
    assert size < 12 << 20
    assert batch.nameless == 1000


def test_an_empty_batch_is_false() -> None:
    """So that nothing is handed over when nothing happened."""
    assert not Counters().take()
    assert CountBatch(lost=1)
