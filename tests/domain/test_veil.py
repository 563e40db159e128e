"""Where an address leads, without what opens the door there."""

from hypothesis import given
from hypothesis import strategies as st

from mailmum.domain.veil import veiled


def test_addresses_in_texts() -> None:
    """Path, query and user go; all else stays."""
    said = {
        "https://lists.example/k3y/drop.txt?token=x": "https://lists.example/…",
        "https://u:p@lists.example:8443/a": "https://lists.example:8443/…",
        "https://lists.example/": "https://lists.example/",
        "'HTTPS://a.example/x' fails, so does http://b.example?y": (
            "'HTTPS://a.example/… fails, so does http://b.example/…"
        ),
        "drop.txt, postmaster@example.net": "drop.txt, postmaster@example.net",
    }
    assert {text: veiled(text) for text in said} == said


@given(st.text(), st.text(alphabet="abc/?#@:.=", min_size=1))
def test_nothing_of_a_path_remains(before: str, rest: str) -> None:
    """Whatever stands around it."""
    assert "s3cret" not in veiled(f"{before}https://x.example/s3cret{rest}")
