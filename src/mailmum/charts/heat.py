"""A network of 256 addresses, address by address: how busy each is, and whose mail was accepted.

A row holds sixteen addresses.  The darker a cell, the more contacts; a dot marks accepted mail, a
frame the address or network that one looks at.  The same stands in a table beside it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from mailmum.charts.markup import Markup, element, filled, join

_SIDE, _CELL, _GAP = 16, 18, 2
_STEP = _CELL + _GAP
_LEFT, _TOP = 26, 14
_LEVELS = (1, 10, 60, 300)
"""From so many contacts on a cell is a step darker."""


class Cell(NamedTuple):
    """An address that was seen: its last byte, and what a pointer on it is told."""

    place: int
    contacts: int
    accepted: int
    text: str
    link: str


@dataclass(frozen=True, slots=True)
class Heat:
    """What such a picture shows.

    Attributes:
        ident: begins every id in it.
        title: what it is.
        about: what it shows, in a sentence.
        cells: the addresses that were seen.
        first, last: the last bytes of what one looks at.
    """

    ident: str
    title: str
    about: str
    cells: Sequence[Cell]
    first: int
    last: int


def heat(shown: Heat) -> Markup:
    """Draw it."""
    seen = {cell.place: cell for cell in shown.cells}
    title, about = f"{shown.ident}-title", f"{shown.ident}-about"
    return element(
        "svg",
        element("title", shown.title, id=title),
        element("desc", shown.about, id=about),
        *_labels(),
        *(_cell(place, seen.get(place)) for place in range(_SIDE * _SIDE)),
        _frame(shown.first, shown.last),
        class_="heat",
        viewBox=f"0 0 {_LEFT + _SIDE * _STEP + 2} {_TOP + _SIDE * _STEP + 2}",
        role="group",
        aria_labelledby=title,
        aria_describedby=about,
    )


def _labels() -> Iterable[Markup]:
    for at in range(_SIDE):
        y = _TOP + at * _STEP + 13
        yield element("text", f".{at * _SIDE}", x=_LEFT - 5, y=y, text_anchor="end")
        if at % 2 == 0:
            x = _LEFT + at * _STEP + _CELL / 2
            yield element("text", f"+{at}", x=x, y=9, text_anchor="middle")


def _cell(place: int, cell: Cell | None) -> Markup:
    if cell is None:
        return _box(place, 0, dotted=False)
    level = sum(cell.contacts >= least for least in _LEVELS)
    box = _box(place, level, dotted=cell.accepted > 0)
    link = '<a href="{}" tabindex="-1"><title>{}</title>{}</a>'
    return filled(link, cell.link, cell.text, box)


@lru_cache(maxsize=2 * (len(_LEVELS) + 1) * _SIDE * _SIDE)
def _box(place: int, level: int, *, dotted: bool) -> Markup:
    """A cell without what is told of it: there are few of them, and 256 in each picture."""
    x, y = _LEFT + place % _SIDE * _STEP, _TOP + place // _SIDE * _STEP
    box = element("rect", class_=f"h{level}", x=x, y=y, width=_CELL, height=_CELL, rx=2)
    half = _CELL / 2
    return join([box, element("circle", cx=x + half, cy=y + half, r=4)]) if dotted else box


def _frame(first: int, last: int) -> Markup:
    """Round one cell, a part of a row, or whole rows: networks begin and end so."""
    column, row = first % _SIDE, first // _SIDE
    columns = min(last - first + 1, _SIDE)
    rows = max((last - first + 1) // _SIDE, 1)
    return element(
        "rect",
        class_="me" if first == last else "cov",
        x=_LEFT + column * _STEP - 2,
        y=_TOP + row * _STEP - 2,
        width=columns * _STEP + 2,
        height=rows * _STEP + 2,
        rx=3,
    )
