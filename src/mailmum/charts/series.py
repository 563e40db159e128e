"""What charts are drawn from: series of counts over the same buckets, gaps and marks in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Series(NamedTuple):
    """One series of counts.

    Attributes:
        kind: class of its colour in the stylesheet, such as `accepted` or `rbl`.
        name: what it is called.
        values: one count a bucket.
    """

    kind: str
    name: str
    values: Sequence[int]


class Gap(NamedTuple):
    """Buckets without data, from `first` to before `after`, and what is said of them."""

    first: int
    after: int
    text: str


class Mark(NamedTuple):
    """An event on the axis: at the beginning of which bucket, in words, and where it leads."""

    bucket: int
    text: str
    link: str | None = None


@dataclass(frozen=True, slots=True)
class Plot:
    """What a chart over time shows besides its series.

    Attributes:
        ident: begins every id in the chart; different for each chart of a page.
        title: what it is, for those who do not see it and as its name.
        about: what it shows, in a sentence or two.
        height: in pixels.
        partial: buckets that are not complete.
        gaps: those without data.
        marks: events.
        links: where each bucket leads; empty: nowhere.
        unit: what is counted.
    """

    ident: str
    title: str
    about: str
    height: int = 250
    partial: frozenset[int] = frozenset()
    gaps: Sequence[Gap] = ()
    marks: Sequence[Mark] = ()
    links: Sequence[str] = ()
    unit: str = "contacts"


def sums(series: Sequence[Series], count: int) -> list[int]:
    """The whole of each bucket."""
    return [sum(one.values[at] for one in series) for at in range(count)]


def coarser(values: Sequence[int], by: int) -> list[int]:
    """So many buckets in the place of one each, for a narrow screen.

    >>> coarser([1, 2, 3, 4, 5], 2)
    [3, 7, 5]
    """
    return [sum(values[at : at + by]) for at in range(0, len(values), by)]
