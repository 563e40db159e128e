"""The compiled loop says what the long way says, of whatever stands in a log."""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailmum import compiled
from mailmum.postfix.log import book, bounds
from mailmum.postfix.log.reader import LogReader
from tests.postfix.log.corpus import log
from tests.postfix.log.reading import WHOLE, cut, lines, ordered
from tests.postfix.log.test_splits import Interpreted, Plain, mangled, result

FOLLOWED = replace(WHOLE, hold=5.0)
HEAD = b"Nov 25 08:00:00 mx1 postfix/smtpd[1]: "
WORDS = [
    b"Nov 25 08:00:00", b"2026-11-25T08:00:01.250000+00:00", b" mx1 ", b"postfix/smtpd[1]", b": ",
    b"connect from ", b"disconnect from ", b"lost connection after RCPT from ", b"x.example",
    b"[192.0.2.1]", b"[2001:db8::1]", b"[192.0.2.256]", b"unknown", b"4Bx1z9sVt0", b"client=",
    b"NOQUEUE", b"reject: RCPT from ", b"]: ", b"554 5.7.1 ", b"450 ", b"; from=<", b"> to=<",
    b"> proto=ESMTP", b" helo=<h>", b"blocked using rbl.example;", b"<a@x.example>: ",
    b"message-id=<1@x>", b"from=<a@x>", b">, size=1, ", b"to=<b@x>", b">, relay=", b" status=sent ",
    b" status=bounced (", b" as ", b">, ", b"removed", b"\r", b"\n", b"\0", b"\xff", b"\xc3\xa9",
    b"message repeated 2 times: [ ", b"last message repeated 2 times", b"dovecot[1]: ",
    b"postfix/qmgr[2]: ", b"postfix/postscreen[3]: ", b"{", b"<22>", b"Trusted TLS",
    b" TLS connection established from ",
]  # fmt: skip


def alike(data: bytes) -> None:
    """All ways say the same, whether a log is read or followed."""
    for how in (WHOLE, FOLLOWED):
        told = result([data], how=how)
        assert told == result([data], Interpreted, how)
        assert told == result([data], Plain, how)


def test_it_is_there_and_has_the_bounds_of_the_others() -> None:
    """Its constants are those of the modules that it stands for."""
    lines_ = compiled.load_lines()
    assert lines_ is not None
    assert lines_.BOUNDS == (
        bounds.ADDRESS,
        bounds.NAME,
        bounds.REASON,
        bounds.NOTE,
        book.NOTES,
        book.PARTS,
    )


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    changes=st.integers(0, 40),
    stamp=st.sampled_from(["bsd", "iso"]),
    hosts=st.integers(1, 2),
)
def test_a_followed_log_gives_the_same(seed: int, changes: int, stamp: str, hosts: int) -> None:
    """Where messages wait, too, and however it is cut."""
    data = mangled(log(seed, stamp=stamp, hosts=hosts), seed, changes)
    told = result([data], Plain, FOLLOWED)
    assert result([data], how=FOLLOWED) == told
    assert result(cut(data, seed, 9), how=FOLLOWED) == told


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), stamp=st.sampled_from(["bsd", "iso"]))
def test_both_hand_out_the_same_piece_by_piece(seed: int, stamp: str) -> None:
    """A dump of one goes on in the other: what is kept between two pieces is the same, too."""
    data = log(seed, stamp=stamp)
    one: LogReader = LogReader(FOLLOWED)
    two: LogReader = Plain(FOLLOWED)
    for piece in cut(data, seed, 6):
        first, second = one.feed(piece), two.feed(piece)
        assert ordered(first.sightings) == ordered(second.sightings)
        assert sorted(map(repr, first.updates)) == sorted(map(repr, second.updates))
        one, two = LogReader.load(two.dump(), FOLLOWED), Plain.load(one.dump(), FOLLOWED)
    assert ordered(one.finish().sightings) == ordered(two.finish().sightings)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(WORDS), st.binary(max_size=6)), max_size=60))
def test_lines_of_the_right_words_in_any_order(words: list[bytes]) -> None:
    """Nearly what it knows, and not quite."""
    alike(b"".join(words))
    alike(HEAD + b"connect from x.example[192.0.2.1]\n" + HEAD + b"".join(words))


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_broken_bytes_anywhere(seed: int) -> None:
    """Bytes changed, put in and taken out, line ends of both kinds."""
    random_ = random.Random(seed)
    data = bytearray(log(seed, sessions=8, stamp=random_.choice(["bsd", "iso"])))
    for _ in range(random_.randrange(1, 30)):
        at = random_.randrange(len(data))
        data[at : at + random_.randrange(3)] = random_.choice(WORDS)
    alike(bytes(data))


@pytest.mark.parametrize(
    "to",
    [
        'to=<"a, status=bounced b"@here.example>, relay=x, dsn=2.0.0, status=sent (ok)',
        'to=<"a>, b"@here.example>, relay=x, dsn=2.0.0, status=sent (ok)',
        'to=<"a>, relay=b"@here.example>, relay=x, dsn=2.0.0, status=deferred (no)',
        "to=<abcdsent x@here.example>, relay=x",
        "to=<a@here.example>, orig_to=<b@here.example>, relay=x, status=sent (ok)",
        "to=<a@here.example>, relay=x, status=sent (250 2.0.0 Ok: queued as 4Bx1)",
        f"to=<{400 * 'a'}@here.example>, relay=x, status=sent (ok)",
        f"to=<{1100 * 'a'}@here.example>, relay=x, status=sent (ok)",
    ],
)
def test_recipients_that_look_like_more(to: str) -> None:
    """Quotes allow anything in an address."""
    alike(
        lines(
            "smtpd[1]: connect from x.example[192.0.2.1]",
            "smtpd[1]: 4Bx1z9sVt0: client=x.example[192.0.2.1]",
            "cleanup[2]: 4Bx1z9sVt0: message-id=<1@x.example>",
            "qmgr[3]: 4Bx1z9sVt0: from=<s@x.example>, size=12, nrcpt=1 (queue active)",
            f"lmtp[4]: 4Bx1z9sVt0: {to}",
            "qmgr[3]: 4Bx1z9sVt0: removed",
        ).encode()
    )


def test_two_recipients_and_no_message_id() -> None:
    """As many lines as usual, and another kind of line among them."""
    alike(
        lines(
            "smtpd[1]: 4Bx1z9sVt0: client=x.example[192.0.2.1]",
            "lmtp[4]: 4Bx1z9sVt0: to=<a@here.example>, relay=x, status=sent (ok)",
            "qmgr[3]: 4Bx1z9sVt0: from=<s@x.example>, size=12, nrcpt=2 (queue active)",
            "lmtp[4]: 4Bx1z9sVt0: to=<b@here.example>, relay=x, status=bounced (no)",
            "qmgr[3]: 4Bx1z9sVt0: removed",
        ).encode()
    )


def test_a_queue_id_that_looks_like_a_note() -> None:
    """Of a damaged line; the session ends as one that brought no message."""
    data = lines(
        "smtpd[1]: connect from y.example[192.0.2.2]",
        "smtpd[4]: to=<b@x>9sVt0: client=x.example[192.0.2.1]",
        "smtpd[4]: disconnect from x.example[192.0.2.1] ehlo=1 quit=1 commands=2",
    ).encode()
    alike(data)
    assert {one.client for one in result([data])[0]} == {"192.0.2.1", "192.0.2.2"}


def test_a_stamp_that_holds_the_mark_between_words() -> None:
    """A line whose stamp is none."""
    alike(HEAD + b"connect from x[192.0.2.1]\n" + b"a: connect from mx1 postfix/smtpd[1]\n" * 2)


def test_syslog_says_that_a_line_came_again() -> None:
    """Also when that is the first line of a piece."""
    again = b"Nov 25 08:00:01 mx1 last message repeated 3 times\n"
    data = HEAD + b"NOQUEUE: reject: RCPT from x[192.0.2.1]: 554 5.7.1 no; from=<a@x> to=<b@x> "
    data += b"proto=ESMTP helo=<h>\n" + again + b"\n" + again
    alike(data)
    assert len(result([data])[0]) == 4
    at = data.index(again)
    assert result([data[:at], data[at:]]) == result([data])
