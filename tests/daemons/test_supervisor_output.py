"""What children print: lines stay whole, memory bounded, and nobody waits for the log's reader."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from mailmum.daemons.supervisor_output import LONGEST_LINE, Lines, Relay


@given(st.lists(st.binary(max_size=40)))
def test_lines_do_not_depend_on_how_the_bytes_arrive(chunks: list[bytes]) -> None:
    """Whole or in pieces: the same lines, and every byte once."""
    data = b"".join(chunks)
    pieces, whole = Lines(), Lines()
    split = [line for chunk in chunks for line in pieces.feed(chunk)] + pieces.finish()
    assert split == whole.feed(data) + whole.finish()
    assert b"".join(split) == data + (b"\n" if data and not data.endswith(b"\n") else b"")
    assert all(line.count(b"\n") == 1 and line.endswith(b"\n") for line in split)


def test_endless_lines_are_cut() -> None:
    """A child that never ends its line takes bounded memory and still gets through."""
    lines = Lines()
    out = [line for _ in range(100) for line in lines.feed(b"x" * 5000)] + lines.finish()
    assert max(map(len, out)) <= LONGEST_LINE
    assert sum(len(line) - 1 for line in out) == 500_000


def test_last_words_prefer_the_own_message() -> None:
    """A message with cause and fix says more than the line after it."""
    lines = Lines()
    lines.feed(b"Traceback\n")
    assert lines.last_words() == "Traceback"
    lines.feed(b"mailmum: port 53 is taken; choose another\n\nbye\n  \n")
    assert lines.last_words() == "mailmum: port 53 is taken; choose another"


def test_last_words_survive_bytes_that_are_no_text() -> None:
    """Bytes that are not UTF-8 are shown escaped; silence is empty."""
    lines = Lines()
    assert lines.last_words() == ""
    lines.feed(b"bad \xff byte\n")
    assert lines.last_words() == "bad \\xff byte"


def test_the_relay_writes_all_lines_in_order(tmp_path: Path) -> None:
    """What was passed on before closing is in the file."""
    path = tmp_path / "log"
    lines = [b"line %d\n" % number for number in range(5000)]
    with path.open("wb") as file:
        relay = Relay(file.fileno())
        for line in lines:
            relay.pass_on([line])
        relay.close()
    assert path.read_bytes() == b"".join(lines)


def test_a_stuck_reader_stops_nobody_and_is_told_what_it_missed() -> None:
    """Passing on to a full pipe returns; later the number of lost lines stands there."""
    reader, writer = os.pipe()
    relay = Relay(writer)
    relay.start()
    lines = [b"x" * 99 + b"\n"] * 40_000
    relay.pass_on(lines)
    got = bytearray()
    drain = threading.Thread(target=_read_until, args=(reader, got, b"the end\n"), daemon=True)
    drain.start()
    _wait(relay._queue.empty)
    relay.pass_on([b"the end\n"])
    relay.close()
    drain.join(5)
    os.close(writer)
    os.close(reader)
    words = [line for line in got.split(b"\n") if b"were dropped here" in line]
    lost = sum(int(line.removeprefix(b"mailmum: ").split()[0]) for line in words)
    assert lost > 0
    assert got.count(b"x" * 99) + lost == len(lines)


def test_closing_does_not_wait_for_a_stuck_reader() -> None:
    """With nobody reading, the supervisor still ends after its patience."""
    reader, writer = os.pipe()
    relay = Relay(writer)
    relay.start()
    relay.pass_on([b"x" * 99 + b"\n"] * 20_000)
    relay.close(timeout=0.1)
    os.close(reader)
    _wait(relay._queue.empty)
    os.close(writer)


def _wait(until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not until():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _read_until(descriptor: int, into: bytearray, mark: bytes) -> None:
    while mark not in into and (chunk := os.read(descriptor, 65536)):
        into += chunk


def test_a_reader_that_has_gone_is_no_failure() -> None:
    """A closed pipe swallows the log; the relay goes on emptying its queue."""
    reader, writer = os.pipe()
    os.close(reader)
    relay = Relay(writer)
    relay.start()
    relay.pass_on([b"line\n"] * 20_000)
    relay.close()
    assert not relay._thread.is_alive()
    os.close(writer)
