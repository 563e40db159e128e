"""Entries of feeds in the database: kept once, read back, compared."""

import zlib
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from heapq import merge
from itertools import groupby
from operator import itemgetter
from weakref import WeakValueDictionary

from mailmum.control.feeds.models import Content
from mailmum.domain.targets import NameTarget, NetworkTarget, Target
from mailmum.index.base import no_pause
from mailmum.index.entries import Builder, Entries, packed, unpacked
from mailmum.index.firsts import Pause

SAMPLE = 100
_KEPT_ENTRIES = 4_000_000


def keep(builder: Builder) -> Content:
    """The content of these entries, stored unless it is there already."""
    entries = builder.build()
    known = Content.objects.filter(digest=entries.digest.hex()).defer("data", "names").first()
    if known is not None:
        return known
    content, _ = Content.objects.get_or_create(
        digest=entries.digest.hex(),
        defaults={
            "entries": len(entries),
            "addresses": _addresses(entries),
            "data": packed(entries),
            "names": zlib.compress("\n".join(one.text for one in builder.names()).encode(), 1),
        },
    )
    return content


def _addresses(entries: Entries) -> int:
    base = entries.bases[4]
    return len(base.hosts) + sum(1 << shift for shift in base.networks.shifts)


class Shelf:
    """Contents that were read, each once in this process.

    Those in use by somebody are found for as long as they are; of the others the latest stay, too.
    """

    def __init__(self, most: int = 0) -> None:
        self._used: WeakValueDictionary[str, Entries] = WeakValueDictionary()
        self._latest: OrderedDict[str, Entries] = OrderedDict()
        self._most = most

    def get(self, content: int, digest: str, pause: Pause = no_pause) -> Entries:
        """The entries of a content, by its primary key and digest."""
        found = self._used.get(digest)
        if found is None:
            data = Content.objects.values_list("data", flat=True).get(pk=content)
            found = self._used[digest] = unpacked(bytes(data), pause)
        self._latest[digest] = found
        self._latest.move_to_end(digest)
        while sum(map(len, self._latest.values())) > self._most and self._latest:
            self._latest.popitem(last=False)
        return found


SHELF = Shelf(_KEPT_ENTRIES)
"""For those who look something up now and then."""


def names_of(content: int) -> list[NameTarget]:
    """The hosts and domains of a content, in order."""
    data = bytes(Content.objects.values_list("names", flat=True).get(pk=content))
    texts = zlib.decompress(data).decode().split("\n") if data else []
    return [
        NameTarget(text.removeprefix("."), whole=text.startswith(".")) for text in texts if text
    ]


def targets_of(content: Content) -> Iterator[Target]:
    """All entries of a content."""
    yield from SHELF.get(content.pk, content.digest).networks()
    yield from names_of(content.pk)


@dataclass(slots=True)
class Difference:
    """What came and what left, counted, with a sample of each."""

    added: int = 0
    removed: int = 0
    sample_added: list[str] = field(default_factory=list)
    sample_removed: list[str] = field(default_factory=list)

    def note(self, target: Target, *, new: bool) -> None:
        """Count one."""
        sample = self.sample_added if new else self.sample_removed
        if new:
            self.added += 1
        else:
            self.removed += 1
        if len(sample) < SAMPLE:
            sample.append(target.text)


def difference(old: Content | None, new: Content) -> Difference:
    """What changes from one content to the next."""
    if old is not None and old.pk == new.pk:
        return Difference()
    return difference_to(old, targets_of(new))


def difference_to(old: Content | None, new: Iterable[Target]) -> Difference:
    """What changes from a content to other targets, which come in the order that contents have."""
    found = Difference()
    before = _marked(() if old is None else targets_of(old), 0)
    after = _marked(new, 1)
    for _, group in groupby(merge(before, after), key=itemgetter(0)):
        (_, mark, target), *others = group
        if not others:
            found.note(target, new=bool(mark))
    return found


_Key = tuple[int, int, int, int, str]


def _marked(targets: Iterable[Target], mark: int) -> Iterable[tuple[_Key, int, Target]]:
    """Entries in the order in which a content has them, with a key that tells this order."""
    for target in targets:
        if isinstance(target, NetworkTarget):
            wide = int(target.prefix < target.bits)
            yield (target.version, wide, target.first, target.prefix, ""), mark, target
        else:
            yield (9, int(target.whole), 0, 0, target.name), mark, target
