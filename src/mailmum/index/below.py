"""What lies below a name: whether something in force does, answered without a search.

A resolver that minimises names (RFC 9156) asks for every name above a listed one, and must not be
told that it does not exist (RFC 8020).  For every name with listings below, this keeps how many of
them have no end, and of the others when the last one ends: something is in force below the name as
long as either says so.  Both take additions and removals at any time.

    >>> below = Below()
    >>> below.add("mail.spam.example", None)
    >>> below.any("spam.example", 0.0), below.any("mail.spam.example", 0.0)
    (True, False)
"""

from collections.abc import Iterator
from heapq import heappop, heappush

from mailmum.domain.names import parents


class Lasting:
    """Ends of lifetimes, and the last of them."""

    __slots__ = ("_counts", "_heap")

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        # Negative, so that the last comes first; what was removed stays until it comes up.
        self._heap: list[int] = []

    def __bool__(self) -> bool:
        return bool(self._counts)

    def add(self, end: int) -> None:
        """Add one that ends at `end`."""
        count = self._counts.get(end, 0)
        self._counts[end] = count + 1
        if not count:
            heappush(self._heap, -end)

    def remove(self, end: int) -> None:
        """Remove one that was added."""
        count = self._counts[end] - 1
        if count:
            self._counts[end] = count
        else:
            del self._counts[end]

    def last(self) -> int | None:
        """The last end, None when there is none."""
        while self._heap:
            end = -self._heap[0]
            if end in self._counts:
                return end
            heappop(self._heap)
        return None


class Below:
    """For every name: whether listings lie below it that are in force."""

    __slots__ = ("_endless", "_lasting")

    def __init__(self) -> None:
        self._endless: dict[str, int] = {}
        self._lasting: dict[str, Lasting] = {}

    def add(self, name: str, expires: int | None) -> None:
        """Count a listing of `name`."""
        for parent in parents(name)[1:]:
            if expires is None:
                self._endless[parent] = self._endless.get(parent, 0) + 1
            else:
                self._lasting.setdefault(parent, Lasting()).add(expires)

    def remove(self, name: str, expires: int | None) -> None:
        """Count it no more."""
        for parent in parents(name)[1:]:
            if expires is not None:
                lasting = self._lasting[parent]
                lasting.remove(expires)
                if not lasting:
                    del self._lasting[parent]
            elif self._endless[parent] > 1:
                self._endless[parent] -= 1
            else:
                del self._endless[parent]

    def __contains__(self, name: str) -> bool:
        """Whether there are listings below `name`, in force or not."""
        return name in self._endless or name in self._lasting

    def __iter__(self) -> Iterator[str]:
        """The names with listings below."""
        return iter(self._endless.keys() | self._lasting.keys())

    def any(self, name: str, now: float) -> bool:
        """Whether something in force at `now` lies strictly below `name`."""
        if name in self._endless:
            return True
        lasting = self._lasting.get(name)
        last = None if lasting is None else lasting.last()
        return last is not None and now < last
