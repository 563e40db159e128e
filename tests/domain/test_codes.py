"""Return codes, held against `ipaddress`."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmum.domain.codes import code_text, parse_code
from mailmum.domain.errors import BadInput


@given(st.ip_addresses(v=4, network="127.0.0.0/8"))
def test_loopback_codes_round_trip_but_error_codes(address: ipaddress.IPv4Address) -> None:
    """All of 127.0.0.0/8 may be chosen but 127.255.255.0/24."""
    if address in ipaddress.IPv4Network("127.255.255.0/24"):
        with pytest.raises(BadInput, match="by convention means an error"):
            parse_code(str(address))
    else:
        code = parse_code(f" {address} ")
        assert code == int(address)
        assert code_text(code) == str(address)


@pytest.mark.parametrize("text", ["127.255.255.0", "127.255.255.254", "127.255.255.255"])
def test_codes_that_mean_errors_are_refused(text: str) -> None:
    """What providers answer when they refuse a query must never be a listing."""
    with pytest.raises(BadInput, match=r"127\.255\.255\.0/24"):
        parse_code(text)


@pytest.mark.parametrize("text", ["127.255.254.255", "127.0.0.0", "127.0.0.2"])
def test_codes_beside_them_are_allowed(text: str) -> None:
    """The limits are exact."""
    assert code_text(parse_code(text)) == text


@given(st.ip_addresses(v=4).filter(lambda address: not address.is_loopback))
def test_other_addresses_are_refused(address: ipaddress.IPv4Address) -> None:
    """Mail servers would ignore them (RFC 5782 section 2.3)."""
    with pytest.raises(BadInput, match=r"outside 127\.0\.0\.0/8"):
        parse_code(str(address))


@pytest.mark.parametrize("text", ["", "2", "127.0.0", "127.0.0.02", "127.0.0.256", "::1", "x"])
def test_what_is_no_code_is_refused(text: str) -> None:
    """The message says how to write one."""
    with pytest.raises(BadInput, match=r"is not a return code; write for example 127\.0\.0\.9"):
        parse_code(text)


@given(st.text(max_size=30))
def test_any_text_is_a_code_or_refused(text: str) -> None:
    """Nothing else is raised."""
    try:
        code = parse_code(text)
    except BadInput:
        return
    assert parse_code(code_text(code)) == code
