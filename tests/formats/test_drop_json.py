"""Spamhaus' DROP lists as JSON, in the form in which they are published."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmum.domain.listings import Action
from mailmum.formats.drop_json import read_drop
from mailmum.formats.entries import BadLine, Entry, ReadOptions
from mailmum.formats.feeds import detect_feed

META = '{"type":"metadata","timestamp":1700000000,"size":99,"records":%d,"copyright":"(c)"}\n'
WHOLE = (
    '{"cidr":"192.0.2.0/24","sblid":"SBL1","rir":"apnic"}\n'
    '{"cidr":"2001:db8::/32","sblid":"SBL2","rir":"ripencc"}\n' + META % 2
).encode()


def read(data: bytes, size: int = 65536) -> list[object]:
    """All that the reader gives, fed in pieces."""
    pieces = (data[at : at + size] for at in range(0, len(data), size))
    return list(read_drop(pieces, ReadOptions()))


def test_networks_are_read_and_the_last_line_is_not_one() -> None:
    """Byte by byte, too."""
    found = read(WHOLE)
    assert [(one.target.text, one.action) for one in found if isinstance(one, Entry)] == [
        ("192.0.2.0/24", Action.BLOCK),
        ("2001:db8::/32", Action.BLOCK),
    ]
    assert read(WHOLE, 1) == found
    assert detect_feed(WHOLE) == "drop-json"


def test_a_list_that_was_cut_off_is_told() -> None:
    """By the missing last line, or by its number of records."""
    lines = WHOLE.splitlines(keepends=True)
    for cut in (lines[0] + lines[1], lines[0] + lines[2]):
        assert [one.cut for one in read(cut) if isinstance(one, BadLine)] == [True]


@pytest.mark.parametrize("told", ["2", '"2"', '" 2 "', '"002"'])
def test_the_number_of_records_may_be_text(told: str) -> None:
    """As programs write it that pass a list on."""
    data = WHOLE.replace(b'"records":2', f'"records":{told}'.encode())
    assert read(data) == read(WHOLE)


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ('"3"', "2 networks stand in it, and 3 are announced"),
        ('"9' + 5000 * "9" + '"', "are announced"),
        ("null", "says null where its number stands"),
        ("true", "says true where its number stands"),
        ("2.0", "says 2.0 where its number stands"),
        ('"two"', "where its number stands"),
        ("[2]", "where its number stands"),
    ],
)
def test_what_tells_no_number_of_records(told: str, says: str) -> None:
    """It is said what stands there, and the list is not taken for a whole one."""
    data = WHOLE.replace(b'"records":2', f'"records":{told}'.encode())
    [cut] = [one for one in read(data) if isinstance(one, BadLine)]
    assert (cut.cut, says in cut.problem) == (True, True)


def test_a_list_that_does_not_say_how_many() -> None:
    """There is no telling whether it is whole."""
    [cut] = [
        one for one in read(WHOLE.replace(b'"records"', b'"count"')) if isinstance(one, BadLine)
    ]
    assert "does not say how many networks it has" in cut.problem


def test_other_objects_are_bad_lines() -> None:
    """A list of AS numbers names no network."""
    bad = read(b'{"asn":64496}\n[]\n{"cidr":7}\n{"cidr":"300.0.0.0/8"}\n' + (META % 3).encode())
    assert [type(one) for one in bad] == [BadLine] * 4


def test_a_broken_object_does_not_make_a_whole_list_a_cut_one() -> None:
    """It is one of the records that are announced."""
    broken = b'{"cidr":"198.51.100.0/24",}\n{"cidr":"192.0.2.0/24"}\n' + (META % 2).encode()
    assert [one.cut for one in read(broken) if isinstance(one, BadLine)] == [False]


@given(st.binary(max_size=200))
def test_any_bytes_are_read(data: bytes) -> None:
    """Never an error, and an entry only where one stands."""
    assert all(isinstance(one, Entry | BadLine) for one in read(data))
