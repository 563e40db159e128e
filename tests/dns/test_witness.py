"""What is asked and what answers mean, beside dnspython and the addresses of the standard."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address

import dns.reversename
from hypothesis import given
from hypothesis import strategies as st

from mailmum.dns.witness import Meaning, Reply, State, judge, meaning, probes, question
from mailmum.domain.targets import parse_network

ZONE = "rbl.example"
LISTED, UNLISTED = Reply(("127.0.0.2",)), Reply()
SILENT, REFUSED = Reply(fault="no answer in time"), Reply(("127.255.255.254",))
PARKED = Reply(("192.0.2.80",))


@given(st.ip_addresses())
def test_the_name_asked(address: object) -> None:
    """The same labels as in the reverse zones."""
    text = str(address)
    target = parse_network(text)
    ours = question(ZONE, target)
    name = dns.reversename.from_address(target.text).to_text()
    for root in (".in-addr.arpa.", ".ip6.arpa."):
        name = name.removesuffix(root)
    assert ours == f"{name}.{ZONE}"
    assert ip_address(text).version == target.version or "." in target.text


@given(st.lists(st.ip_addresses(v=4), max_size=3))
def test_what_an_answer_means(addresses: list[IPv4Address]) -> None:
    """Only 127/8 lists, and the words of 127.255.255.0/24 never do."""
    texts = [str(one) for one in addresses]
    said = meaning(texts)
    words = any(text.startswith("127.255.255.") for text in texts)
    loopback = any(text.startswith("127.") for text in texts)
    if not texts:
        assert said is Meaning.UNLISTED
    elif words:
        assert said is Meaning.REFUSED
    else:
        assert said is (Meaning.LISTED if loopback else Meaning.STRANGE)


def judged(
    listed: Reply, listed6: Reply, unlisted: Reply, never: Reply, fresh: Reply = UNLISTED
) -> State:
    """How a list fares that answers so."""
    asked = probes(ZONE)
    names = (asked.listed, asked.listed6, asked.unlisted, asked.never, asked.fresh)
    return judge(dict(zip(names, (listed, listed6, unlisted, never, fresh), strict=True)), asked)


def test_how_a_list_fares() -> None:
    """By the test entries of RFC 5782 section 5, and by what nobody lists."""
    assert judged(LISTED, LISTED, UNLISTED, UNLISTED) is State.WORKS
    assert judged(LISTED, UNLISTED, UNLISTED, UNLISTED) is State.WORKS
    assert judged(UNLISTED, LISTED, UNLISTED, UNLISTED) is State.WORKS
    assert judged(LISTED, SILENT, UNLISTED, UNLISTED) is State.WORKS
    assert judged(LISTED, LISTED, LISTED, UNLISTED) is State.WILDCARD
    assert judged(LISTED, LISTED, UNLISTED, LISTED) is State.WILDCARD
    assert judged(LISTED, LISTED, UNLISTED, UNLISTED, LISTED) is State.WILDCARD
    assert judged(PARKED, PARKED, PARKED, PARKED) is State.WILDCARD
    assert judged(PARKED, UNLISTED, UNLISTED, UNLISTED) is State.WILDCARD
    assert judged(UNLISTED, UNLISTED, UNLISTED, UNLISTED) is State.EMPTY
    assert judged(SILENT, SILENT, SILENT, SILENT) is State.SILENT
    assert judged(REFUSED, REFUSED, REFUSED, REFUSED) is State.REFUSED
    assert judged(LISTED, LISTED, REFUSED, UNLISTED) is State.REFUSED


def test_the_probes_are_those_of_the_standard() -> None:
    """127.0.0.2 and ::FFFF:7F00:2, and 127.0.0.1."""
    asked = probes(ZONE)
    assert asked.listed == question(ZONE, parse_network("127.0.0.2"))
    labels = asked.listed6.removesuffix(f".{ZONE}").split(".")
    assert int("".join(reversed(labels)), 16) == int(IPv6Address("::ffff:7f00:2"))
    assert len(labels) == 32
    assert asked.unlisted == question(ZONE, parse_network("127.0.0.1"))


@given(st.integers(min_value=0, max_value=2**64))
def test_one_probe_is_another_each_time(chance: int) -> None:
    """An address of loopback, and none that lists use themselves."""
    labels = probes(ZONE, chance).fresh.removesuffix(f".{ZONE}").split(".")
    address = IPv4Address(".".join(reversed(labels)))
    assert address.is_loopback
    assert address not in IPv4Network("127.0.0.0/16")
    assert address not in IPv4Network("127.255.0.0/16")
