"""What is left of mail addresses."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmum.domain.keys import new_key
from mailmum.traffic.privacy import (
    CHOICES,
    FULL,
    HASHED,
    NO_LOCAL_PARTS,
    Privacy,
    without_keys,
)
from mailmum.traffic.sightings import Sighting

KEY, OTHER = b"k" * 32, b"o" * 32
LOCALS = st.text(string.ascii_letters + string.digits + ".+-_=/", min_size=3, max_size=20)
TEXTS = st.text(max_size=60) | st.text('<>@"ab .,;=', max_size=60)


def test_in_full_nothing_changes() -> None:
    """The very same text."""
    privacy = Privacy(FULL, b"")
    assert not privacy.changes
    assert privacy.address("a@example.net") == "a@example.net"
    assert privacy.text("<a@example.net>: no", "a@example.net") == "<a@example.net>: no"


@pytest.mark.parametrize("mode", CHOICES)
@pytest.mark.parametrize("address", [None, ""])
def test_the_null_sender_stays(mode: str, address: str | None) -> None:
    """And unknown stays unknown."""
    assert Privacy(mode, KEY).address(address) == address


@pytest.mark.parametrize(
    ("address", "left"),
    [
        ("user@example.net", "@example.net"),
        ('"a@b c"@example.net', "@example.net"),
        ("root", "@"),
        ("@example.net", "@example.net"),
        ("user@", "@"),
    ],
)
def test_without_local_parts(address: str, left: str) -> None:
    """Only the domain is left, and never what means the null sender."""
    assert Privacy(NO_LOCAL_PARTS, b"").address(address) == left


@given(LOCALS, LOCALS)
def test_hashes_tell_equal_from_different(one: str, other: str) -> None:
    """Within an account, in any case of letters; with another key nothing is alike."""
    privacy = Privacy(HASHED, KEY)
    hashed = privacy.address(f"{one}@example.net")
    assert hashed == privacy.address(f"{one.upper()}@example.net")
    assert (hashed == privacy.address(f"{other}@example.net")) == (one.lower() == other.lower())
    assert hashed != Privacy(HASHED, OTHER).address(f"{one}@example.net")
    assert hashed is not None
    assert hashed.endswith("@example.net")
    assert one not in hashed


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("<u.ser+x@example.net>: Recipient rejected", "<@example.net>: Recipient rejected"),
        ("unknown user: \"bob\"", 'unknown user: ""'),
        ("from=<a@b.example> to=<c@d.example>", "from=<@b.example> to=<@d.example>"),
        ('<"odd one"@example.net>: no', "<@example.net>: no"),
        ("failed, sasl_username=alice, more", "failed, sasl_username=, more"),
        ("failed, sasl_username=alice@example.net", "failed, sasl_username=@example.net"),
        ("a@b@c.example", "@@c.example"),
        ("no address at all; see https://rbl.example/", "no address at all; see https://rbl.example/"),
    ],
)  # fmt: skip
def test_replies_tell_no_more(text: str, left: str) -> None:
    """Whatever address a reply repeats, and the sighting's own without its domain."""
    assert Privacy(NO_LOCAL_PARTS, b"").text(text, "bob@example.net", None, "") == left


@given(LOCALS.filter(lambda local: local.lower() not in "rejected"), TEXTS)
def test_no_local_part_gets_through(local: str, around: str) -> None:
    """In an address, whatever stands around it."""
    local = f"zq{local}"
    text = f"{around} <{local}@example.net> rejected"
    for mode in (NO_LOCAL_PARTS, HASHED):
        left = Privacy(mode, KEY).text(text, f"{local}@example.net")
        assert left is not None
        assert local not in left


@given(TEXTS, st.none() | TEXTS)
def test_any_text_is_taken(text: str, address: str | None) -> None:
    """And no text at all."""
    for mode in CHOICES:
        privacy = Privacy(mode, KEY)
        assert privacy.text(None, address) is None
        assert isinstance(privacy.text(text, address), str)
        privacy.address(text)


@pytest.mark.parametrize("piece", ["a", "@", '"@', "a@", "<", '"'])
def test_text_that_is_made_to_be_slow_is_taken(piece: str) -> None:
    """Steps that grew with the square of the length would not end in the time a test has."""
    text = piece * (200_000 // len(piece))
    left = Privacy(NO_LOCAL_PARTS, b"").text(text)
    assert left is not None
    assert left.count("@") == text.count("@")


@pytest.mark.parametrize("list_", ["bl", "wl", "dbl", "dwl"])
def test_zone_keys_are_struck_out(list_: str) -> None:
    """From the list and from the reply that names it; public lists stay what they are."""
    key = new_key()
    zone = f"{key}.{list_}.mailmum.internal"
    own = Sighting(
        0.0,
        rbl=zone,
        named=("zen.rbl.example", zone),
        reason=f"Client host [192.0.2.1] blocked using {zone.upper()}; no",
    )
    public = Sighting(0.0, rbl="zen.rbl.example", reason="blocked using zen.rbl.example")
    first, second = without_keys([own, public])
    assert first.rbl == f"{list_}.mailmum.internal"
    assert first.named == ("zen.rbl.example", f"{list_}.mailmum.internal")
    assert without_keys([own._replace(rbl="zen.rbl.example")])[0].named == first.named
    assert first.reason is not None
    assert key not in first.reason.lower()
    assert second is public
