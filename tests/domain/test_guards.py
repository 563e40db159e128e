"""Guards: what needs a confirmation, what machines may never list, what nobody may."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmum.domain.clients import AddressSubject, NameSubject, parse_subject
from mailmum.domain.errors import BadInput, NeedsConfirmation
from mailmum.domain.guards import OwnServer, check, find_danger
from mailmum.domain.listings import Action, Source
from mailmum.domain.targets import parse_target

ACTIONS = list(Action)
GUARDED = [
    ("10.1.2.3", "is in private space"),
    ("10.20.0.0/16", "is in private space"),
    ("172.31.255.255", "is in private space"),
    ("192.168.0.0/16", "is in private space"),
    ("fd00:1::/32", "is in private space"),
    ("169.254.10.0/24", "is in link-local space"),
    ("fe80::1", "is in link-local space"),
    ("febf::/64", "is in link-local space"),
    ("100.64.0.0/16", "is in shared space"),
    ("100.127.255.255", "is in shared space"),
    ("224.0.0.1", "is in multicast space"),
    ("239.1.0.0/16", "is in multicast space"),
    ("ff02::1", "is in multicast space"),
    ("0.1.2.3", "is in unspecified space"),
    ("::", "is in unspecified space"),
    ("::/127", "is in unspecified space"),
    ("203.0.0.0/15", "is wider than /16"),
    ("0.0.0.0/0", "is wider than /16"),
    ("2001:db8::/31", "is wider than /32"),
    ("::/0", "is wider than /32"),
    ("::ffff:0:0/96", "is wider than /16"),
]
FREE = [
    "192.0.2.0/24",
    "198.51.100.7",
    "203.0.113.0/24",
    "203.0.0.0/16",
    "2001:db8::/32",
    "2001:db8::1",
    "172.32.0.1",
    "100.128.0.1",
    "9.255.255.255",
    "11.0.0.0",
    "fec0::1",
    ".top",
    "mail.spam.example",
]


@pytest.mark.parametrize(("text", "danger"), GUARDED)
@pytest.mark.parametrize("action", ACTIONS)
def test_a_person_must_confirm(text: str, danger: str, action: Action) -> None:
    """Blocking and allowing alike; with a confirmation it is done."""
    target = parse_target(text)
    with pytest.raises(NeedsConfirmation) as caught:
        check(target, action, Source.PERSON)
    assert caught.value.problem == f"{target.text} {danger}: to {action} it needs a confirmation"
    assert "--force" in caught.value.fix
    check(target, action, Source.PERSON, confirmed=True)


@pytest.mark.parametrize(("text", "danger"), GUARDED)
@pytest.mark.parametrize("source", [Source.TRIGGER, Source.FEED])
@pytest.mark.parametrize("confirmed", [False, True])
def test_a_machine_can_never(text: str, danger: str, source: Source, confirmed: bool) -> None:
    """Whatever is confirmed."""
    with pytest.raises(BadInput, match=f"{danger}: a {source} can never block it"):
        check(parse_target(text), Action.BLOCK, source, confirmed=confirmed)


@pytest.mark.parametrize("text", FREE)
@pytest.mark.parametrize("source", list(Source))
@pytest.mark.parametrize("action", ACTIONS)
def test_what_is_not_guarded(text: str, source: Source, action: Action) -> None:
    """Documentation networks are nobody's, and names have no guard of their own."""
    assert find_danger(parse_target(text)) is None
    check(parse_target(text), action, source)


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1",
        "127.0.0.0/8",
        "127.9.0.0/16",
        "::1",
        "::ffff:127.0.0.2",
        ".localhost",
        "mail.localhost",
    ],
)
@pytest.mark.parametrize("source", list(Source))
@pytest.mark.parametrize("action", ACTIONS)
def test_loopback_can_never_be_listed(text: str, source: Source, action: Action) -> None:
    """RFC 6471 section 3.5: by nobody, whatever is confirmed."""
    with pytest.raises(BadInput, match=r"\(loopback\) and can never be listed"):
        check(parse_target(text), action, source, confirmed=True)


@given(st.ip_addresses(), st.integers(0, 128))
def test_no_space_is_missed(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, prefix: int
) -> None:
    """Wherever a network touches guarded space, however they nest, there is a danger."""
    network = ipaddress.ip_network((address, min(prefix, address.max_prefixlen)), strict=False)
    target = parse_target(str(network))
    guarded = [
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12",
        "192.168.0.0/16", "224.0.0.0/4", "::/128", "fc00::/7", "fe80::/10", "ff00::/8",
    ]  # fmt: skip
    here = ipaddress.ip_network(target.text)
    touches = any(
        here.version == space.version and here.overlaps(space)
        for space in map(ipaddress.ip_network, guarded)
    )
    wide = here.prefixlen < (16 if here.version == 4 else 32)
    assert (find_danger(target) is not None) == (touches or wide)


MX = OwnServer(
    "mx1",
    (AddressSubject(4, 0xCB007107), AddressSubject(6, 0x20010DB8 << 96)),
    (NameSubject("mx1.example.net"),),
)


@pytest.mark.parametrize(
    "text", ["203.0.113.7", "203.0.113.0/24", "2001:db8::", "mx1.example.net", ".net"]
)
def test_an_own_server_is_guarded(text: str) -> None:
    """By any of its addresses and names, and by whatever covers them."""
    target = parse_target(text)
    message = f"{target.text} covers the account's own server mx1"
    with pytest.raises(NeedsConfirmation, match=message):
        check(target, Action.BLOCK, Source.PERSON, [MX])
    check(target, Action.BLOCK, Source.PERSON, [MX], confirmed=True)
    with pytest.raises(BadInput, match="a trigger can never block it"):
        check(target, Action.BLOCK, Source.TRIGGER, [MX], confirmed=True)


@pytest.mark.parametrize("text", ["203.0.113.8", "2001:db8::1", "mx2.example.net", "example.net"])
def test_a_neighbour_is_not(text: str) -> None:
    """What does not hit the server itself passes."""
    assert parse_subject(text) not in (*MX.addresses, *MX.hosts)
    check(parse_target(text), Action.BLOCK, Source.PERSON, [OwnServer("mx0"), MX])
