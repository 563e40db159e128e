"""Moments as people write them."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmum.domain.errors import BadInput
from mailmum.domain.moments import parse_moment

NOW = 1_790_000_000.0


@given(st.datetimes(timezones=st.timezones()))
def test_a_moment_with_its_zone(moment: datetime) -> None:
    """As the standard library writes it."""
    try:
        text, expected = moment.isoformat(), moment.timestamp()
    except OverflowError:
        return
    if len(text) <= 40 and text == datetime.fromisoformat(text).isoformat():
        assert parse_moment(text, now=NOW, field="since") == pytest.approx(expected)


@given(st.dates())
def test_a_day(day: datetime) -> None:
    """From its beginning, in UTC."""
    expected = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
    assert parse_moment(day.isoformat()[:10], now=NOW, field="since") == expected


@given(st.text(max_size=60))
def test_anything_else_is_refused_with_the_field(text: str) -> None:
    """Never another error."""
    refused = None
    try:
        parse_moment(text, now=NOW, field="until")
    except BadInput as refusal:
        refused = refusal.field
    assert refused in {None, "until"}


@pytest.mark.parametrize(("text", "ago"), [("2h", 7200), ("1d12h", 129_600), (" 90S ", 90)])
def test_so_long_ago(text: str, ago: int) -> None:
    """As lifetimes are written."""
    assert parse_moment(text, now=NOW, field="since") == NOW - ago


@pytest.mark.parametrize("text", ["", "now", "12", "0d", "2026-13-01", "2026-11-26T10:00", "-1h"])
def test_what_is_no_moment(text: str) -> None:
    """Says how to write one."""
    with pytest.raises(BadInput, match="write"):
        parse_moment(text, now=NOW, field="since")
