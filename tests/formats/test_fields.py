"""Fields by name: times above all."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmum.domain.errors import BadInput
from mailmum.formats.fields import parse_time, time_text


@pytest.fixture
def far_east(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose own time is nine hours ahead."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("far_east")
@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2030-01-31", 1896048000),
        ("2030-01-31 12:00", 1896091200),
        ("2030-01-31T12:00:00Z", 1896091200),
        ("2030-01-31T14:00:00+02:00", 1896091200),
        ("2030-01-31T12:00:00.999999", 1896091200),
        (" 1896091200 ", 1896091200),
        ("9999-12-31T23:59:59Z", 253402300799),
        ("", None),
        ("  ", None),
    ],
)
def test_times_mean_the_same_everywhere(text: str, seconds: int | None) -> None:
    """A time without a zone is UTC, whatever the zone of the machine."""
    assert parse_time(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "tomorrow",
        "31.01.2030",
        "20300131",
        "2030-13-01",
        "1969-12-31",
        "1970-01-01T00:00:00Z",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        "1896091200000",
        "-1896091200",
        "1e9",
    ],
)
def test_other_times_are_refused(text: str) -> None:
    """What could be read in two ways, and what no computer keeps."""
    with pytest.raises(BadInput, match="is no time"):
        parse_time(text)


@given(st.integers(1, 253402300799))
def test_times_come_back(seconds: int) -> None:
    """Written in UTC, and read again."""
    text = time_text(seconds)
    assert text.endswith("Z")
    assert parse_time(text) == seconds
    assert datetime.fromisoformat(text) == datetime.fromtimestamp(seconds, UTC)
