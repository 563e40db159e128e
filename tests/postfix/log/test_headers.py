"""Headers: every format says the same, and times are what they were."""

import json
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmum.postfix.log.bounds import LINE
from mailmum.postfix.log.clock import Clock, stamp_of
from mailmum.postfix.log.headers import entry
from mailmum.postfix.log.reader import LogReader, Settings
from tests.postfix.log.reading import NOW, WHOLE, feed, read

_TEXT = "connect from unknown[192.0.2.1]"
_JOURNAL = {
    "__REALTIME_TIMESTAMP": "1795593600250000",
    "_HOSTNAME": "mx1",
    "SYSLOG_IDENTIFIER": "postfix/smtpd",
    "_PID": "12",
    "MESSAGE": _TEXT,
}
_FORMATS = [
    f"Nov 25 08:00:00.250 mx1 postfix/smtpd[12]: {_TEXT}",
    f"<22>Nov 25 08:00:00.250 mx1 postfix/smtpd[12]: {_TEXT}",
    f"Nov 25 08:00:00.250 mx1 postfix/smtpd[12]: [ID 197553 mail.info] {_TEXT}",
    f"2026-11-25T08:00:00.250000+00:00 mx1 postfix/smtpd[12]: {_TEXT}",
    f"2026-11-25T09:00:00.25+0100 mx1 postfix/smtpd[12]: {_TEXT}",
    f"2026-11-25T08:00:00.250Z mx1 postfix/smtpd[12]: {_TEXT}",
    f"<22>1 2026-11-25T08:00:00.25Z mx1 postfix/smtpd 12 - - {_TEXT}",
    f'<22>1 2026-11-25T08:00:00.25Z mx1 postfix/smtpd 12 x [a@1 b="]\\"c"][d@2] \ufeff{_TEXT}',
    json.dumps(_JOURNAL),
    json.dumps({**_JOURNAL, "MESSAGE": list(_TEXT.encode())}),
]


@pytest.mark.parametrize("line", _FORMATS)
def test_every_format_says_the_same(line: str) -> None:
    """Host, service, time and what was said."""
    (seen,) = read(line)
    assert (seen.host, seen.service, seen.client) == ("mx1", "smtpd", "192.0.2.1")
    assert seen.time == 1795593600.25


def test_formats_may_change_within_a_log() -> None:
    """A session begun in one is ended in another, when the tag is the same."""
    end = (
        "Nov 25 08:00:09 mx1 postfix/smtpd[12]: lost connection after EHLO from unknown[192.0.2.1]"
    )
    for line in _FORMATS:
        (seen,) = read(f"{line}\n{end}\n")
        assert seen.outcome == "lost"


@pytest.mark.parametrize(
    "line",
    [
        "",
        "Nov 25 08:00:00",
        "Nov 25 08:00:00 mx1 kernel: hello",
        "-- Journal begins at Mon 2026-11-23 --",
        "{}",
        "{",
        '{"MESSAGE": 1}',
        '{"__REALTIME_TIMESTAMP": "99999999999999999999", "SYSLOG_IDENTIFIER": "postfix/smtpd"}',
        "<22>1 - - - - - -",
        '<22>1 2026-11-25T08:00:00Z mx1 postfix/smtpd 12 - [a b="c',
        "[" * 5000,
        "{" * 5000,
    ],
)
def test_other_lines_are_foreign(line: str) -> None:
    """And harmless."""
    reader = LogReader(WHOLE)
    assert feed(reader, [line.encode() + b"\n"]) == ([], [])
    assert (reader.lines, reader.foreign, reader.unrecognised) == (1, 1, 0)


@given(st.text())
def test_any_text_has_a_header_or_none(line: str) -> None:
    """No line raises."""
    found = entry(line)
    assert found is None or found.host


# --- the year ------------------------------------------------------------------------------


def at(stamp: str, now: datetime, zone: tzinfo = UTC) -> datetime | None:
    """What a BSD stamp means, read at a time."""
    found = Clock(now.timestamp(), zone).read(stamp)
    return None if found is None else datetime.fromtimestamp(found, UTC)


@pytest.mark.parametrize(
    ("stamp", "now", "year"),
    [
        ("Dec 31 23:59:59", datetime(2026, 1, 1, 0, 0, 5, tzinfo=UTC), 2025),
        ("Jan  1 00:00:01", datetime(2026, 1, 1, 0, 0, 5, tzinfo=UTC), 2026),
        ("Jan  1 00:00:01", datetime(2025, 12, 31, 23, 59, 58, tzinfo=UTC), 2026),
        ("Jan  3 00:00:01", datetime(2025, 12, 31, 23, 59, 58, tzinfo=UTC), 2025),
        ("Nov 26 08:00:00", datetime(2026, 11, 25, 9, 0, tzinfo=UTC), 2026),
        ("Nov 27 08:00:00", datetime(2026, 11, 25, 9, 0, tzinfo=UTC), 2025),
        ("Feb 29 08:00:00", datetime(2026, 11, 25, 9, 0, tzinfo=UTC), 2024),
        ("Feb 29 08:00:00", datetime(2103, 11, 25, 9, 0, tzinfo=UTC), 2096),
    ],
)
def test_the_year_is_the_latest_that_can_be(stamp: str, now: datetime, year: int) -> None:
    """Each line by itself: across New Year, out of order, leap days."""
    found = at(stamp, now)
    assert found is not None
    assert found.year == year


@pytest.mark.parametrize(
    "stamp", ["Feb 30 08:00:00", "Foo 12 08:00:00", "Nov 25 25:00:00", "x" * 15]
)
def test_what_is_no_time(stamp: str) -> None:
    """Is none."""
    assert at(stamp, datetime(2026, 11, 25, tzinfo=UTC)) is None


def test_a_zone_with_summer_time() -> None:
    """BSD stamps are local."""
    zone = ZoneInfo("Europe/Berlin")
    now = datetime(2026, 11, 25, tzinfo=UTC)
    assert at("Jul  1 12:00:00", now, zone) == datetime(2026, 7, 1, 10, tzinfo=UTC)
    assert at("Nov  1 12:00:00", now, zone) == datetime(2026, 11, 1, 11, tzinfo=UTC)


def test_years_go_by_while_a_log_is_followed() -> None:
    """The time of reading is told by tick."""
    begin = datetime(2026, 12, 30, tzinfo=UTC).timestamp()
    reader = LogReader(Settings(begin, UTC, 5.0))
    reader.tick(begin + 5 * 86400)
    sightings, _ = feed(reader, [f"Jan  3 10:00:00 mx1 postfix/smtpd[1]: {_TEXT}\n".encode()])
    assert datetime.fromtimestamp(sightings[0].time, UTC).year == 2027


@given(
    st.datetimes(datetime(1980, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.integers(-14 * 60, 14 * 60),
)
def test_stamps_are_read_as_they_are_written(moment: datetime, minutes: int) -> None:
    """RFC 3339, in any zone; datetime is the oracle."""
    local = moment.astimezone(timezone(timedelta(minutes=minutes)))
    clock = Clock(NOW, UTC)
    for _ in range(2):  # the second time from what is kept
        assert clock.read(local.isoformat(timespec="microseconds")) == pytest.approx(
            moment.timestamp(), abs=1e-5
        )
    assert clock.read(stamp_of(moment.timestamp())) == pytest.approx(moment.timestamp(), abs=1e-5)


# --- long lines ----------------------------------------------------------------------------


@pytest.mark.parametrize("filler", ["x", "[", "; from=<", "> to=<", "a.", " ", "((", ": "])
def test_a_very_long_line_is_one_line(filler: str) -> None:
    """Its beginning counts, the rest is passed over, and what follows is read."""
    length = 4 * LINE // len(filler)
    long = "Nov 25 08:00:00 mx1 postfix/smtpd[9]: NOQUEUE: reject: RCPT from a[192.0.2.1]: 554 "
    data = f"{long}{filler * length}\nNov 25 08:00:00 mx1 postfix/smtpd[1]: {_TEXT}\n".encode()
    for pieces in ([data], [data[i : i + 70_000] for i in range(0, len(data), 70_000)]):
        reader = LogReader(WHOLE)
        sightings, _ = feed(reader, pieces)
        assert reader.lines == 2
        assert {str(one.client) for one in sightings} >= {"192.0.2.1"}
        assert all(len(str(field)) <= 500 for one in sightings for field in one)
