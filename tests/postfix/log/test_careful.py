"""A line on which the reader itself fails is skipped, and no line beside it."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailmum.postfix.log import careful
from mailmum.postfix.log.careful import Whole, read_carefully, tick_carefully
from mailmum.postfix.log.messages import Messages
from mailmum.postfix.log.reader import LogReader, Settings, skips_of
from mailmum.postfix.log.router import Router
from mailmum.postfix.log.sessions import Sessions
from tests.postfix.log.corpus import log
from tests.postfix.log.faulty import POISON, faulty
from tests.postfix.log.reading import NOW, WHOLE, cut, lines, ordered
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


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    at=st.lists(st.integers(0, 10**6), max_size=3, unique=True),
    pieces=st.integers(0, 9),
    taken_down=st.sampled_from([1, 2000, 1 << 24]),
)
def test_a_whole_log_is_read_around_what_fails(
    seed: int, at: list[int], pieces: int, taken_down: int
) -> None:
    """However long ago its state was taken down."""
    bad = [
        one for one in log(seed, sessions=15).splitlines(keepends=True) if b"repeated" not in one
    ]
    good = b"".join(bad)
    for place in at:
        bad.insert(place % len(bad), POISON)
    whole, sightings, skipped = Whole(LogReader(WHOLE), NOW), [], 0
    with faulty(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(careful, "TAKEN_DOWN", taken_down)
        for piece in cut(b"".join(bad), seed, pieces):
            some = whole.feed(piece)
            sightings += some.found.sightings
            skipped += len(some.skipped)
        sightings += whole.finish().found.sightings
    assert ordered(sightings) == result([good])[0]
    assert skipped == whole.reader.skipped.lines == len(at)


OPEN = lines(
    "smtpd[1]: connect from one.example[192.0.2.1]",
    "smtpd[2]: connect from poison.example[192.0.2.2]",
    "smtpd[3]: connect from three.example[192.0.2.3]",
    *(
        line
        for number in (4, 5, 6)
        for line in (
            f"smtpd[{number}]: connect from {number}.example[192.0.2.{number}]",
            f"smtpd[{number}]: 8F1D0{number}: client={number}.example[192.0.2.{number}]",
            f"qmgr[9]: 8F1D0{number}: from=<a@sender.example>, size=9, nrcpt=1 (queue active)",
            f"smtpd[{number}]: disconnect from {number}.example[192.0.2.{number}]",
        )
    ),
).encode()


@pytest.fixture
def poisoned(monkeypatch: pytest.MonkeyPatch) -> None:
    """A session and a message cannot be handed out when their time comes."""
    end, give = Sessions.end, Messages.give

    def ends(self: Sessions, key: str, opened: object, who: str = "") -> None:
        if "poison" in str(opened):
            raise IndexError("a fault")
        end(self, key, opened, who)  # type: ignore[arg-type]

    def gives(self: Messages, host: object, message: list[str]) -> None:
        if message[3] == "8F1D05":
            raise KeyError("a fault")
        give(self, host, message)  # type: ignore[arg-type]

    monkeypatch.setattr(Sessions, "end", ends)
    monkeypatch.setattr(Messages, "give", gives)


@pytest.mark.usefixtures("poisoned")
def test_what_is_held_and_fails_is_left_out_at_the_end() -> None:
    """One session and one message; all others are handed out, and the reader can be used."""
    whole = Whole(LogReader(WHOLE), NOW)
    assert whole.feed(OPEN).found == ([], [])
    some = whole.finish()
    assert sorted(str(one.client) for one in some.found.sightings) == [
        "192.0.2.1", "192.0.2.3", "192.0.2.4", "192.0.2.6",
    ]  # fmt: skip
    assert [type(one.fault) for one in some.skipped] == [IndexError, KeyError]
    assert whole.reader.skipped == (2, NOW)


@pytest.mark.usefixtures("poisoned")
def test_what_is_held_and_fails_is_left_out_at_a_tick() -> None:
    """So that it is not tried again for ever; the next tick meets nothing."""
    reader = LogReader(replace(WHOLE, hold=600))
    reader.feed(OPEN)
    later = NOW + 3 * 86_400
    some = tick_carefully(reader, reader.dump(), later, NOW)
    assert len(some.found.sightings) == 4
    assert (len(some.skipped), some.emptied, some.reader.skipped.lines) == (2, 0, 2)
    again = tick_carefully(some.reader, some.reader.dump(), later + 10, NOW)
    assert (again.found, again.skipped) == (([], []), [])


@pytest.mark.usefixtures("poisoned")
def test_a_line_is_not_to_blame_for_what_is_held() -> None:
    """Lines go on to be read while something else fails behind them."""
    reader = LogReader(replace(WHOLE, hold=600))
    reader.feed(OPEN)
    line = b"Nov 26 08:30:00 mx1 postfix/smtpd[7]: connect from seven.example[192.0.2.7]\n"
    some = read_carefully(reader, reader.dump(), line, NOW)
    assert (len(some.found.sightings), len(some.skipped), some.reader.unrecognised) == (4, 2, 0)
    assert some.reader.finish().sightings[0].client == "192.0.2.7"


@pytest.mark.parametrize("end", ["\n", ""])
def test_a_last_line_without_an_end_may_fail_too(end: str) -> None:
    """It is the end that reads it."""
    whole = Whole(LogReader(WHOLE), NOW)
    with faulty():
        read = whole.feed(OPEN + POISON[:-1] + end.encode())
        done = whole.finish()
    assert len(done.found.sightings) == 6
    assert len(read.skipped + done.skipped) == whole.reader.skipped.lines == 1
