"""Server cookies: made, known again, renewed and refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmum.dns.cookies import Cookies

NOW = 1_700_000_000


@given(st.binary(min_size=8, max_size=8), st.ip_addresses(), st.binary(min_size=1))
def test_a_cookie_is_good_for_its_client_and_address(
    client: bytes, address: object, secret: bytes
) -> None:
    """And for no other client, address or secret."""
    cookies = Cookies(secret)
    cookie, good = cookies.reply(client, str(address), NOW)
    assert not good
    assert cookie[:8] == client
    assert cookies.reply(cookie, str(address), NOW + 1) == (cookie, True)
    assert not cookies.reply(cookie, f"{address}0", NOW)[1]
    assert not cookies.reply(bytes(8) + b"x" + cookie[9:], str(address), NOW)[1]
    assert not Cookies(secret + b"x").reply(cookie, str(address), NOW)[1]


@given(st.integers(8, 23), st.integers(1, 255))
def test_any_changed_byte_spoils_it(at: int, change: int) -> None:
    """Version, reserved bytes, time and hash are all covered."""
    cookies = Cookies(b"secret")
    cookie = bytearray(cookies.reply(b"12345678", "192.0.2.1", NOW)[0])
    cookie[at] ^= change
    assert not cookies.reply(bytes(cookie), "192.0.2.1", NOW)[1]


@pytest.mark.parametrize(
    ("age", "good", "kept"),
    [
        (0, True, True),
        (1799, True, True),
        (1800, True, False),
        (3600, True, False),
        (3601, False, False),
        (-300, True, True),
        (-301, False, False),
    ],
)
def test_cookies_age(age: int, good: bool, kept: bool) -> None:
    """RFC 9018 section 4.3: good for an hour, renewed after half of it, five minutes ahead."""
    cookies = Cookies(b"secret")
    cookie, _ = cookies.reply(b"12345678", "192.0.2.1", NOW)
    answer, known = cookies.reply(cookie, "192.0.2.1", NOW + age)
    assert (known, answer == cookie) == (good, kept or age == 0)
    assert cookies.reply(answer, "192.0.2.1", NOW + age) == (answer, True)


def test_time_wraps_around() -> None:
    """A cookie from just before 2**32 seconds is good just after."""
    cookies = Cookies(b"secret")
    cookie, _ = cookies.reply(b"12345678", "192.0.2.1", 2**32 - 5)
    assert cookies.reply(cookie, "192.0.2.1", 2**32 + 5) == (cookie, True)


@pytest.mark.parametrize("size", [16, 23, 25, 40])
def test_a_server_cookie_of_another_make_is_not_good(size: int) -> None:
    """Another length cannot be ours; the client gets one of ours."""
    answer, good = Cookies(b"secret").reply(b"12345678" + bytes(size - 8), "192.0.2.1", NOW)
    assert not good
    assert len(answer) == 24
