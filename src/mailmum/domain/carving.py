"""Exceptions taken out of a list: what is left of it, in networks.

A list may say "all of 192.0.2.0/24, but not 192.0.2.8".  Kept as they stand, exceptions would have
to be remembered beside every entry; taken out once, what remains is a plain set.  As everywhere the
narrowest target decides: an entry inside an exception stays.  For names there is no such
arithmetic, so a domain with an exception below it is left out: when in doubt mail flows.

    >>> from mailmum.domain.targets import parse_network
    >>> left = carve([parse_network("192.0.2.0/29")], [parse_network("192.0.2.0/31")])
    >>> sorted(target.text for target in left)
    ['192.0.2.2/31', '192.0.2.4/30']
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence

from mailmum.domain.targets import NameTarget, NetworkTarget, Target

MOST_HOLES = 10_000


def carve(targets: Iterable[Target], exceptions: Iterable[Target]) -> Iterator[Target]:
    """The targets without the exceptions."""
    holes = _Holes(exceptions)
    for target in targets:
        if isinstance(target, NameTarget):
            if not holes.touch_name(target):
                yield target
        else:
            yield from holes.left_of(target)


class _Holes:
    """Exceptions, sorted."""

    def __init__(self, exceptions: Iterable[Target]) -> None:
        networks: dict[int, set[tuple[int, int]]] = {4: set(), 6: set()}
        names: set[NameTarget] = set()
        for one in exceptions:
            if isinstance(one, NameTarget):
                names.add(one)
            else:
                networks[one.version].add((one.first, one.prefix))
        self._names = names
        # Every name that lies above an exception.
        self._above = {rest for one in names for rest in _parents(one.name)}
        self._networks = {version: sorted(found) for version, found in networks.items()}
        self._firsts = {
            version: [first for first, _ in found] for version, found in self._networks.items()
        }

    def touch_name(self, target: NameTarget) -> bool:
        """Whether an exception is of the target, or below a whole domain."""
        if target in self._names:
            return True
        if not target.whole:
            return False
        return target.name in self._above or NameTarget(target.name, whole=False) in self._names

    def left_of(self, target: NetworkTarget) -> Iterator[NetworkTarget]:
        """What the holes leave of a network."""
        found = self._inside(target)
        if not found:
            yield target
            return
        if any(prefix == target.prefix for _, prefix in found):
            return
        yield from self._halves(target)

    def _halves(self, target: NetworkTarget) -> Iterator[NetworkTarget]:
        prefix = target.prefix + 1
        for bit in (0, 1):
            first = target.first | bit << (target.bits - prefix)
            yield from self.left_of(NetworkTarget(target.version, first, prefix))

    def _inside(self, target: NetworkTarget) -> Sequence[tuple[int, int]]:
        """The holes inside a network, itself included; wider ones are no matter."""
        firsts = self._firsts[target.version]
        start, end = bisect_left(firsts, target.first), bisect_right(firsts, target.last)
        found = self._networks[target.version][start:end]
        return [hole for hole in found if hole[1] >= target.prefix]


def _parents(name: str) -> Iterator[str]:
    _, dot, rest = name.partition(".")
    while dot:
        yield rest
        _, dot, rest = rest.partition(".")
