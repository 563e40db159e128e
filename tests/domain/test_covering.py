"""Looking targets up, held against asking each of them."""

from hypothesis import given
from hypothesis import strategies as st

from mailmum.domain.covering import Covering
from mailmum.domain.targets import NameTarget, NetworkTarget

ADDRESSES = st.builds(
    lambda version, low: (version, (0xC0000200 if version == 4 else 0x20010DB8 << 96) | low),
    st.sampled_from((4, 6)),
    st.integers(0, 63),
)
NETWORKS = st.builds(
    lambda address, free: NetworkTarget(
        address[0], address[1] >> free << free, _bits(*address) - free
    ),
    ADDRESSES,
    st.sampled_from((0, 1, 3, 6, 32)),
)
NAMES = st.lists(st.sampled_from("ab"), min_size=1, max_size=4).map(".".join)
HOSTS = st.builds(NameTarget, NAMES, st.booleans())


def _bits(version: int, _: int) -> int:
    return 32 if version == 4 else 128


@given(st.lists(NETWORKS, max_size=5), st.lists(HOSTS, max_size=5), ADDRESSES, NAMES)
def test_it_is_as_if_each_were_asked(
    networks: list[NetworkTarget], hosts: list[NameTarget], address: tuple[int, int], name: str
) -> None:
    """Addresses of both versions in networks of any length, names at any depth."""
    some = Covering([*networks, *hosts])
    assert some.has_address(*address) == any(one.covers(*address) for one in networks)
    assert some.has_name(name) == any(one.covers(name) for one in hosts)
