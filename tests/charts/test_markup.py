"""Markup: whatever text goes in comes out as text, and as nothing else."""

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmum.charts.markup import Markup, element, escaped, filled, join, number
from mailmum.domain.visible import visible
from tests.charts.reading import parsed


class Reader(HTMLParser):
    """What a browser would make of it."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, attrs))

    def handle_data(self, data: str) -> None:
        self.text += data


@given(st.text(), st.text(), st.integers() | st.floats(allow_nan=False, allow_infinity=False))
def test_what_is_filled_in_is_what_an_element_makes(inside: str, given: str, size: float) -> None:
    """Text stays text in the one as in the other, and what is markup stays that."""
    whole = element("a", element("b", inside), inside, title=given, width=size)
    pattern = '<a title="{}" width="{}">{}{}</a>'
    assert filled(pattern, given, size, filled("<b>{}</b>", inside), inside) == whole


@given(st.text(), st.text())
def test_text_stays_text(inside: str, attribute: str) -> None:
    """In an element and in an attribute; what does not show itself is written as an escape."""
    reader = Reader()
    reader.feed(element("p", inside, title=attribute))
    reader.close()
    assert reader.tags == [("p", [("title", visible(attribute))])]
    assert reader.text == visible(inside)


@pytest.mark.parametrize(
    "hidden", ["\x00", "\x1b[2J", "\r\n", "\u202e", "\u2028", "\ufeff", "\ud800"]
)
def test_nothing_that_hides_gets_through(hidden: str) -> None:
    """Controls, marks that reorder text, half characters."""
    made = element("b", f"a{hidden}b")
    assert made.isprintable()
    made.encode()


def test_markup_is_kept_and_text_beside_it_escaped() -> None:
    """Only what was made here is markup."""
    inner = element("i", "1 < 2")
    assert element("p", inner, "<i>") == "<p><i>1 &lt; 2</i>&lt;i&gt;</p>"
    assert join(["<", Markup("<br>")]) == "&lt;<br>"
    assert escaped('"&') == "&quot;&amp;"


def test_attributes() -> None:
    """Names as Python can write them, numbers short, switches without a value."""
    made = element(
        "input", class_="in", aria_label="x", checked=True, disabled=False, size=None, x=1 / 3
    )
    assert made == '<input class="in" aria-label="x" checked x="0.33">'
    assert element("rect", x=0, y=-0.001) == '<rect x="0" y="-0"/>'


@given(st.floats(-1e6, 1e6))
def test_numbers(value: float) -> None:
    """Two digits are enough for a pixel."""
    assert abs(float(number(value)) - value) <= 0.005001


@given(st.lists(st.text(), max_size=4))
def test_it_is_xml_too(parts: list[str]) -> None:
    """So that charts can be stored as files."""
    tree = parsed(element("g", *(element("text", part) for part in parts)))
    assert ["".join(one.itertext()) for one in tree] == [visible(part) for part in parts]
