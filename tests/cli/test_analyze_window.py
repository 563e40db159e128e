"""--since and --until as people write them."""

from contextlib import suppress
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmum.cli.analyze_window import Window, moment
from mailmum.domain.errors import BadInput

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("text", "ends", "meant"),
    [
        ("2026-11-20", False, "2026-11-20T00:00+01:00"),
        ("2026-11-20", True, "2026-11-21T00:00+01:00"),
        ("20261120", True, "2026-11-21T00:00+01:00"),
        ("2026-11-20 14:30", False, "2026-11-20T14:30+01:00"),
        ("2026-11-20 14:30", True, "2026-11-20T14:30+01:00"),
        ("2026-11-20T14:30:00Z", False, "2026-11-20T14:30+00:00"),
        ("2026-07-01", False, "2026-07-01T00:00+02:00"),
        ("7d", False, "2026-11-19T12:00+00:00"),
        ("1d12h", True, "2026-11-25T00:00+00:00"),
    ],
)
def test_moments(text: str, ends: bool, meant: str) -> None:
    """Days, times and spans; a day alone ends with its end."""
    assert moment(text, NOW, BERLIN, ends=ends) == datetime.fromisoformat(meant).timestamp()


@given(st.text(max_size=40))
def test_any_text(text: str) -> None:
    """A moment or a refusal."""
    with suppress(BadInput):
        assert isinstance(moment(text, NOW, UTC), float)


def test_windows() -> None:
    """From the first moment to before the second."""
    assert Window().is_open
    window = Window(10.0, 20.0)
    assert [window.holds(time) for time in (9.9, 10.0, 19.9, 20.0)] == [False, True, True, False]
    assert Window(until=20.0).holds(-1e9)
