"""What strangers read: bounded, and without a key."""

from hypothesis import given
from hypothesis import strategies as st

from mailmum.domain.public import public_text, without_key

KEY = "k7f3q9x2m4t8aaaa"


@given(st.text(max_size=200), st.text(max_size=100), st.integers(0, 300))
def test_the_limit_holds(reason: str, link: str, limit: int) -> None:
    """The reason is cut first, between two characters; a link that fits stands whole."""
    text = public_text(reason, link, (), limit=limit)
    stop = "." if reason[-1:].isalnum() else ""
    ending = f"{stop} See {link}".encode() if link else b""
    assert len(text) <= limit
    if len(ending) <= limit:
        assert text.endswith(ending)
        assert reason.startswith(text.removesuffix(ending).decode())


@given(st.text(max_size=40), st.sampled_from([KEY, KEY.upper(), KEY.title()]))
def test_a_key_is_struck_out(around: str, key: str) -> None:
    """However often and in whatever case it stands there; the rest stays."""
    assert without_key(f"{around}|{key}|{key}|{around}", KEY) == f"{around}|…|…|{around}"
