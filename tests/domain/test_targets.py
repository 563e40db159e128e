"""Targets: what is read as one, what is refused and how, held against `ipaddress`."""

import ipaddress

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mailmum.domain.errors import BadInput
from mailmum.domain.targets import (
    Kind,
    NameTarget,
    NetworkTarget,
    address_text,
    looks_like_address,
    mapped,
    parse_network,
    parse_target,
)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

addresses = st.ip_addresses()


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """Networks of both versions, of every length."""
    address = draw(addresses)
    prefix = draw(st.integers(0, address.max_prefixlen))
    return ipaddress.ip_network((address, prefix), strict=False)


def is_mapped(network: Network) -> bool:
    """Whether it lies in ::ffff:0:0/96."""
    return network.version == 6 and network.subnet_of(ipaddress.IPv6Network("::ffff:0:0/96"))


def target_of(network: Network) -> NetworkTarget:
    """The target a network stands for, by the standard library's account of it."""
    return NetworkTarget(network.version, int(network.network_address), network.prefixlen)


labels = st.from_regex(r"[a-z0-9_]([a-z0-9_-]{0,10}[a-z0-9_])?", fullmatch=True)


@st.composite
def names(draw: st.DrawFn) -> str:
    """Canonical names of two to five labels, the last one with a letter."""
    last = draw(st.from_regex(r"[a-z]{2,8}", fullmatch=True))
    return ".".join([*draw(st.lists(labels, min_size=1, max_size=4)), last])


class TestNetworks:
    """Addresses and networks."""

    @given(networks())
    def test_reads_what_the_standard_library_reads(self, network: Network) -> None:
        """First address, length, last address and text are those of `ipaddress`."""
        assume(not is_mapped(network))
        target = parse_target(str(network))
        assert target == target_of(network)
        assert isinstance(target, NetworkTarget)
        assert target.last == int(network.broadcast_address)
        whole = network.prefixlen == network.max_prefixlen
        assert target.text == str(network.network_address if whole else network)
        assert target.kind is (Kind.ADDRESS if whole else Kind.NETWORK)

    @given(networks())
    def test_text_reads_back_as_the_same_target(self, network: Network) -> None:
        """Text is a round trip, for mapped networks too."""
        target = parse_network(str(network))
        assert parse_target(target.text) == target

    @given(networks(), addresses)
    def test_covers_what_the_network_contains(self, network: Network, address: Address) -> None:
        """Membership is that of `ipaddress`, which never crosses versions."""
        target = target_of(network)
        assert target.covers(address.version, int(address)) == (address in network)

    @given(networks(), st.data())
    def test_covers_its_own_addresses(self, network: Network, data: st.DataObject) -> None:
        """First, last and anything between."""
        first, last = int(network.network_address), int(network.broadcast_address)
        target = target_of(network)
        for address in (first, last, data.draw(st.integers(first, last))):
            assert target.covers(network.version, address)

    @given(networks(), networks())
    def test_overlaps_as_the_standard_library_has_it(self, one: Network, other: Network) -> None:
        """Two networks overlap when one holds the other."""
        expected = one.version == other.version and one.overlaps(other)
        assert target_of(one).overlaps(target_of(other)) == expected

    @given(networks(), st.integers(0, 128))
    def test_a_wider_network_overlaps(self, network: Network, prefix: int) -> None:
        """Every network overlaps each of those around it, in both directions."""
        around = network.supernet(new_prefix=min(prefix, network.prefixlen))
        assert target_of(network).overlaps(target_of(around))
        assert target_of(around).overlaps(target_of(network))
        assert target_of(network).around(around.prefixlen) == target_of(around)

    @given(networks(), st.data())
    def test_host_bits_are_refused_with_the_network_meant(
        self, network: Network, data: st.DataObject
    ) -> None:
        """The proposal, read again, is accepted."""
        assume(network.prefixlen < network.max_prefixlen)
        first, last = int(network.network_address), int(network.broadcast_address)
        written = data.draw(st.integers(first + 1, last))
        text = f"{address_text(network.version, written)}/{network.prefixlen}"
        with pytest.raises(BadInput) as caught:
            parse_target(text)
        assert "bits beyond" in caught.value.problem
        assert caught.value.fix == f"did you mean {network}?"
        parse_target(caught.value.fix.removeprefix("did you mean ").removesuffix("?"))

    @given(st.ip_addresses(v=4))
    def test_mapped_addresses_are_the_ipv4_addresses(self, address: Address) -> None:
        """RFC 4291 section 2.5.5.2, in both ways of writing them."""
        expected = NetworkTarget(4, int(address), 32)
        assert parse_target(f"::ffff:{address}") == expected
        assert parse_target(str(ipaddress.IPv6Address((0xFFFF << 32) | int(address)))) == expected
        assert parse_target(f"[::ffff:{address}]") == expected

    def test_mapped_networks_are_ipv4_networks(self) -> None:
        """From /96, which is all of IPv4, down."""
        assert parse_target("::ffff:203.0.113.0/120") == parse_target("203.0.113.0/24")
        assert parse_target("::ffff:0:0/96") == NetworkTarget(4, 0, 0)
        assert parse_target("::fffe:0:0/95") == NetworkTarget(6, 0xFFFE << 32, 95)

    @given(networks())
    def test_mapped_ranges_order_like_addresses(self, network: Network) -> None:
        """The 128-bit range holds exactly the network, IPv4 at ::ffff:0:0/96."""
        first, last = mapped(target_of(network))
        base = 0xFFFF << 32 if network.version == 4 else 0
        assert (first, last) == (
            base + int(network.network_address),
            base + int(network.broadcast_address),
        )

    @given(addresses)
    def test_text_of_an_address(self, address: Address) -> None:
        """RFC 5952 for IPv6."""
        assert address_text(address.version, int(address)) == str(address)

    def test_specificity_is_the_prefix(self) -> None:
        """Longer prefixes decide first."""
        narrow, wide = parse_target("203.0.113.0/28"), parse_target("203.0.113.0/24")
        assert narrow.specificity > wide.specificity


class TestNames:
    """Hosts and domains."""

    @given(names())
    def test_a_name_is_a_host_and_with_a_dot_a_domain(self, name: str) -> None:
        """Both read back from their text."""
        host, domain = parse_target(name), parse_target(f".{name}")
        assert (host, domain) == (NameTarget(name, whole=False), NameTarget(name, whole=True))
        assert (host.kind, domain.kind) == (Kind.HOST, Kind.DOMAIN)
        assert (host.text, domain.text) == (name, f".{name}")

    @given(names(), names())
    def test_covers_by_labels(self, name: str, other: str) -> None:
        """A host covers itself; a domain itself and names that end in all its labels."""
        labels, others = name.split("."), other.split(".")
        assert NameTarget(name, whole=False).covers(other) == (labels == others)
        below = others[-len(labels) :] == labels
        assert NameTarget(name, whole=True).covers(other) == below

    @given(names(), labels)
    def test_a_domain_covers_what_is_below(self, name: str, label: str) -> None:
        """But not a name that merely ends in the same letters."""
        domain = NameTarget(name, whole=True)
        assert domain.covers(name)
        assert domain.covers(f"{label}.{name}")
        assert not domain.covers(f"{label}{name}")
        assert not NameTarget(name, whole=False).covers(f"{label}.{name}")

    def test_specificity_by_labels_host_before_domain(self) -> None:
        """A host outranks the domain of the same name, that one any domain above it."""
        texts = [".example", ".spam.example", "spam.example", ".a.spam.example", "a.spam.example"]
        ranks = [parse_target(text).specificity for text in texts]
        assert ranks == sorted(set(ranks))

    def test_any_case_and_script(self) -> None:
        """Names become lower-case A-labels."""
        assert parse_target("MAIL.Spam.Example.") == NameTarget("mail.spam.example", whole=False)
        assert parse_target(".Bücher.example") == NameTarget("xn--bcher-kva.example", whole=True)

    def test_a_top_level_domain(self) -> None:
        """Listed with a dot; without one it is refused with the likely fix."""
        assert parse_target(".top") == NameTarget("top", whole=True)
        with pytest.raises(BadInput, match=r"write \.top for the top-level domain"):
            parse_target("top")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the target is empty; write 203.0.113.7"),
        ("   ", "the target is empty"),
        ("203.0.113.7/24", "203.0.113.7/24 is not a network: bits beyond /24 are set; did you"),
        ("2001:db8::1/32", "did you mean 2001:db8::/32?"),
        ("203.0.113", "203.0.113 is not an address; did you mean 203.0.113.0/24?"),
        ("10.", "10. is not an address"),
        ("203.0.113.256", "203.0.113.256 is not an address"),
        ("203.0.113.7.1", "203.0.113.7.1 is not an address"),
        ("203.0.113.07", "an octet with a leading zero could be read as octal"),
        ("203.0.113.0/33", "the prefix length must be between 0 and 32"),
        ("2001:db8::/129", "the prefix length must be between 0 and 128"),
        ("203.0.113.0/", "'' is not a prefix length"),
        ("203.0.113.0/-1", "-1 is not a prefix length"),
        ("203.0.113.0/2\uff14", "is not a prefix length"),
        ("203.0.113.0/255.255.255.0", "255.255.255.0 is a mask, not a prefix length; did you"),
        ("203.0.113.0/0.0.0.255", "0.0.0.255 is a mask, not a prefix length"),
        ("fe80::1%eth0", "has a zone identifier, which means nothing beyond one machine"),
        ("2001:db8::1::2", "2001:db8::1::2 is not an address"),
        ("https://spam.example/x", "is not a prefix length"),
        ("*.spam.example", "*.spam.example is a pattern; write .spam.example for the domain"),
        ("owner@example.net", "may only have letters, digits, hyphens and underscores"),
        ("a..example", "has an empty label; check for two dots in a row"),
        (".", "the name is empty"),
        ("localhost", "is a single label, which is no host on the Internet"),
        ("a\x1b[2J.example", "'a\\x1b[2J.example'"),
        ("a" * 300, "is too long for an address or a name"),
    ],
)
def test_what_is_no_target_is_refused_with_reason_and_fix(text: str, message: str) -> None:
    """The message names the input and says what is wrong; the field is the target."""
    with pytest.raises(BadInput) as caught:
        parse_target(text)
    assert message in str(caught.value)
    assert caught.value.field == "target"


@given(st.one_of(st.text(), st.text(alphabet="0123456789abcdef.:/[]%*-_ ", max_size=45)))
def test_any_text_is_a_target_or_refused(text: str) -> None:
    """No input raises anything else; what is accepted reads back from its own text."""
    try:
        target = parse_target(text)
    except BadInput:
        return
    assert parse_target(target.text) == target


@given(st.text(alphabet="0123456789abcdef.:/", max_size=20))
def test_addresses_accepted_are_those_of_the_standard_library(text: str) -> None:
    """Nothing is an address here that `ipaddress` refuses."""
    assume(looks_like_address(text))
    try:
        network = ipaddress.ip_network(text, strict=True)
    except ValueError:
        with pytest.raises(BadInput):
            parse_target(text)
    else:
        assert parse_target(text) == parse_network(str(network))
