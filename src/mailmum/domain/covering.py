"""Whether any of many targets covers a client: looked up, not compared with one after the other.

Networks are kept by version and prefix, so that an address takes as many looks as there are
prefixes among them; a name takes as many as it has labels.

    >>> from mailmum.domain.targets import parse_network, parse_target
    >>> some = Covering([parse_target("203.0.113.0/24"), parse_target(".spam.example")])
    >>> client = parse_network("203.0.113.7")
    >>> some.has_address(client.version, client.first)
    True
    >>> [some.has_name(name) for name in ("mx.spam.example", "spam.example", "example")]
    [True, True, False]
"""

from collections.abc import Iterable

from mailmum.domain.targets import NameTarget, NetworkTarget, Target


class Covering:
    """Some targets, prepared."""

    __slots__ = ("_domains", "_hosts", "_networks")

    def __init__(self, targets: Iterable[Target]) -> None:
        networks: dict[tuple[int, int], set[int]] = {}
        self._hosts, self._domains = set[str](), set[str]()
        for one in targets:
            if isinstance(one, NetworkTarget):
                shift = one.bits - one.prefix
                networks.setdefault((one.version, shift), set()).add(one.first >> shift)
            else:
                self._add_name(one)
        self._networks = [(*key, firsts) for key, firsts in networks.items()]

    def _add_name(self, target: NameTarget) -> None:
        (self._domains if target.whole else self._hosts).add(target.name)

    def has_address(self, version: int, address: int) -> bool:
        """Whether one of the networks covers an address."""
        for of, shift, firsts in self._networks:
            if of == version and address >> shift in firsts:
                return True
        return False

    def has_name(self, name: str) -> bool:
        """Whether one of the hosts and domains covers a canonical name."""
        if name in self._hosts:
            return True
        rest, dot = name, "."
        while dot and self._domains:
            if rest in self._domains:
                return True
            _, dot, rest = rest.partition(".")
        return False
