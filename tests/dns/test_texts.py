"""Return codes and texts."""

from hypothesis import given
from hypothesis import strategies as st

from mailmum.dns import texts
from mailmum.index.records import KeyRecord

KEY = "k7f3q9x2m4t8aaaa"


@given(st.text(max_size=2000), st.text(max_size=1200))
def test_text_is_bounded_utf8(reason: str, link: str) -> None:
    """At most TEXT_LIMIT bytes; the link survives where it fits, the reason is cut first."""
    text = texts.txt(reason, link, ())
    assert len(text) <= texts.TEXT_LIMIT
    ending = f" See {link}".encode("utf-8", "replace") if link else b""
    if len(ending) <= texts.TEXT_LIMIT:
        assert ending.strip() in text
        text.decode("utf-8")


@given(st.text(max_size=50), st.sampled_from([KEY, KEY.upper(), KEY.title()]), st.text(max_size=50))
def test_keys_are_struck_out(before: str, key: str, after: str) -> None:
    """In any case of letters, in reason and link."""
    text = texts.txt(before + key + after, f"https://mx.example.net/{key}", (KeyRecord(KEY),))
    assert KEY.encode() not in text.lower()


@given(st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=6))
def test_lookup_names_have_as_many_labels_as_were_sent(labels: list[bytes]) -> None:
    """An odd label is replaced by one that is in no listing."""
    name = texts.lookup_name(tuple(labels))
    parts = name.split(".")
    assert len(parts) == len(labels)
    for part, label in zip(parts, labels, strict=True):
        assert part.encode() == label or part == "?"
    assert texts.name_client(tuple(labels)).isascii()


def test_the_link_stands_in_the_first_string() -> None:
    """Whatever the reason's length: older mail servers show no further string."""
    link = "https://mx.example.net/why/q3t5w7x9yz/203.0.113.7"
    for length in range(150, 300, 7):
        assert link.encode() in texts.txt("x" * length, link, ())[: texts.STRING_LIMIT]
