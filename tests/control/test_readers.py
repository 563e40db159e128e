"""Who may read the numbers for monitoring systems."""

import ipaddress
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmum.control.readers import Asker, Readers, parse_readers

SECRET = "s3cr3t-of-16-chars"


def asker(address: str = "127.0.0.1", host: str = "127.0.0.1", **more: object) -> Asker:
    """Somebody on this machine, unless told otherwise."""
    return Asker(address, host, **({"passed_on": False} | more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("parameter", "who", "may"),
    [
        ("", asker(), True),
        ("", asker("::1", "[::1]"), True),
        ("", asker("127.0.0.1", "localhost"), True),
        ("", asker("::ffff:127.0.0.1"), True),
        ("", asker("192.0.2.7"), False),
        # From a proxy on this machine, as a stranger has it ask.
        ("", asker(host="rbl.example.net"), False),
        ("", asker(passed_on=True), False),
        ("", asker(""), False),
        ("192.0.2.0/24, 2001:db8::7", asker("192.0.2.7"), True),
        ("192.0.2.0/24, 2001:db8::7", asker("2001:db8::7", "rbl.example.net"), True),
        ("192.0.2.0/24, 2001:db8::7", asker("2001:db8::8"), False),
        ("192.0.2.0/24", asker(), False),
        ("192.0.2.0/24", asker("192.0.2.7", passed_on=True), False),
        (f"token:{SECRET}", asker(), False),
        (f"token:{SECRET}", asker("198.51.100.1", token=SECRET, passed_on=True), True),
        (f"token:{SECRET}", asker(token=f"{SECRET}x"), False),
        (f"token:{SECRET}", asker(token="ü"), False),
        (f"token:{SECRET},127.0.0.0/8", asker(host="rbl.example.net"), True),
        ("off", asker(), False),
        ("off", asker(token="off"), False),
    ],
)
def test_who_may_read(parameter: str, who: Asker, may: bool) -> None:
    """By address, by token, and on this machine by its own names only."""
    assert parse_readers(parameter).admit(who) is may


@pytest.mark.parametrize("wrong", ["token:short", "192.0.2.1/24", "everybody", "off,192.0.2.1"])
def test_what_is_not_understood_is_refused(wrong: str) -> None:
    """So that a slip of the pen opens nothing."""
    with pytest.raises(ValueError, match=r"characters|neither"):
        parse_readers(wrong)


@given(st.ip_addresses().map(str), st.lists(st.ip_addresses(network="192.0.2.0/24"), max_size=3))
def test_networks_are_as_ipaddress_has_them(
    address: str, listed: list[ipaddress.IPv4Address]
) -> None:
    """Whoever is in none of them stays out."""
    readers = parse_readers(",".join(map(str, listed)) or "192.0.2.0/28")
    networks = listed or list(ipaddress.IPv4Network("192.0.2.0/28"))
    assert readers.admit(asker(address)) == (ipaddress.ip_address(address) in networks)


@given(st.text(max_size=40), st.text(max_size=20), st.text(max_size=20))
def test_any_text_is_read_or_refused(parameter: str, address: str, host: str) -> None:
    """And lets nobody in who is nowhere."""
    try:
        readers = parse_readers(parameter)
    except ValueError:
        return
    assert isinstance(readers, Readers)
    readers.admit(asker(address, host))


def test_the_guide_shows_what_is_understood() -> None:
    """Its example lets in that address, and who shows that token."""
    guide = (Path(__file__).parents[2] / "docs/guides/running.md").read_text()
    (shown,) = re.findall(r'(?m)^metrics = "(.+)"$', guide)
    readers = parse_readers(shown)
    (credentials,) = re.findall(r"credentials: (\S+)", guide)
    assert readers.admit(asker("192.0.2.9", "rbl.example.net"))
    assert readers.admit(asker("198.51.100.1", token=credentials, passed_on=True))
    assert not readers.admit(asker())
