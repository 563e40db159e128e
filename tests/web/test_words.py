"""Moments, spans and targets in words; forms; pages of rows."""

import html
import re
from datetime import UTC, datetime

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from mailmum.domain.errors import BadInput, NeedsConfirmation, SeveralRefused
from mailmum.domain.targets import parse_target
from mailmum.domain.words import span
from mailmum.web import words
from mailmum.web.form import FAULTS_SHOWN, Form
from mailmum.web.templatetags.pages import (
    at_colons,
    at_dots,
    day_ago,
    foldable,
    marked,
    mid,
    moment,
    undo_of,
)


@pytest.mark.parametrize(
    ("seconds", "past", "future"),
    [
        (0, "just now", "now"),
        (1, "just now", "in 1 s"),
        (59, "59 s ago", "in 59 s"),
        (60, "1 min ago", "in 1 min"),
        (3599, "59 min ago", "in 1 h"),
        (86399, "23 h ago", "in 1 day"),
        (86400, "1 day ago", "in 1 day"),
        (172800, "2 days ago", "in 2 days"),
    ],
)
def test_distances(seconds: int, past: str, future: str) -> None:
    """One unit, never more than has passed."""
    assert words.ago(seconds) == past
    assert words.in_future(seconds) == future


@given(st.integers(0, 10**9))
def test_spans_are_exact(seconds: int) -> None:
    """Reading the words back gives the same seconds."""
    lengths = {"s": 1, "min": 60, "h": 3600, "day": 86400, "days": 86400}
    parts = span(seconds).replace(",", "").split()
    counts, units = parts[::2], parts[1::2]
    assert sum(int(n) * lengths[unit] for n, unit in zip(counts, units, strict=True)) == seconds


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("203.0.113.7", "one IPv4 address"),
        ("2001:db8::1", "one IPv6 address"),
        ("0.0.0.0/0", "IPv4 network, 4,294,967,296 addresses"),
        ("2001:db8::/64", "IPv6 network, one network of /64"),
        ("2001:db8::/120", "IPv6 network, 256 addresses"),
        ("2001:db8::/65", "IPv6 network, 2^63 addresses"),
        ("::/0", "IPv6 network, 2^64 networks of /64"),
        ("mail.spam.example", "one host name"),
        (".spam.example", "domain, with all names under it"),
        (".top", "top-level domain, with all names under it"),
    ],
)
def test_what_a_target_is(target: str, text: str) -> None:
    """Kind and size."""
    assert words.describe(parse_target(target)) == text


def test_dates_tell_the_year_only_when_it_is_another() -> None:
    """As people write them."""
    now = datetime(2026, 11, 22, tzinfo=UTC)
    assert words.date(datetime(2026, 1, 5, tzinfo=UTC), now) == "5 Jan"
    assert words.date(datetime(2027, 2, 1, tzinfo=UTC), now) == "1 Feb 2027"


def test_far_moments_are_dates() -> None:
    """And none is a dash; the exact value is always there."""
    assert ">1 Jan 2001<" in moment(978_350_400)
    assert 'datetime="2001-01-01T12:00:00Z"' in moment(978_350_400)
    assert moment(None) == "\u2013"


@given(st.text(max_size=60), st.integers(1, 20))
def test_cutting_keeps_the_whole_text_and_no_markup(text: str, tail: int) -> None:
    """Head and tail together are the text; what looks like markup is escaped."""
    made = str(mid(text, tail))
    spans = re.findall(r"(?s)<span>(.*?)</span>", made) or re.findall(r"(?s)>(.*?)<", made)
    assert html.unescape("".join(spans)) == text
    assert ("<" in text) == ("&lt;" in made)


@given(st.text(max_size=60))
def test_addresses_stay_whole_in_several_lines(text: str) -> None:
    """They may go on in the next line after a colon; what looks like markup is escaped."""
    made = str(at_colons(text))
    assert html.unescape(made.replace("<wbr>", "")) == text
    assert ":" not in re.sub(":+<wbr>", "", made)
    assert made.count("<") == made.count(":<wbr>")


@given(st.text(max_size=60))
def test_names_stay_whole_in_several_lines(name: str) -> None:
    """Likewise, after a dot."""
    made = str(at_dots(name))
    assert html.unescape(made.replace("<wbr>", "")) == name
    assert made.count("<") == name.count(".")


@given(st.text(max_size=60) | st.from_regex(r"(for )?[0-9a-f:]{1,50}/48 at 1:20", fullmatch=True))
def test_addresses_in_a_text_break_at_colons(text: str) -> None:
    """Only after a colon of theirs; nothing of the text is lost, and none of it is markup."""
    made = str(foldable(text))
    assert html.unescape(made.replace("<wbr>", "")) == text
    assert made.count("<") == made.count(":<wbr>")


def test_times_of_day_do_not_break() -> None:
    """An address has three colons, a time two."""
    text = "blocked 2001:db8::/32 at 10:20:30"
    assert foldable(text) == "blocked 2001:<wbr>db8::<wbr>/32 at 10:20:30"


@pytest.mark.parametrize(
    ("day", "zone", "text"),
    [
        (27, "UTC", "today"),
        (26, "UTC", "yesterday"),
        (20, "UTC", "7 days ago"),
        (27, "Europe/Berlin", "today"),  # as far as it has gone, from 01:00 to 19:00
        (26, "Europe/Berlin", "26 Nov UTC"),
        (27, "Asia/Tokyo", "27 Nov UTC"),  # from 09:00 on the 27th to 03:00 on the 28th
        (27, "America/New_York", "27 Nov UTC"),
    ],
)
def test_a_day_of_counts_claims_no_more_than_is_known(
    day: int, zone: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a time of day, nor a day of the reader's that it may not have been."""
    monkeypatch.setattr(timezone, "now", lambda: datetime(2026, 11, 27, 18, tzinfo=UTC))
    with timezone.override(zone):
        made = str(day_ago(int(datetime(2026, 11, day, tzinfo=UTC).timestamp())))
    assert made == (f'<time datetime="2026-11-{day}" title="2026-11-{day} UTC">{text}</time>')


def test_marked_keys_and_nothing_else() -> None:
    """The text around a key is escaped."""
    assert marked("a <b> key.bl key", "key") == "a &lt;b&gt; <mark>key</mark>.bl <mark>key</mark>"


@pytest.mark.parametrize("tags", [None, "", "safe", "undo:", "undo:1", "undo::3"])
def test_messages_without_a_change_offer_no_undo(tags: str | None) -> None:
    """Only a whole mark does."""
    assert undo_of(tags) is None
    assert undo_of("x undo:1:23") == {"account": "1", "seq": "23"}


def test_refusals_find_their_fields() -> None:
    """By name, by another name, or the field that takes the rest; each of several its own."""
    form = Form({"targets": "", "reason": "", "other": ""})
    form.refuse(BadInput("a", field="reason"))
    form.refuse(BadInput("b", fix="c", field="for"), names={"for": "other"})
    form.refuse(BadInput("d", field="elsewhere"), otherwise="targets")
    form.refuse(BadInput("e"))
    assert form["reason"].faults == ("a",)
    assert form["other"].faults == ("b; c",)
    assert form.general == ["e"]
    several = [("x", BadInput("f", field="target")), ("y", NeedsConfirmation("g", field="target"))]
    form.refuse(SeveralRefused(several, 2), names={"target": "targets"})
    assert list(form["targets"].faults) == ["d", "f", "g"]


def test_a_flood_of_refusals_is_bounded() -> None:
    """The first of them, and how many more there are."""
    form = Form({"targets": ""})
    items = [(str(i), BadInput(f"bad {i}", field="targets")) for i in range(FAULTS_SHOWN + 7)]
    form.refuse(SeveralRefused([*items], len(items)), otherwise="targets")
    assert len(form["targets"].faults) == FAULTS_SHOWN + 1
    assert form["targets"].faults[-1] == "and 7 more are refused"
