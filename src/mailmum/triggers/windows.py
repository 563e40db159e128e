"""How many contacts of one group there were within a window, whatever the order they come in.

A group has *reached* the threshold when there is a stretch of time as long as the window that
holds the new contact and enough of those that were kept before it.  Contacts mostly come in the
order of time: then only the stretch that ends with the new one can be new, and it slides along.
For one that comes late every stretch around it is looked at.

What is more than `LATE` older than the newest contact comes too late to count; so what is older
than that by a window can be forgotten, and what counts does not depend on when it is tidied up.

    >>> windows = Windows(threshold=2, window=1000)
    >>> [windows.add("a", Entry(at, at, 1, 0, None, 4)) for at in (500, 2000, 2400)]
    [None, None, (1, 3)]
"""

from bisect import bisect_right, insort
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import NamedTuple, Self

LATE = 2 * 86_400 * 1000
"""Milliseconds that a contact may come after one that is newer."""
_TIDY = 10_000


class Entry(NamedTuple):
    """A contact that counts; they are in the order of time.

    Attributes:
        at: Unix time in milliseconds.
        number: of the contact.
        many: how many there were.
        tag: what different ones of are counted, where that is meant: the list.
        client: who it was.
        server: where.
    """

    at: int
    number: int
    many: int
    tag: int
    client: bytes | None
    server: int


Stretch = tuple[int, int]
"""Which entries of a group: from one to before another."""
_at = attrgetter("at")


class Windows:
    """Counts of all groups.

    Args:
        threshold: how many are enough.
        window: in milliseconds.
        different: whether different tags are counted instead of contacts.
    """

    def __init__(self, threshold: int, window: int, *, different: bool = False) -> None:
        self.newest = 0
        self._threshold, self._window = threshold, window
        self._sum: type[_Sum] = _Tags if different else _Sum
        self._series: dict[Hashable, _Series] = {}
        self._size, self._tidied = 0, 0

    def __len__(self) -> int:
        return self._size

    def add(self, key: Hashable, entry: Entry) -> Stretch | None:
        """Count a contact; the stretch that reaches the threshold with it, if there is one."""
        if entry.at <= self.newest - LATE:
            return None
        # Before anything is found: what is forgotten would move the stretch that is told.
        self._tidy()
        self.newest = max(self.newest, entry.at)
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = _Series(self._sum())
        self._size += 1
        if not series.entries or entry >= series.entries[-1]:
            series.entries.append(entry)
            found = self._slide(series)
        else:
            insort(series.entries, entry)
            found = self._around(series, entry)
            self._reset(series)
        return found

    def pass_by(self, at: int) -> None:
        """See a contact that leads to nothing, but that is newer than others."""
        self.newest = max(self.newest, at)

    def later(self, key: Hashable, entry: Entry, after: int) -> Stretch | None:
        """The first stretch that is enough with a contact that was counted, and ends late enough.

        Only one that came late is held by several.
        """
        series = self._series[key]
        return None if entry >= series.entries[-1] else self._around(series, entry, after)

    def entries(self, key: Hashable, stretch: Stretch) -> Sequence[Entry]:
        """What was counted in a stretch."""
        return self._series[key].entries[slice(*stretch)]

    def clear(self, key: Hashable) -> None:
        """Forget what was counted for a group: it has been acted upon."""
        if (series := self._series.pop(key, None)) is not None:
            self._size -= len(series.entries)

    def _slide(self, series: "_Series") -> Stretch | None:
        """Move on to the stretch that ends with the last entry."""
        entries, left, counted = series.entries, series.left, series.sum
        begin = entries[-1].at - self._window
        counted.add(entries[-1])
        while entries[left].at <= begin:
            counted.take(entries[left])
            left += 1
        series.left = left
        return (left, len(entries)) if counted.reached >= self._threshold else None

    def _around(self, series: "_Series", entry: Entry, after: int = 0) -> Stretch | None:
        """The first stretch that holds an entry and is enough, and does not end before a time."""
        entries = series.entries
        place = bisect_right(entries, entry) - 1
        left = bisect_right(entries, entry.at - self._window, key=_at)
        counted = self._sum.of(entries[left:place])
        for end in range(place, len(entries)):
            last = entries[end].at
            if last - self._window >= entry.at:
                break
            counted.add(entries[end])
            while entries[left].at <= last - self._window:
                counted.take(entries[left])
                left += 1
            if counted.reached >= self._threshold and last >= after:
                return left, end + 1
        return None

    def _reset(self, series: "_Series") -> None:
        begin = series.entries[-1].at - self._window
        series.left = bisect_right(series.entries, begin, key=_at)
        series.sum = self._sum.of(series.entries[series.left :])

    def _tidy(self) -> None:
        """Forget what can count no more, whenever as much again has come in."""
        if self._size < max(_TIDY, 2 * self._tidied):
            return
        until = self.newest - LATE - self._window
        for key in [key for key, one in self._series.items() if one.entries[0].at <= until]:
            series = self._series[key]
            first = bisect_right(series.entries, until, key=_at)
            self._size -= first
            del series.entries[:first]
            if series.entries:
                self._reset(series)
            else:
                del self._series[key]
        self._tidied = self._size


class _Sum:
    """How many contacts there are in a stretch: `reached`."""

    __slots__ = ("reached",)

    def __init__(self) -> None:
        self.reached = 0

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Self:
        made = cls()
        for entry in entries:
            made.add(entry)
        return made

    def add(self, entry: Entry) -> None:
        self.reached += entry.many

    def take(self, entry: Entry) -> None:
        self.reached -= entry.many


class _Tags(_Sum):
    """The same of different tags."""

    __slots__ = ("_tags",)

    def __init__(self) -> None:
        super().__init__()
        self._tags: dict[int, int] = {}

    def add(self, entry: Entry) -> None:
        self._tags[entry.tag] = self._tags.get(entry.tag, 0) + 1
        self.reached = len(self._tags)

    def take(self, entry: Entry) -> None:
        left = self._tags[entry.tag] - 1
        if left:
            self._tags[entry.tag] = left
        else:
            del self._tags[entry.tag]
        self.reached = len(self._tags)


@dataclass(slots=True)
class _Series:
    """The entries of one group, and the sum of the stretch that ends with the last of them."""

    sum: _Sum
    entries: list[Entry] = field(default_factory=list)
    left: int = 0
