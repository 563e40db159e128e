"""A line on which the reader itself fails is skipped, and no line beside it."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailmum.postfix.log.careful import read_carefully
from mailmum.postfix.log.reader import LogReader, Settings, skips_of
from mailmum.postfix.log.router import Router
from tests.postfix.log.corpus import log
from tests.postfix.log.faulty import POISON, faulty
from tests.postfix.log.reading import NOW, WHOLE, cut, ordered
from tests.postfix.log.test_splits import result

FOLLOWED = replace(WHOLE, hold=5.0)


def read(pieces: list[bytes], how: Settings) -> tuple[LogReader, list[object], list[bytes]]:
    """What comes out of pieces with lines in them that cannot be read, and these lines."""
    reader, state = LogReader(how), None
    sightings: list[object] = []
    skipped: list[bytes] = []
    for piece in pieces:
        some = read_carefully(reader, state, piece, NOW)
        reader = some.reader
        state = reader.dump()
        sightings += some.found.sightings
        skipped += [one.line for one in some.skipped]
        assert not some.emptied
    return reader, [*sightings, *reader.finish().sightings], skipped


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    at=st.lists(st.integers(0, 10**6), min_size=1, max_size=2, unique=True),
    pieces=st.integers(0, 4),
    hold=st.booleans(),
)
def test_every_other_line_is_read(seed: int, at: list[int], pieces: int, hold: bool) -> None:
    """Sightings are those of the log without the lines; the lines count as not understood."""
    how = FOLLOWED if hold else WHOLE
    lines = log(seed, sessions=15).splitlines(keepends=True)
    # What syslog says of the line before would be said of another one.
    bad = [line for line in lines if b"message repeated" not in line]
    for place in at:
        bad.insert(place % len(bad), POISON)
    good = [one for one in bad if one != POISON]
    with faulty():
        reader, sightings, skipped = read(cut(b"".join(bad), seed, pieces), how)
    told = result([b"".join(good)], how=how)
    assert ordered(sightings) == told[0]  # type: ignore[arg-type]
    assert (reader.lines, reader.foreign, reader.unrecognised) == (
        told[2][0] + len(at),
        told[2][1],
        told[2][2] + len(at),
    )
    assert reader.skipped == skips_of(reader.dump()) == (len(at), NOW)
    assert len(skipped) == len(at)
    assert all(POISON.endswith(one) for one in skipped)


def test_a_reader_that_always_fails_begins_with_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is what it holds that is wrong: three lines are lost, and no more."""
    reader = LogReader(WHOLE)
    reader.feed(b"Nov 25 08:00:00 mx1 postfix/smtpd[1]: connect from poison[192.0.2.1]\n")
    state = reader.dump()
    real = Router.said

    def said(self: Router, *line: object) -> bool | None:
        if any("poison" in str(opened) for opened in self._book.sessions.values()):
            raise KeyError("what it holds")
        return real(self, *line)  # type: ignore[arg-type]

    monkeypatch.setattr(Router, "said", said)
    line = "Nov 25 08:00:01 mx1 postfix/smtpd[{}]: warning: unknown[192.0.2.{}]: SASL X: no\n"
    piece = "".join(line.format(number, number) for number in range(2, 10)).encode()
    some = read_carefully(reader, state, piece, NOW)
    assert len(some.skipped) == 3
    assert some.emptied == 1
    assert (some.reader.lines, some.reader.skipped.lines) == (9, 3)
    again = read_carefully(some.reader, some.reader.dump(), piece, NOW)
    assert (again.skipped, again.reader.lines) == ([], 17)


def test_what_is_not_the_readers_fault_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without memory is no reason to skip a line."""

    def said(self: Router, *line: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Router, "said", said)
    with pytest.raises(MemoryError):
        read_carefully(LogReader(WHOLE), None, POISON, NOW)
