"""Charts over time, read back from what was drawn."""

from datetime import UTC
from itertools import pairwise
from xml.etree.ElementTree import Element

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmum.charts.axes import axis, lines
from mailmum.charts.moments import Buckets, Step
from mailmum.charts.series import Gap, Mark, Plot, Series, coarser
from mailmum.charts.timeline import apart, stacked
from tests.charts.reading import bars, idents, parsed, texts

EVIL = '<script>alert(1)</script>"\u202e\x1b'


def buckets(count: int) -> Buckets:
    """So many hours."""
    return Buckets(Step.HOUR, tuple(3600.0 * at for at in range(count + 1)), UTC)


def plot(**more: object) -> Plot:
    """What is the same in all of them."""
    return Plot("c", "Contacts", "Over time.", **more)  # type: ignore[arg-type]


COUNTS = st.integers(1, 30).flatmap(
    lambda count: st.lists(
        st.lists(st.integers(0, 5000), min_size=count, max_size=count), min_size=1, max_size=7
    )
)


def paths(tree: Element) -> list[Element]:
    """The paths of the series."""
    return [one for one in tree.iter("path") if "ser" in (one.get("class") or "")]


@pytest.mark.parametrize("count", [26, 98])
def test_no_label_of_time_is_cut_at_the_edge(count: int) -> None:
    """A chart of few buckets is narrow: each label has an eighth of it, of many a twentieth."""
    tree = parsed(stacked(plot(), buckets(count), [Series("k", "Kind", [1] * count)]))
    times = [one for one in tree.iter("text") if one.get("x") != "0"]
    assert len(times) > 2
    for one in times:
        at = float((one.get("x") or "0").removesuffix("%"))
        assert one.get("text-anchor") == "end" or at < (88 if count == 26 else 95)


@given(COUNTS)
def test_heights_are_the_counts(rows: list[list[int]]) -> None:
    """Every bar is as high as its count, stands on the one below, and none leaves the plot."""
    count = len(rows[0])
    series = [Series(f"k{at}", f"Kind {at}", row) for at, row in enumerate(rows)]
    tree = parsed(stacked(plot(), buckets(count), series))
    high = float(tree.get("data-h") or 0)
    scale = high / axis(max(map(sum, zip(*rows, strict=True))))[1]
    floor = [high] * count
    for path, row in zip(paths(tree), rows, strict=True):
        drawn = {at: (top, height) for at, top, height in bars(path)}
        for at, value in enumerate(row):
            assert (at in drawn) == (value > 0)
            if value:
                top, height = drawn[at]
                assert floor[at] - top == pytest.approx(value * scale, abs=0.03)
                # A hairline parts it from the one below.
                assert -0.02 <= floor[at] - top - height <= 0.73
                floor[at] = top
    assert min(floor) >= 0


@given(COUNTS)
def test_apart_each_series_fills_its_own_row(rows: list[list[int]]) -> None:
    """On a scale of its own; its name and sum stand above it."""
    series = [Series(f"k{at}", f"Kind {at}", row) for at, row in enumerate(rows)]
    tree = parsed(apart(plot(), buckets(len(rows[0])), series))
    for path, row in zip(paths(tree), rows, strict=True):
        tops = {at: top for at, top, _ in bars(path)}
        assert tops.keys() == {at for at, value in enumerate(row) if value}
        for at, top in tops.items():
            assert (19 - top) / 19 == pytest.approx(row[at] / max(row), abs=0.01)
    named = texts(tree)
    assert all(f"Kind {at} {sum(row):,}" in named for at, row in enumerate(rows))


@given(st.integers(0, 10**9))
def test_grid_lines(most: int) -> None:
    """One to four, at whole steps, and the highest bar stays below the top."""
    step, top = axis(most)
    assert top > most
    assert 1 <= len(lines(most)) <= 4
    assert str(step).strip("0") in {"1", "2", "25", "5"}


def test_it_can_be_heard_and_pointed_at() -> None:
    """Title and description are bound to the chart; every bucket says what is in it."""
    series = [Series("accepted", "Accepted", [3, 0]), Series("rbl", "Public RBL", [1200, 0])]
    tree = parsed(stacked(plot(), buckets(2), series))
    ids = {one.attrib["id"]: "".join(one.itertext()) for one in tree.iter() if "id" in one.attrib}
    assert ids[tree.attrib["aria-labelledby"]] == "Contacts"
    assert ids[tree.attrib["aria-describedby"]] == "Over time."
    assert tree.attrib["role"] == "img"
    said = ["".join(one.itertext()) for one in tree.findall(".//svg[@class='hits']/g")]
    assert said == [
        "Thu 1 Jan 00:00: 1,203 contacts: Accepted 3, Public RBL 1,200",
        "Thu 1 Jan 01:00: 0 contacts",
    ]


def test_links_make_it_a_group() -> None:
    """An image would hide them from who cannot see it."""
    one = [Series("accepted", "Accepted", [3, 4])]
    tree = parsed(stacked(plot(links=["/a?x=1&y=2", "/b"]), buckets(2), one))
    assert tree.attrib["role"] == "group"
    assert [a.get("href") for a in tree.findall(".//svg[@class='hits']/a")] == ["/a?x=1&y=2", "/b"]
    assert [a.get("data-v") for a in tree.findall(".//svg[@class='hits']/a")] == ["3", "4"]


@pytest.mark.parametrize("draw", [stacked, apart])
def test_no_data_is_hatched_and_said(draw: type) -> None:
    """And never drawn as zero contacts."""
    gap = Gap(1, 3, "collector stopped")
    tree = parsed(draw(plot(gaps=[gap]), buckets(4), [Series("rbl", "Public RBL", [5, 0, 0, 5])]))
    [hatched] = [one for one in tree.iter("rect") if (one.get("fill") or "").startswith("url(#")]
    assert (hatched.get("x"), hatched.get("width")) == ("25%", "50%")
    assert (hatched.get("fill") or "")[5:-1] in idents(tree)
    said = ["".join(one.itertext()) for one in tree.findall(".//svg[@class='hits']/g")]
    assert [text.partition(": ")[2] for text in said][1:3] == ["collector stopped"] * 2


def test_what_is_not_complete_is_lighter() -> None:
    """The first bucket of a log that begins within it, and the one that is running."""
    one = [Series("rbl", "R", [1, 2, 3])]
    tree = parsed(stacked(plot(partial=frozenset({0, 2})), buckets(3), one))
    assert [one.get("x") for one in tree.iter("rect") if one.get("class") == "part"] == ["0", "2"]


@pytest.mark.parametrize(
    ("first", "after", "at", "anchor"),
    [(0, 2, "20%", None), (8, 10, "80%", "end"), (0, 10, "0%", None), (1, 9, "10%", None)],
)
def test_what_a_gap_is_stands_where_there_is_room(
    first: int, after: int, at: str, anchor: str | None
) -> None:
    """Beside it, or within one that is nearly all there is."""
    series = [Series("rbl", "Public RBL", [5] * 10)]
    tree = parsed(stacked(plot(gaps=[Gap(first, after, "stopped")]), buckets(10), series))
    (text,) = [one for one in tree.iter() if one.tag.endswith("text") and one.text == "stopped"]
    assert (text.get("x"), text.get("text-anchor")) == (at, anchor)


def said(gaps: list[Gap]) -> list[tuple[str, float, float]]:
    """The words of gaps among 60 buckets, with where they begin and end, in buckets.

    In a chart 640 pixels wide, with letters of 5.5 pixels.
    """
    drawn = stacked(plot(gaps=gaps), buckets(60), [Series("rbl", "Public RBL", [5] * 60)])
    found = []
    for one in parsed(drawn).iter("text"):
        if one.text in {gap.text for gap in gaps}:
            at = 640 * float((one.get("x") or "").rstrip("%")) / 100 + float(one.get("dx") or 0)
            length = 5.5 * len(one.text or "")
            left = at - length if one.get("text-anchor") else at
            found.append((one.text or "", 60 * left / 640, 60 * (left + length) / 640))
    return sorted(found, key=lambda one: one[1])


@given(
    st.lists(st.integers(0, 60), min_size=2, max_size=16, unique=True),
    st.text("nothing", min_size=1, max_size=30),
)
def test_words_of_gaps_lie_on_nothing(edges: list[int], words: str) -> None:
    """Neither on one another, nor on a gap that they are not about, nor outside."""
    places = sorted(edges)[: len(edges) // 2 * 2]
    pairs = zip(places[::2], places[1::2], strict=True)
    gaps = [Gap(first, after, f"{words} {at}") for at, (first, after) in enumerate(pairs)]
    written = said(gaps)
    assert all(one[2] <= two[1] for one, two in pairwise(written))
    for name, left, right in written:
        assert 0 <= left < right <= 60
        met = [one.text for one in gaps if one.first < right and left < one.after]
        assert met in ([], [name])


def test_of_gaps_side_by_side_the_longest_are_named() -> None:
    """Two where there is room for both; what has none says it when it is pointed at."""
    one, two = Gap(0, 52, "nothing seen for 52 h"), Gap(54, 60, "nothing seen for 6 h")
    assert [words for words, *_ in said([one, two])] == [one.text]
    assert [words for words, *_ in said([one._replace(after=20), two])] == [one.text, two.text]


def test_strangers_texts_stay_texts() -> None:
    """In titles, gaps, marks and names."""
    made = Plot("c", EVIL, EVIL, gaps=[Gap(0, 1, EVIL)], marks=[Mark(1, EVIL), Mark(1, EVIL, "/x")])
    drawn = stacked(made, buckets(2), [Series("rbl", EVIL, [0, 2])])
    assert "<script" not in drawn
    assert drawn.isprintable()
    assert {one.tag for one in parsed(drawn).iter()} <= {
        "svg", "title", "desc", "defs", "pattern", "line", "path", "rect", "text", "g", "a"
    }  # fmt: skip


@pytest.mark.parametrize("draw", [stacked, apart])
def test_ids_begin_with_what_was_given(draw: type) -> None:
    """So two charts on a page share none."""
    one = [Series("a", "A", [0, 1])]
    plots = [Plot(name, "T", "D", gaps=[Gap(0, 1, "x")]) for name in ("one", "two")]
    made = [idents(parsed(draw(each, buckets(2), one))) for each in plots]
    assert not set(made[0]) & set(made[1])
    assert all(len(ids) == len(set(ids)) for ids in made)


@pytest.mark.parametrize("draw", [stacked, apart])
def test_nothing_to_draw(draw: type) -> None:
    """No series, or only zeros."""
    for series in ([], [Series("rbl", "R", [0, 0])]):
        assert parsed(draw(plot(), buckets(2), series)).tag == "svg"


@given(st.lists(st.integers(0, 100)), st.integers(1, 7))
def test_coarser_keeps_the_sum(values: list[int], by: int) -> None:
    """Nothing is lost on a narrow screen."""
    assert sum(coarser(values, by)) == sum(values)
