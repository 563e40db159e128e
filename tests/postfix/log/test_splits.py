"""However a log is cut, and whichever way a line is read, the same comes out."""

import random
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailmum.postfix.log.reader import LogReader, Settings
from mailmum.traffic.sightings import Sighting, Update
from tests.postfix.log.corpus import log
from tests.postfix.log.reading import WHOLE, cut, feed, ordered

Result = tuple[list[Sighting], list[Update], tuple[int, int, int], list[str]]


class Interpreted(LogReader):
    """A reader without the compiled loop."""

    def _compiled_loop(self) -> None:
        return None


class Plain(Interpreted):
    """A reader without the quick lane, too."""

    def _quick(self, lines: list[str]) -> None:
        for line in lines:
            self._line(line)
            self._lane.previous = line


def result(
    pieces: Iterable[bytes], kind: type[LogReader] = LogReader, how: Settings = WHOLE
) -> Result:
    """All that a reader says of a log."""
    reader = kind(how)
    sightings, updates = feed(reader, pieces)
    counts = (reader.lines, reader.foreign, reader.unrecognised)
    return ordered(sightings), sorted(updates, key=repr), counts, sorted(reader.samples)


def mangled(data: bytes, seed: int, changes: int) -> bytes:
    """The log with lines lost, swapped, cut short, and bytes changed."""
    random_ = random.Random(seed)
    lines = data.splitlines(keepends=True)
    for _ in range(changes):
        at = random_.randrange(len(lines))
        line = lines[at]
        where = random_.randrange(len(line) + 1)
        kind = random_.randrange(6)
        if kind == 0:
            lines[at] = line[:where]
        elif kind == 1:
            lines[at] = line[:where] + bytes([random_.randrange(256)]) + line[where + 1 :]
        elif kind == 2:
            other = random_.randrange(len(lines))
            lines[at], lines[other] = lines[other], lines[at]
        elif kind == 3:
            lines[at] = b""
        elif kind == 4:
            lines[at] = line + line
        else:
            other_line = lines[random_.randrange(len(lines))]
            lines[at] = line[:where] + other_line[where:]
    return b"".join(lines)


@pytest.mark.parametrize("stamp", ["bsd", "iso"])
def test_the_made_log_tells_something(stamp: str) -> None:
    """Every outcome is in it, so that the comparisons mean something."""
    sightings, updates, (lines, foreign, unrecognised), samples = result(
        [log(seed, stamp=stamp) for seed in range(20)]
    )
    assert {one.outcome.value for one in sightings} == {
        "accepted",
        "rejected",
        "deferred",
        "relay-denied",
        "unknown-recipient",
        "auth-failed",
        "protocol",
        "lost",
        "connected",
        "warned",
    }
    assert {one.delivery for one in sightings} >= {"sent", "deferred", "bounced", None}
    assert lines > 3000
    assert unrecognised == len([one for one in samples if "nobody knows" in one])
    assert foreign
    assert len(updates) < len(sightings)


def test_a_queue_id_that_is_used_again_ends_the_message_of_another() -> None:
    """A client is told once, by the message that it began itself, whichever way lines are read."""
    heads = (f"2026-11-25T08:00:0{second}.000000+00:00 mx1 postfix/" for second in range(1, 9))
    lines = [
        "smtpd[3]: connect from mail7.example[203.0.113.14]",
        "smtpd[7]: 8F1D04: client=unknown[203.0.113.2]",
        "qmgr[6]: 8F1D04: from=<>, size=9, nrcpt=1 (queue active)",
        "submission/smtpd[2]: 8F1D04: client=mail5.example[203.0.113.5]",
        "smtpd[7]: disconnect from unknown[203.0.113.2] ehlo=1 quit=1 commands=2",
    ]
    data = "".join(f"{head}{line}\n" for head, line in zip(heads, lines, strict=False)).encode()
    plain = result([data], Plain)
    assert sorted(one.client or "" for one in plain[0]) == [
        "203.0.113.14",
        "203.0.113.2",
        "203.0.113.5",
    ]
    assert result([data]) == plain
    assert result([data], Interpreted) == plain


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    changes=st.integers(0, 40),
    pieces=st.integers(0, 30),
    stamp=st.sampled_from(["bsd", "iso"]),
    hosts=st.integers(1, 2),
)
def test_any_split_and_either_way_give_the_same(
    seed: int, changes: int, pieces: int, stamp: str, hosts: int
) -> None:
    """Cut anywhere; with the quick lane and without."""
    data = mangled(log(seed, stamp=stamp, hosts=hosts), seed, changes)
    whole = result([data])
    assert result(cut(data, seed, pieces)) == whole
    assert result([data], Interpreted) == whole
    assert result([data], Plain) == whole


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), changes=st.integers(0, 20), pieces=st.integers(1, 8))
def test_a_dump_goes_on_where_it_was(seed: int, changes: int, pieces: int) -> None:
    """Dumped and loaded between any two bytes."""
    data = mangled(log(seed), seed, changes)
    reader = LogReader(WHOLE)
    sightings: list[Sighting] = []
    updates: list[Update] = []
    for piece in cut(data, seed, pieces):
        found = reader.feed(piece)
        sightings += found.sightings
        updates += found.updates
        reader = LogReader.load(reader.dump(), WHOLE)
    found = reader.finish()
    counts = (reader.lines, reader.foreign, reader.unrecognised)
    assert (
        ordered(sightings + found.sightings),
        sorted(updates + found.updates, key=repr),
        counts,
        sorted(reader.samples),
    ) == result([data])


@settings(max_examples=100, deadline=None)
@given(data=st.binary(max_size=2000), pieces=st.integers(0, 5))
def test_any_bytes_are_read(data: bytes, pieces: int) -> None:
    """Nothing raises, and no line is lost."""
    read = result([data])
    assert result(cut(data, 1, pieces)) == read
    assert result([data], Interpreted) == read
    assert result([data], Plain) == read
    assert read[2][0] == data.count(b"\n") + (not data.endswith(b"\n") and data != b"")


@pytest.mark.parametrize("damage", ["cut", "flip", "version", "other"])
def test_a_damaged_dump_is_refused(damage: str) -> None:
    """With what to do."""
    reader = LogReader(WHOLE)
    reader.feed(log(1))
    data = reader.dump()
    wrong = {
        "cut": data[:-1],
        "flip": data[:-5] + bytes([data[-5] ^ 1]) + data[-4:],
        "version": data.replace(b" 1 ", b" 999 ", 1),
        "other": b"whatever",
    }[damage]
    with pytest.raises(ValueError, match="begin to read the log anew"):
        LogReader.load(wrong, WHOLE)
