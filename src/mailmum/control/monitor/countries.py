"""The country of an address, as the registries have it; offline.

`iptocc` carries the registries' tables, so it is loaded when it is asked first.
"""

from collections import Counter
from collections.abc import Iterable

from mailmum.domain.targets import NetworkTarget, address_text


def country_of(network: NetworkTarget) -> str | None:
    """The country's two letters (ISO 3166); None when unknown, or when it lies in several."""
    from iptocc import country_code

    first = country_code(address_text(network.version, network.first))
    same = first == country_code(address_text(network.version, network.last))
    return first if same else None


def countries_of(clients: Iterable[NetworkTarget], most: int = 5) -> list[tuple[str, int]]:
    """The countries of some clients with how many are from each, those with the most first."""
    from iptocc import country_code

    found = country_code([one.text for one in clients])
    counts = Counter(code for code in found if code is not None)
    return sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:most]
