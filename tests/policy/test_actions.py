"""What Postfix is told: one line, whatever stands in reason and link."""

from hypothesis import given
from hypothesis import strategies as st

from mailmum.policy.actions import TEXT_LIMIT, one_line, reject, reply

KEY = "k7f3q9x2m4t8aaaa"
LINK = "https://mx.example.net/why/ref/203.0.113.7"
HOSTILE = st.text(st.one_of(st.characters(), st.sampled_from("\r\n\t\0\x85\u2028\u202e ü=")))


@given(HOSTILE, st.one_of(st.just(LINK), HOSTILE))
def test_a_reject_is_one_line(reason: str, link: str) -> None:
    """Valid UTF-8 within the limit, no control character, nothing after the first line."""
    action = reject(reason, link, ())
    text = action.decode()
    assert text.startswith("REJECT 5.7.1 ")
    assert text.isprintable()
    assert len(action) <= len("REJECT 5.7.1 ") + TEXT_LIMIT
    assert reply(action).split(b"\n") == [b"action=" + action, b"", b""]


def test_a_long_reason_is_cut_before_the_link() -> None:
    """The link is what helps; not within a character."""
    text = reject("ü" * 1000, LINK, ()).decode()
    assert text.endswith(f"ü. See {LINK}")


def test_a_link_longer_than_the_limit() -> None:
    """Cut, but still characters that Postfix takes."""
    assert reject("", "ü" * 1000, ()).decode().isprintable()


@given(st.text(max_size=40), st.sampled_from([KEY, KEY.upper()]), st.text(max_size=40))
def test_the_key_is_struck_out(before: str, key: str, after: str) -> None:
    """In reason and link, also when a control character was to hide it."""
    assert KEY not in reject(before + key + after, f"{LINK}/{key}", [KEY]).decode().lower()


def test_words_stay_apart() -> None:
    """What cannot be shown becomes a blank."""
    assert one_line(" one\ttwo\r\nthree\u2028four ") == "one two three four"
