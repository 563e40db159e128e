"""Names below which strangers have theirs."""

import pytest

from mailmum.domain.suffixes import is_public_suffix, is_shared
from mailmum.domain.targets import parse_target


@pytest.mark.parametrize(
    ("name", "shared"),
    [
        ("com", True),
        ("co.uk", True),
        ("github.io", True),
        ("xn--55qx5d.cn", True),
        ("nobody-knows-this", True),
        ("shop.co.uk", False),
        ("a.github.io", False),
        ("www.ck", False),
        ("foo.ck", True),
    ],
)
def test_suffixes(name: str, shared: bool) -> None:
    """As the rules of the list say, its wildcards and exceptions too (publicsuffix.org/list)."""
    assert is_public_suffix(name) == shared


def test_a_listing_of_one() -> None:
    """Only with all under it: a host of that name is one host."""
    shared = {text: is_shared(parse_target(text)) for text in (".co.uk", "co.uk", "192.0.2.7")}
    assert shared == {".co.uk": True, "co.uk": False, "192.0.2.7": False}
