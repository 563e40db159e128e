"""A network of 256 addresses as a picture."""

from xml.etree import ElementTree

import pytest

from mailmum.charts.heat import Cell, Heat, heat
from mailmum.charts.markup import Markup

EVIL = "<b onclick=x>"


def drawn(first: int = 77, last: int = 77, *cells: Cell) -> ElementTree.Element:
    """The picture, read back as XML."""
    made = heat(Heat("h", f"title {EVIL}", "about", cells, first, last))
    assert isinstance(made, Markup)
    return ElementTree.fromstring(made)  # noqa: S314 - of our own making


def test_cells() -> None:
    """One for each address; darker with more contacts, a dot for accepted mail, text as text."""
    counts = (1, 9, 10, 60, 300, 5000)
    cells = [Cell(at, count, at % 2, f"{EVIL} {count}", "?q=1") for at, count in enumerate(counts)]
    picture = drawn(77, 77, *cells)
    assert len(picture.findall("rect")) + len(picture.findall("a/rect")) == 256 + 1
    levels = [rect.get("class") for rect in picture.findall("a/rect")]
    assert levels == ["h1", "h1", "h2", "h3", "h4", "h4"]
    assert len(picture.findall("a/circle")) == 3
    assert picture.findall("a/title")[0].text == f"{EVIL} 1"


@pytest.mark.parametrize(
    ("first", "last", "box"),
    [
        (77, 77, ("me", 284, 92, 22, 22)),
        (64, 95, ("cov", 24, 92, 322, 42)),
        (4, 7, ("cov", 104, 12, 82, 22)),
        (0, 255, ("cov", 24, 12, 322, 322)),
    ],
)
def test_the_frame(first: int, last: int, box: tuple[object, ...]) -> None:
    """Round one address, part of a row, whole rows, or all."""
    frame = drawn(first, last).findall("rect")[-1]
    assert (
        frame.get("class"),
        *(int(frame.get(name, "")) for name in ("x", "y", "width", "height")),
    ) == box
