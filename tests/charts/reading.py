"""Charts read back: what a drawing says, by an XML parser and by the numbers in its paths."""

import re
from collections.abc import Iterator
from xml.etree import ElementTree

Element = ElementTree.Element
_BAR = re.compile(r"M([\d.-]+) ([\d.-]+)h([\d.-]+)v([\d.-]+)h-([\d.-]+)z")


def parsed(markup: str) -> Element:
    """A chart as a tree; HTML needs no namespace, an XML parser does not ask for one."""
    return ElementTree.fromstring(markup)  # noqa: S314 - of our own making


def bars(path: Element) -> Iterator[tuple[int, float, float]]:
    """The bars of a path: bucket, top and height as drawn."""
    data = path.get("d") or ""
    found = list(_BAR.finditer(data))
    assert "".join(one[0] for one in found) == data
    for one in found:
        left, top, right, height, back = map(float, one.groups())
        assert right == back
        yield int(left), top, height


def texts(tree: Element) -> list[str]:
    """All that is written in it."""
    return ["".join(one.itertext()) for one in tree.iter("text")]


def idents(tree: Element) -> list[str]:
    """All ids."""
    return [one.attrib["id"] for one in tree.iter() if "id" in one.attrib]
